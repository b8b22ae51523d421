"""Features in columns, and batches of similar length cut from them."""

import hashlib
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch

IGNORE = -100  # the target that no loss counts (PyTorch's default)


@dataclass
class Cut:
    """What did not fit the longest input: how many inputs, how many were cut or split, how many sub-words were lost."""

    inputs: int = 0
    cut: int = 0
    split: int = 0
    tokens_lost: int = 0

    def __add__(self, other: "Cut") -> "Cut":
        return Cut(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


@dataclass
class Features:
    """The token ids of many examples, in columns.

    A feature is what the loss counts once: one sequence for a sentence pair, as many sequences as choices for multiple
    choice. Sequences lie end to end: sequence `s` is `ids[starts[s]:starts[s + 1]]`, feature `f` owns the sequences
    `first[f]` to `first[f + 1]`, and was made from example `example[f]`.

    ids      (tokens,) int32       types    (tokens,) uint8, token types
    starts   (sequences + 1,)      first    (features + 1,)
    token_targets  name -> (tokens,), padded with IGNORE in a batch
    targets        name -> (features,)
    """

    ids: np.ndarray
    types: np.ndarray
    starts: np.ndarray
    first: np.ndarray
    example: np.ndarray
    token_targets: dict[str, np.ndarray] = field(default_factory=dict)
    targets: dict[str, np.ndarray] = field(default_factory=dict)
    cut: Cut = field(default_factory=Cut)

    def __len__(self) -> int:
        return len(self.example)

    @cached_property
    def lengths(self) -> np.ndarray:
        """(features,) sub-words of the longest sequence of each feature."""
        return np.maximum.reduceat(np.diff(self.starts), self.first[:-1]) if len(self) else np.zeros(0, np.int64)

    def digest(self) -> str:
        """A hash of everything a model can see in these features."""
        digest = hashlib.sha256()
        columns = {"ids": self.ids, "types": self.types, "starts": self.starts, "first": self.first}
        for name, column in (columns | self.token_targets | self.targets).items():
            digest.update(f"{name} {column.dtype} {column.shape}".encode())
            digest.update(np.ascontiguousarray(column).data)
        return digest.hexdigest()


def columns(sequences, *, example=None, per_feature=None, token_targets=None, targets=None, cut=None) -> Features:
    """Features from Python lists.

    `sequences` holds (ids, types) pairs in order; `per_feature[f]` says how many of them feature `f` owns (default: one
    each); `example[f]` is its example (default: `f`); `token_targets` maps a name to one list a sequence.
    """
    lengths = np.fromiter((len(ids) for ids, _ in sequences), np.int64, len(sequences))
    per_feature = np.ones(len(sequences), np.int64) if per_feature is None else np.asarray(per_feature, np.int64)
    return Features(
        ids=_flat((ids for ids, _ in sequences), np.int32),
        types=_flat((types for _, types in sequences), np.uint8),
        starts=_ends(lengths),
        first=_ends(per_feature),
        example=np.arange(len(per_feature)) if example is None else np.asarray(example, np.int64),
        token_targets={name: _flat(rows, np.int32) for name, rows in (token_targets or {}).items()},
        targets={name: np.asarray(values) for name, values in (targets or {}).items()},
        cut=cut or Cut(inputs=len(per_feature)),
    )


def _flat(lists, dtype) -> np.ndarray:
    parts = [np.asarray(row, dtype) for row in lists]
    return np.concatenate(parts) if parts else np.zeros(0, dtype)


def _ends(lengths: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)])


@dataclass
class Batch:
    """Some features, padded: the tensors a forward pass needs.

    ids, mask, types  (sequences, length)     features  (features,) positions in their Features
    places            (sub-words,) where mask is true, counted row by row
    sequences         (sequences,) positions of the rows in their Features
    per_feature       (features,) how many rows each feature owns
    token_targets     name -> (sequences, length)      targets  name -> (features,)
    """

    ids: "torch.Tensor"
    mask: "torch.Tensor"
    types: "torch.Tensor"
    places: "torch.Tensor"
    features: np.ndarray
    sequences: np.ndarray
    per_feature: np.ndarray
    token_targets: dict
    targets: dict

    @property
    def inputs(self) -> "dict[str, torch.Tensor]":
        """What the encoder reads, by the names of its arguments."""
        return {"ids": self.ids, "mask": self.mask, "types": self.types, "places": self.places}

    def to(self, device: str) -> "Batch":
        """The same batch with its tensors on `device`."""
        token_targets, targets = moved(self.token_targets, device), moved(self.targets, device)
        return replace(self, **moved(self.inputs, device), token_targets=token_targets, targets=targets)


