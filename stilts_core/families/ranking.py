"""The best of many values."""

import torch


def ranked(values: torch.Tensor, k: int) -> torch.Tensor:
    """The places of the `k` largest values of each row, (rows, k) or fewer, best first; of equal values the lowest."""
    best, places = values.topk(min(k + 1, values.shape[1]), 1)
    if best.shape[1] > k:  # whether the first that is left out equals the last that is kept, and may be a lower place
        tied = best[:, k - 1] == best[:, k]
        places = places[:, :k]
        places[tied] = values[tied].argsort(dim=1, descending=True, stable=True)[:, :k]
    places = places.sort(1).values
    return places.gather(1, values.gather(1, places).argsort(dim=1, descending=True, stable=True))
