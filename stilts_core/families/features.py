"""Features: the token ids of many examples, in columns."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import DTypeLike

IGNORE = -100  # a target that the loss ignores (PyTorch's default)

Integers = Sequence[int] | np.ndarray


@dataclass
class Truncation:
    """How much of the inputs did not fit into the longest sequence. The field names are keys of a run's record.

    `inputs` counts all inputs, `cut` the inputs that lost sub-words, `split` the inputs that became several sequences,
    and `tokens_lost` the lost sub-words.
    """

    inputs: int = 0
    cut: int = 0
    split: int = 0
    tokens_lost: int = 0

    def shorten(self, pieces: list[int], room: int) -> list[int]:
        """The first `room` pieces; the lost ones are counted."""
        if len(pieces) > room:
            self.count_loss(len(pieces) - room)
        return pieces[:room]

    def count_loss(self, tokens: int) -> None:
        """Count one input that lost this many sub-words."""
        self.cut += 1
        self.tokens_lost += tokens

    def count_input(self, parts: "Truncation") -> None:
        """Count one input whose parts (choices, words) were counted in `parts`: it was cut if any of them was."""
        self.cut += parts.cut > 0
        self.tokens_lost += parts.tokens_lost


@dataclass
class Features:
    """The token ids of many examples, in columns.

    A feature is what the loss counts once: one sequence for a sentence pair, and as many sequences as there are choices
    for multiple choice. All sequences lie in one column, one after the other: sequence `s` is
    `ids[starts[s]:starts[s + 1]]`. Feature `f` owns the sequences `first[f]` to `first[f + 1]` (exclusive). It was made
    from example `example[f]`.

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
    truncation: Truncation = field(default_factory=Truncation)

    def __len__(self) -> int:
        return len(self.example)

    @cached_property
    def lengths(self) -> np.ndarray:
        """(features,) number of sub-words in the longest sequence of each feature."""
        return np.maximum.reduceat(np.diff(self.starts), self.first[:-1]) if len(self) else np.zeros(0, np.int64)

    def digest(self) -> str:
        """The SHA-256 of everything that a model can see of these features."""
        digest = hashlib.sha256()
        columns = {"ids": self.ids, "types": self.types, "starts": self.starts, "first": self.first}
        for name, column in (columns | self.token_targets | self.targets).items():
            digest.update(f"{name} {column.dtype} {column.shape}".encode())
            digest.update(np.ascontiguousarray(column).data)
        return digest.hexdigest()


def build_features(
    sequences: Sequence[tuple[Integers, Integers]],
    *,
    example: Integers | None = None,
    sequence_counts: Integers | None = None,
    token_targets: Mapping[str, Iterable[Integers]] | None = None,
    targets: Mapping[str, Integers] | None = None,
    truncation: Truncation | None = None,
) -> Features:
    """Features from Python lists.

    `sequences` holds (ids, types) pairs in order. `sequence_counts[f]` is the number of sequences that feature `f` owns
    (default: one each). `example[f]` is the example that it was made from (default: `f`). `token_targets` maps a name
    to one list a sequence, `targets` maps a name to one value a feature.
    """
    lengths = np.fromiter((len(ids) for ids, _ in sequences), np.int64, len(sequences))
    counts = np.ones(len(sequences), np.int64) if sequence_counts is None else np.asarray(sequence_counts, np.int64)
    return Features(
        ids=_concatenate((ids for ids, _ in sequences), np.int32),
        types=_concatenate((types for _, types in sequences), np.uint8),
        starts=_boundaries(lengths),
        first=_boundaries(counts),
        example=np.arange(len(counts)) if example is None else np.asarray(example, np.int64),
        token_targets={name: _concatenate(rows, np.int32) for name, rows in (token_targets or {}).items()},
        targets={name: np.asarray(values) for name, values in (targets or {}).items()},
        truncation=truncation or Truncation(inputs=len(counts)),
    )


def _concatenate(rows: Iterable[Integers], dtype: DTypeLike) -> np.ndarray:
    arrays = [np.asarray(row, dtype) for row in rows]
    return np.concatenate(arrays) if arrays else np.zeros(0, dtype)


def _boundaries(lengths: np.ndarray) -> np.ndarray:
    return np.concatenate([[0], np.cumsum(lengths)])


def used_ids(*features: Features) -> np.ndarray:
    """The distinct sub-word ids of all the features, ascending."""
    return np.unique(np.concatenate([np.unique(columns.ids) for columns in features]))