def moved(tensors: "dict[str, torch.Tensor]", device: str) -> "dict[str, torch.Tensor]":
    """The host's tensors on `device`; the host does not wait for copies to a GPU, which needs pinned memory."""
    if device == "cuda":
        tensors = {name: tensor.pin_memory() for name, tensor in tensors.items()}
    return {name: tensor.to(device, non_blocking=True) for name, tensor in tensors.items()}


def collate(features: Features, chosen: np.ndarray, pad: int) -> Batch:
    """The chosen features as one padded batch."""
    import torch

    per_feature = features.first[chosen + 1] - features.first[chosen]
    sequences = np.concatenate([np.arange(features.first[f], features.first[f + 1]) for f in chosen])
    starts = features.starts[sequences]
    lengths = features.starts[sequences + 1] - starts
    offsets = np.arange(lengths.max())
    mask = offsets < lengths[:, None]
    source = np.where(mask, starts[:, None] + offsets, 0)

    def padded(column, fill):
        return torch.from_numpy(np.where(mask, column[source], fill).astype(np.int64))

    return Batch(
        ids=padded(features.ids, pad),
        mask=torch.from_numpy(mask),
        types=padded(features.types, 0),
        places=torch.from_numpy(np.flatnonzero(mask)),
        features=chosen,
        sequences=sequences,
        per_feature=per_feature,
        token_targets={name: padded(column, IGNORE) for name, column in features.token_targets.items()},
        targets={name: torch.from_numpy(column[chosen]) for name, column in features.targets.items()},
    )


def epoch_batches(lengths: np.ndarray, batch_size: int, seed: int, epoch: int) -> list[np.ndarray]:
    """One epoch in batches of `batch_size` features of similar length, in random order.

    Features are shuffled, sorted by length within pools of 50 batches, and cut; so every epoch meets every feature
    once, with little padding, and neighbours change from epoch to epoch.
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(lengths))
    pool = 50 * batch_size
    batches = []
    for start in range(0, len(order), pool):
        part = order[start : start + pool]
        part = part[np.argsort(lengths[part], kind="stable")]
        batches += [part[i : i + batch_size] for i in range(0, len(part), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def within_budget(features: Features, chosen: np.ndarray, token_budget: int) -> list[np.ndarray]:
    """Cut `chosen` into parts of at most `token_budget` padded sub-words (never less than one feature each).

    The parts are sorted by length, longest first, so that the largest allocation comes first.
    """
    lengths = features.lengths[chosen]
    rows = features.first[chosen + 1] - features.first[chosen]
    order = np.argsort(-lengths, kind="stable")
    parts, start = [], 0
    while start < len(order):
        longest = lengths[order[start]]
        candidates = order[start : start + max(1, token_budget // longest)]
        count = max(1, int((np.cumsum(rows[candidates]) * longest <= token_budget).sum()))
        parts.append(chosen[candidates[:count]])
        start += count
    return parts


def even_shares(features: Features, chosen: np.ndarray, count: int) -> list[np.ndarray]:
    """Cut `chosen` into `count` shares with about as many sub-words each: one for each process that trains.

    The shares hold features of similar length, the first the longest. None of them is further from the mean than the
    longest feature is long; where features are few, some are empty.
    """
    sizes = features.starts[features.first[chosen + 1]] - features.starts[features.first[chosen]]
    order = np.argsort(-features.lengths[chosen], kind="stable")
    middles = np.cumsum(sizes[order]) - sizes[order] / 2
    cuts = np.searchsorted(middles, sizes.sum() * np.arange(1, count) / count)
    return np.split(chosen[order], cuts)


def sampling_shares(sizes: list[int], *, temperature: float = 1.0, cap: int = 0) -> np.ndarray:
    """How often multi-task training visits each task: min(size, cap) ** (1 / temperature), normalised.

    Temperature 1 is proportional sampling, as in jiant; a higher one is more even.
    """
    counted = np.minimum(sizes, cap) if cap else np.asarray(sizes)
    weights = counted.astype(float) ** (1 / temperature)
    return weights / weights.sum()


def used_ids(*features: Features) -> np.ndarray:
    """The sub-word ids that occur in any of the features, ascending."""
    return np.unique(np.concatenate([np.unique(columns.ids) for columns in features]))
