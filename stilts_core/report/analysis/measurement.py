"""Measurements: numbers with their uncertainty over test items (one run) or over seeds (several runs)."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

from scipy.special import stdtrit

from stilts_core.runs.record import Interval

QUANTILE = 0.975  # a two-sided 95 % interval ends here
NORMAL_QUANTILE = 1.959964  # the standard normal distribution's value there


@dataclass(frozen=True)
class Measurement:
    """An estimate, its variance, and the degrees of freedom with which the variance was estimated.

    `bootstrap_interval` is the 95 % percentile interval of a single run. It replaces the interval that the variance
    gives, because it need not be symmetric.
    """

    value: float
    variance: float
    degrees_of_freedom: float = inf
    bootstrap_interval: tuple[float, float] | None = None

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval."""
        if self.bootstrap_interval:
            return self.bootstrap_interval
        normal = self.degrees_of_freedom == inf
        quantile = NORMAL_QUANTILE if normal else float(stdtrit(self.degrees_of_freedom, QUANTILE))
        half_width = quantile * sqrt(self.variance)
        return self.value - half_width, self.value + half_width

    @property
    def excludes_zero(self) -> bool:
        """Whether zero lies outside the 95 % interval."""
        low, high = self.interval
        return low > 0 or high < 0

    def __sub__(self, other: "Measurement") -> "Measurement":
        return weighted_sum([self, other], [1, -1])


def measure_runs(scores: Sequence[Interval]) -> Measurement:
    """Estimate the mean score of runs that differ only in their seed.

    The uncertainty of one run is that of its bootstrap over test items. The uncertainty of several runs is the spread
    of their scores: it holds for other seeds, but only for these test items.
    """
    values = [score.score for score in scores]
    count, average = len(values), sum(values) / len(values)
    if count == 1:
        low, high = scores[0].low, scores[0].high
        return Measurement(average, ((high - low) / (2 * NORMAL_QUANTILE)) ** 2, bootstrap_interval=(low, high))
    variance_of_mean = sum((value - average) ** 2 for value in values) / (count - 1) / count
    return Measurement(average, variance_of_mean, count - 1)


def weighted_sum(estimates: Sequence[Measurement], weights: Sequence[float]) -> Measurement:
    """The weighted sum of independent estimates, with Welch and Satterthwaite's degrees of freedom."""
    pairs = list(zip(estimates, weights, strict=True))
    value = sum(weight * estimate.value for estimate, weight in pairs)
    variances = [weight**2 * estimate.variance for estimate, weight in pairs]
    variance = sum(variances)
    spread = sum(term**2 / estimate.degrees_of_freedom for estimate, term in zip(estimates, variances, strict=True))
    return Measurement(value, variance, variance**2 / spread if spread else inf)


def mean(estimates: Sequence[Measurement]) -> Measurement:
    """The unweighted mean of independent estimates."""
    return weighted_sum(estimates, [1 / len(estimates)] * len(estimates))
