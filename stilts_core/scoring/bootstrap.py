"""Scores that keep the statistics of every item, so that a bootstrap can resample the items.

All metrics are on the scale 0 to 100, as XTREME prints them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np

from stilts_core.errors import DataError

RESAMPLES = 1000
BLOCK = 2**22  # random draws in memory together: 32 MiB

Statistic = Callable[[np.ndarray], dict[str, np.ndarray]]


@dataclass(frozen=True)
class Score:
    """The metrics of one test set, as a function of means over its items.

    `items` (n, k) holds k additive statistics of each item (correct or not; numbers of chunks). `statistic` maps their
    means (..., k) to metrics by name, each (...). A metric that is a ratio of sums, such as F1, is the same ratio of
    means. `vacuous` (n,) marks the items in which F1 has nothing to find and nothing was found.

    Raises DataError without items, because no items have no score.
    """

    items: np.ndarray
    statistic: Statistic
    vacuous: np.ndarray | None = None

    def __post_init__(self) -> None:
        if not len(self.items):
            raise DataError("no items to score; expected at least one gold label")

    @property
    def n(self) -> int:
        """The number of items, which are the sampling units of the bootstrap."""
        return len(self.items)

    @cached_property
    def metrics(self) -> dict[str, float]:
        """The metrics of the whole test set, by name."""
        return {name: float(value) for name, value in self.statistic(self.items.mean(axis=0)).items()}

    def by_item(self, metric: str) -> np.ndarray:
        """A metric of each item alone, (n,); the F1 of a vacuous item is 100, because nothing in it is wrong."""
        scores = self.statistic(np.asarray(self.items, float))[metric]
        return np.where(self.vacuous, 100.0, scores) if metric == "f1" and self.vacuous is not None else scores


@dataclass(frozen=True)
class Estimate:
    """A metric, or a mean of metrics, with its values on the resampled test sets (RESAMPLES,)."""

    score: float
    resampled: np.ndarray

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """The 95 % percentile interval, (low, high)."""
        low, high = np.percentile(self.resampled, [2.5, 97.5])
        return float(low), float(high)

    def to_dict(self) -> dict[str, float]:
        """The score and its interval, with the keys of a record."""
        return dict(zip(("score", "low", "high"), (self.score, *self.bounds), strict=True))


def bootstrap_metrics(score: Score, seed: int = 0) -> dict[str, Estimate]:
    """Every metric of a score with its bootstrap distribution.

    Test sets of equal length are resampled at the same positions under one seed. So the languages of a parallel set
    (XNLI, XQuAD) are resampled at the same items, and the interval of their mean respects that they share items.
    """
    items, counts = np.asarray(score.items, float), _resample_counts(score.n, seed)
    means = np.concatenate([counts[rows] @ items / score.n for rows in _blocks(score.n)])
    resampled = score.statistic(means)
    return {name: Estimate(value, resampled[name]) for name, value in score.metrics.items()}


@lru_cache(maxsize=1)
def _resample_counts(n: int, seed: int) -> np.ndarray:
    """The number of times that each of `n` items is in each resample, (RESAMPLES, n).

    The last result is cached, because the languages of a parallel set ask for the same counts.
    """
    rng = np.random.default_rng(seed)
    counts = np.empty((RESAMPLES, n), np.uint8)  # an item is in one resample 256 times with a chance below 1 in 256!
    for rows in _blocks(n):
        draws = rng.integers(n, size=counts[rows].shape)
        draws += np.arange(0, draws.size, n)[:, None]
        counts[rows] = np.bincount(draws.ravel(), minlength=draws.size).reshape(draws.shape)
    return counts


def _blocks(n: int) -> list[slice]:
    """The resamples in slices, each of which needs at most BLOCK draws."""
    rows = max(1, BLOCK // n)
    return [slice(start, start + rows) for start in range(0, RESAMPLES, rows)]


def average(estimates: Sequence[Estimate]) -> Estimate:
    """The unweighted mean over languages, or over tasks; its interval resamples the items within each of them."""
    return Estimate(
        sum(estimate.score for estimate in estimates) / len(estimates),
        np.mean([estimate.resampled for estimate in estimates], axis=0),
    )


def accuracy(gold: Sequence[object], predicted: Sequence[object]) -> Score:
    """The share of predictions that equal their gold label; the items are the predictions.

    Raises DataError for an item whose gold label is unknown (None).
    """
    if unknown := sum(label is None for label in gold):
        raise DataError(f"{unknown} of {len(gold)} items have no gold label; only labelled items can be scored")
    correct = [prediction == label for label, prediction in zip(gold, predicted, strict=True)]
    return Score(np.array(correct, float)[:, None], _accuracy)


def _accuracy(means: np.ndarray) -> dict[str, np.ndarray]:
    return {"accuracy": 100 * means[..., 0]}


def f1_precision_recall(correct: np.ndarray, predicted: np.ndarray, gold: np.ndarray) -> dict[str, np.ndarray]:
    """F1, precision and recall from the numbers of correct, predicted and gold items; 0 where a denominator is 0."""
    ratios = {"f1": (2 * correct, predicted + gold), "precision": (correct, predicted), "recall": (correct, gold)}
    return {name: percent(part, whole) for name, (part, whole) in ratios.items()}


def percent(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Ratios on the scale 0 to 100; 0 where `whole` is 0, and exactly 100 where both are equal."""
    return np.where((part == whole) & (whole > 0), 100.0, 100 * part / np.where(whole > 0, whole, 1))
