"""Prediction: the outputs of a head for many features, with equal sequences computed once."""

from collections.abc import Iterator, Sequence
from itertools import chain, groupby, islice, pairwise

import numpy as np
import torch

from stilts_core.encoders.encoder import Encoder
from stilts_core.errors import TrainingError
from stilts_core.families.batches import Batch, collate
from stilts_core.families.features import Features
from stilts_core.families.head import Head
from stilts_core.training import distributed
from stilts_core.training.batching import split_within_budget
from stilts_core.training.compute import Compute

# Sub-words of a forward pass without gradients: on a CPU as many as its caches hold the activations of.
TOKEN_BUDGETS = {"cpu": 2048, "cuda": 16384}
PASSES = 16  # neighbouring sets share at least so many forward passes, so that the last, unfilled one costs little


def predict(encoder: Encoder, head: Head, features: Features, compute: Compute, name: str = "texts") -> np.ndarray:
    """The head's outputs for all features, in their order: (sequences, k), or (tokens, k) for a head over sub-words.

    Raises TrainingError, which says `name`, where one is not finite.
    """
    (outputs,) = Predictor(encoder, head, compute).stream([features], names=[name])
    return outputs


class Predictor:
    """An encoder with a head; `flops` counts the floating-point operations of its forward passes."""

    def __init__(self, encoder: Encoder, head: Head, compute: Compute) -> None:
        self.encoder, self.head, self.compute = encoder, head, compute
        self.flops = 0.0

    @torch.inference_mode()
    def stream(
        self, sets: Sequence[Features], layers: Sequence[int] = (), names: Sequence[str] = ()
    ) -> Iterator[np.ndarray]:
        """Yield the outputs for each of several sets, one set after the other, as `predict` returns them.

        With `layers`, the outputs from these hidden states (ascending; for heads over sequences): (sequences, layers,
        k). Neighbouring sets share forward passes, and equal sequences of all sets are predicted once; their outputs
        stay in memory until the last set that needs them. Raises TrainingError where an output is not finite; `names`
        says what each set is, such as 'xnli in de'.
        """
        torch.nn.Module.to(self.encoder.model, self.compute.device).eval()  # transformers' own `to` is not typed
        self.head.to(self.compute.device).eval()
        budget = TOKEN_BUDGETS[self.compute.device]
        pool, members = _pool_sequences(sets)
        row_counts = np.ones_like(pool.lengths) if self.head.per_sequence else pool.lengths  # rows of outputs
        first_row = np.full(len(pool), -1)  # in `outputs`, by sequence of the pool; -1: not predicted yet
        last_set = np.zeros(len(pool), int)  # the last set that needs each sequence
        for number, sequences in enumerate(members):
            last_set[sequences] = number
        in_memory, outputs = np.zeros(0, int), np.zeros((0, 1), np.float32)
        offsets = np.cumsum([0, *(len(features.ids) for features in sets)])
        for _, numbers in groupby(range(len(sets)), key=lambda number: offsets[number] // (PASSES * budget)):
            group = list(numbers)
            in_memory = in_memory[last_set[in_memory] >= group[0]]
            outputs = outputs[_ranges(first_row[in_memory], row_counts[in_memory])]
            needed = np.unique(np.concatenate([members[number] for number in group]))
            if passes := split_within_budget(pool, needed[first_row[needed] < 0], budget):
                earlier = [outputs] if len(in_memory) else []
                shares = [passes[rank :: distributed.world_size()] for rank in range(distributed.world_size())]
                outputs = np.concatenate([*earlier, self._compute(pool, shares, layers)])
                in_memory = np.concatenate([in_memory, *chain.from_iterable(shares)])
            first_row[in_memory] = np.cumsum(row_counts[in_memory]) - row_counts[in_memory]
            for number in group:
                of_set = outputs[_ranges(first_row[members[number]], row_counts[members[number]])]
                self._require_finite(of_set, names[number] if names else "texts")
                yield of_set

    def _require_finite(self, outputs: np.ndarray, name: str) -> None:
        """Raise TrainingError for an output that is not finite: every comparison with it is false, and yet scored."""
        if wrong := int((~np.isfinite(outputs)).sum()):
            raise TrainingError(
                f"{wrong} of {outputs.size} outputs of encoder {self.encoder.name} for {name} are not finite; lower "
                "the learning rate if the encoder was trained here, else check its weights and its config.json"
            )

    def _compute(self, features: Features, shares: list[list[np.ndarray]], layers: Sequence[int]) -> np.ndarray:
        """The outputs of several forward passes, one after the other.

        `shares` holds, for each process, the features of each of its passes.
        """
        own = shares[distributed.rank()]
        values = []
        for chosen in own or shares[0][:1]:  # an idle process learns the shape of the outputs from one pass
            batch = collate(features, chosen, self.encoder.tokenizer.pad).to(self.compute.device)
            with self.compute.autocast():
                values.append(self._outputs_by_layer(batch, layers) if layers else self._outputs(batch))
        by_share = [np.concatenate(share) if share else np.zeros(0, int) for share in shares]
        lengths = features.lengths[np.concatenate(by_share)].astype(float)
        last = layers[-1] if layers else self.encoder.layers if self.head.layer is None else self.head.layer
        self.flops += self.encoder.count_flops(lengths.sum(), (lengths**2).sum()) * last / self.encoder.layers
        rows = [len(part) if self.head.per_sequence else int(features.lengths[part].sum()) for part in by_share]
        outputs = torch.cat(values) if own else values[0][:0]
        return distributed.gather_rows(outputs, rows).cpu().numpy()

    def _outputs_by_layer(self, batch: Batch, layers: Sequence[int]) -> torch.Tensor:
        """The head's outputs from several hidden states: (sequences, layers, k)."""
        states = islice(self.encoder.hidden_states(**batch.inputs), layers[-1] + 1)
        outputs = [self.head(state, batch) for layer, state in enumerate(states) if layer in layers]
        return torch.stack(outputs, 1).float()

    def _outputs(self, batch: Batch) -> torch.Tensor:
        """The head's outputs: (sequences, k), or (sub-words, k) for a head over sub-words."""
        used = self.head.used_positions(batch)
        outputs = self.head(self.encoder.hidden(**batch.inputs, layer=self.head.layer, used_positions=used), batch)
        return (outputs if self.head.per_sequence else outputs.flatten(0, 1)[batch.flat_positions]).float()


def _pool_sequences(sets: Sequence[Features]) -> tuple[Features, list[np.ndarray]]:
    """All sequences of several sets as one-sequence features, and the numbers of the sequences that each set needs.

    Equal sequences have the number of the first of them.
    """
    ids, types = (np.concatenate(columns) for columns in zip(*((s.ids, s.types) for s in sets), strict=True))
    counts = [len(features.starts) - 1 for features in sets]
    starts = np.cumsum([0, *chain.from_iterable(np.diff(features.starts) for features in sets)])
    count = len(starts) - 1
    first_number: dict[bytes, int] = {}
    numbers = (
        first_number.setdefault(ids[start:stop].tobytes() + types[start:stop].tobytes(), number)
        for number, (start, stop) in enumerate(pairwise(starts.tolist()))
    )
    members = np.split(np.fromiter(numbers, int, count), np.cumsum(counts)[:-1])
    return Features(ids, types, starts, np.arange(count + 1), np.arange(count)), members


def _ranges(starts: np.ndarray, lengths: np.ndarray) -> np.ndarray:
    """The numbers of several ranges, one range after the other, from their starts and lengths."""
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts - before, lengths) + np.arange(lengths.sum())
