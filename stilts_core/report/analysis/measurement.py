"""Measurements: numbers with their uncertainty over test items (one run) or over replicates (several runs)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt
from typing import Protocol

from scipy.special import stdtrit

QUANTILE = 0.975  # a two-sided 95 % interval ends here
NORMAL_QUANTILE = 1.959964  # the standard normal distribution's value there


class BoundedScore(Protocol):
    """A score with its 95 % bootstrap interval over test items."""

    @property
    def score(self) -> float: ...
    @property
    def low(self) -> float: ...
    @property
    def high(self) -> float: ...


@dataclass(frozen=True)
class Measurement:
    """An estimate, its variance, and the degrees of freedom with which the variance was estimated.

    `bootstrap_interval` is the 95 % percentile interval of a single run. It replaces the interval that the variance
    gives, because it need not be symmetric. `p` is the p value of no difference over replicates; None where the
    replicates show no spread, as where there is only one.
    """

    value: float
    variance: float
    degrees_of_freedom: float = inf
    bootstrap_interval: tuple[float, float] | None = None
    p: float | None = None

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval."""
        if self.bootstrap_interval:
            return self.bootstrap_interval
        normal = self.degrees_of_freedom == inf
        quantile = NORMAL_QUANTILE if normal else float(stdtrit(self.degrees_of_freedom, QUANTILE))
        half_width = quantile * sqrt(self.variance)
        return self.value - half_width, self.value + half_width

    def __sub__(self, other: "Measurement") -> "Measurement":
        """The difference of two runs, whose uncertainty over test items is taken as independent."""
        return Measurement(self.value - other.value, self.variance + other.variance)


def measure_run(score: BoundedScore) -> Measurement:
    """The score of one run, with the uncertainty of its bootstrap over test items."""
    return Measurement(
        score.score,
        ((score.high - score.low) / (2 * NORMAL_QUANTILE)) ** 2,
        bootstrap_interval=(score.low, score.high),
    )


def average_items(estimates: Sequence[Measurement]) -> Measurement:
    """The unweighted mean of estimates on different test items. A single estimate is returned unchanged."""
    if len(estimates) == 1:
        return estimates[0]
    count = len(estimates)
    value = sum(estimate.value for estimate in estimates) / count
    return Measurement(value, sum(estimate.variance for estimate in estimates) / count**2)
