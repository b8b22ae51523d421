"""A number with its uncertainty: of one run that of its test items, of several runs that of their seeds."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, sqrt

from scipy.special import stdtrit

NORMAL = 1.959964  # the normal distribution's 97.5th percentile
LEVEL = 0.975  # of a two-sided 95 % interval


@dataclass(frozen=True)
class Measured:
    """An estimate with its variance and the degrees of freedom that the variance was estimated with.

    `bounds` is a 95 % interval that is known better than from the variance: the bootstrap's percentiles.
    """

    value: float
    variance: float
    freedom: float = inf
    bounds: tuple[float, float] | None = None

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval."""
        if self.bounds:
            return self.bounds
        quantile = NORMAL if self.freedom == inf else float(stdtrit(self.freedom, LEVEL))
        half = quantile * sqrt(self.variance)
        return self.value - half, self.value + half

    @property
    def clear(self) -> bool:
        """Whether the interval leaves zero out."""
        low, high = self.interval
        return low > 0 or high < 0

    def __sub__(self, other: "Measured") -> "Measured":
        return combined([self, other], [1, -1])


def of_runs(scores: Sequence[dict]) -> Measured:
    """The mean over runs that differ in their seed, from their `score`, `low` and `high`.

    The uncertainty of one run is its bootstrap's; that of several is the spread of their scores, which holds for other
    seeds and these test items.
    """
    values = [score["score"] for score in scores]
    count, mean = len(values), sum(values) / len(values)
    if count == 1:
        low, high = scores[0]["low"], scores[0]["high"]
        return Measured(mean, ((high - low) / (2 * NORMAL)) ** 2, bounds=(low, high))
    return Measured(mean, sum((value - mean) ** 2 for value in values) / (count - 1) / count, count - 1)


def combined(parts: Sequence[Measured], weights: Sequence[float]) -> Measured:
    """The weighted sum of independent estimates, its degrees of freedom by Welch and Satterthwaite."""
    variances = [weight**2 * part.variance for part, weight in zip(parts, weights, strict=True)]
    variance = sum(variances)
    spread = sum(own**2 / part.freedom for part, own in zip(parts, variances, strict=True))
    value = sum(weight * part.value for part, weight in zip(parts, weights, strict=True))
    return Measured(value, variance, variance**2 / spread if spread else inf)


def mean(parts: Sequence[Measured]) -> Measured:
    """The unweighted mean of independent estimates."""
    return combined(parts, [1 / len(parts)] * len(parts))
