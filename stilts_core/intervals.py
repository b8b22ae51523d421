"""Scores with what their uncertainty takes: statistics of every item, which the bootstrap draws again.

All metrics are on the scale 0 to 100, as XTREME prints them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

RESAMPLES = 1000
BLOCK = 2**22  # draws at a time: 32 MiB

Statistic = Callable[[np.ndarray], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Score:
    """The metrics of one test set, as a function of means over its items.

    `items` (n, k) holds k statistics of each item that add up over items (correct; found, predicted and right chunks).
    `statistic` maps their means (..., k) to metrics by name, each (...). A metric that is a ratio of sums, such as F1,
    is the same ratio of means.
    """

    items: np.ndarray
    statistic: Statistic

    @property
    def n(self) -> int:
        """How many items there are: the unit that the bootstrap draws."""
        return len(self.items)

    @cached_property
    def metrics(self) -> dict[str, float]:
        return {name: float(value) for name, value in self.statistic(self.items.mean(axis=0)).items()}


@dataclass(frozen=True)
class Estimate:
    """A metric, or a mean of metrics, with its values on the resampled test sets (RESAMPLES,)."""

    score: float
    resampled: np.ndarray

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """The 95 % percentile interval."""
        low, high = np.percentile(self.resampled, [2.5, 97.5])
        return float(low), float(high)

    def to_dict(self) -> dict[str, float]:
        return dict(zip(("score", "low", "high"), (self.score, *self.bounds), strict=True))


def estimates(score: Score, seed: int = 0) -> dict[str, Estimate]:
    """Every metric of a score with its bootstrap distribution.

    Test sets of equal length draw the same positions under one seed. So the languages of a parallel set (XNLI, XQuAD)
    draw the same items, and an interval of their mean counts what they share.
    """
    items, counts = np.asarray(score.items, float), _counts(score.n, seed)
    means = np.concatenate([counts[rows] @ items / score.n for rows in _blocks(score.n)])
    resampled = score.statistic(means)
    return {name: Estimate(value, resampled[name]) for name, value in score.metrics.items()}


@lru_cache(maxsize=1)
def _counts(n: int, seed: int) -> np.ndarray:
    """How often each of `n` items is in each resample, (RESAMPLES, n); the sets of parallel languages share it."""
    rng = np.random.default_rng(seed)
    counts = np.empty((RESAMPLES, n), np.uint8)  # none comes near 256 of them: the chance is 1 in 256!
    for rows in _blocks(n):
        drawn = rng.integers(n, size=counts[rows].shape)
        drawn += np.arange(0, drawn.size, n)[:, None]
        counts[rows] = np.bincount(drawn.ravel(), minlength=drawn.size).reshape(drawn.shape)
    return counts


def _blocks(n: int) -> list[slice]:
    """The resamples that are worked on together."""
    rows = max(1, BLOCK // n)
    return [slice(start, start + rows) for start in range(0, RESAMPLES, rows)]


def interval(score: Score, metric: str, seed: int = 0) -> tuple[float, float]:
    """The 95 % bootstrap interval of one metric: (low, high)."""
    return estimates(score, seed)[metric].bounds


def average(parts: Sequence[Estimate]) -> Estimate:
    """The unweighted mean of languages, or of tasks; its interval resamples the items within each of them."""
    return Estimate(sum(part.score for part in parts) / len(parts), np.mean([part.resampled for part in parts], axis=0))


def accuracy(gold: Sequence, predicted: Sequence) -> Score:
    """How many predictions equal their gold label."""
    right = [answer == label for label, answer in zip(gold, predicted, strict=True)]
    return Score(np.array(right, float)[:, None], _accuracy)


def _accuracy(means: np.ndarray) -> dict[str, np.ndarray]:
    return {"accuracy": 100 * means[..., 0]}


def f1_precision_recall(right: np.ndarray, predicted: np.ndarray, gold: np.ndarray) -> dict[str, np.ndarray]:
    """F1, precision and recall from how many are right, predicted and in the gold standard; 0 where nothing is."""
    counts = {"f1": (2 * right, predicted + gold), "precision": (right, predicted), "recall": (right, gold)}
    return {name: 100 * part / np.where(whole > 0, whole, 1) for name, (part, whole) in counts.items()}
