"""The largest values of each row, with ties decided."""

import torch


def top_k(values: torch.Tensor, k: int) -> torch.Tensor:
    """The columns of the `k` largest values of each row, (rows, k) or fewer, best first.

    Among equal values the lowest column comes first, unlike in `torch.topk`, whose order of equal values is undefined.
    """
    best, columns = values.topk(min(k + 1, values.shape[1]), 1)
    if best.shape[1] > k:  # if the first value left out equals the last one taken, it may be the one at a lower column
        tied = best[:, k - 1] == best[:, k]
        columns = columns[:, :k]
        columns[tied] = values[tied].argsort(dim=1, descending=True, stable=True)[:, :k]
    columns = columns.sort(1).values
    return columns.gather(1, values.gather(1, columns).argsort(dim=1, descending=True, stable=True))
