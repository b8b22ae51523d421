"""Power and minimum detectable effects of a paired comparison.

A replicate is an encoder (or a block of processes), `sd` the standard deviation of its paired difference.
"""

import math
from functools import cache
from typing import Literal

Direction = Literal["greater", "less", "two-sided"]
POWER = 0.9  # at which effects count as detectable


def power_of_difference(effect: float, sd: float, n: int, alpha: float, direction: Direction) -> float:
    """Return the power of a paired t test of `n` replicates, at least two, for a true effect in the tested direction.

    Both tails come from upper tails of the noncentral t distribution: SciPy's lower tail can be NaN.
    """
    from scipy.stats import nct, t

    size = effect if direction == "greater" else -effect if direction == "less" else abs(effect)
    two_sided = direction == "two-sided"
    quantile, shift = t.isf(alpha / 2 if two_sided else alpha, n - 1), size / sd * math.sqrt(n)
    other_tail = nct.sf(quantile, n - 1, -shift) if two_sided else 0.0
    return float(nct.sf(quantile, n - 1, shift) + other_tail)


def detectable_effect(sd: float, n: int, alpha: float, direction: Direction, power: float = POWER) -> float:
    """Return the smallest effect (its absolute value) that a paired t test of `n` replicates detects at `power`."""
    return sd * _detectable_size(n, alpha, "two-sided" if direction == "two-sided" else "greater", power)


@cache  # of findings with the same number of replicates
def _detectable_size(n: int, alpha: float, direction: Direction, power: float) -> float:
    """The detectable effect in standard deviations."""
    from scipy.optimize import brentq

    largest = 1.0
    while power_of_difference(largest, 1.0, n, alpha, direction) < power:
        largest *= 2
    return float(brentq(lambda size: power_of_difference(size, 1.0, n, alpha, direction) - power, 0.0, largest))


def power_of_equivalence(margin: float, sd: float, n: int, alpha: float) -> float:
    """Return the power of two one-sided t tests (TOST) within ±`margin`, for a true effect of zero.

    The two one-sided tests reject together with probability at least 2 P - 1, where P is the power of one of them. The
    bound is exact up to the dependence between the tests, which is small at high power.
    """
    return max(0.0, 2 * power_of_difference(margin, sd, n, alpha, "greater") - 1)


def detectable_margin(sd: float, n: int, alpha: float, power: float = POWER) -> float:
    """Return the smallest margin within which a TOST of `n` replicates shows equivalence at `power` for no effect."""
    return detectable_effect(sd, n, alpha, "greater", (1 + power) / 2)


def replicates_for_equivalence(margin: float, sd: float, alpha: float) -> int:
    """Return how many replicates show equivalence within ±`margin` with power POWER for no effect."""
    n = 2
    while power_of_equivalence(margin, sd, n, alpha) < POWER:
        n += 1
    return n


def overlap_factor(n: int) -> float:
    """Return the factor for the standard deviation of results of leave-one-out over `n` replicates.

    The variance of a mean over test sets is s² (1 / n + tested / learnt), and not s² / n, because the sets that were
    learnt from overlap (Nadeau and Bengio 2003, Inference for the Generalization Error).
    """
    return math.sqrt(1 + n / (n - 1))
