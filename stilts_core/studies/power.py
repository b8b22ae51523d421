"""Power, minimum detectable effects and numbers of replicates of a paired comparison.

A replicate is an encoder (or a block of processes), `sd` the standard deviation of its paired difference.
"""

import math
from functools import cache
from typing import Literal

Direction = Literal["greater", "less", "two-sided"]
POWER = 0.9  # at which effects count as detectable


def power_of_difference(effect: float, sd: float, n: int, alpha: float, direction: Direction) -> float:
    """Return the power of a paired t test for a true effect in the tested direction (statsmodels `TTestPower`)."""
    from statsmodels.stats.power import TTestPower

    size = effect if direction == "greater" else -effect if direction == "less" else abs(effect)
    return float(TTestPower().power(size / sd, n, alpha, alternative=_alternative(direction)))


def detectable_effect(sd: float, n: int, alpha: float, direction: Direction, power: float = POWER) -> float:
    """Return the smallest effect (its absolute value) that a paired t test of `n` replicates detects at `power`."""
    return sd * _detectable_size(n, alpha, _alternative(direction), power)


@cache  # of findings with the same number of replicates
def _detectable_size(n: int, alpha: float, alternative: str, power: float) -> float:
    """The detectable effect in standard deviations."""
    from statsmodels.stats.power import TTestPower

    return float(TTestPower().solve_power(nobs=n, alpha=alpha, power=power, alternative=alternative))


def replicates_for_difference(effect: float, sd: float, alpha: float, direction: Direction) -> int:
    """Return how many replicates detect `effect` (its absolute value) with power POWER."""
    from statsmodels.stats.power import TTestPower

    solve = TTestPower().solve_power
    n = solve(abs(effect) / sd, alpha=alpha, power=POWER, alternative=_alternative(direction))
    return math.ceil(float(n))


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
    from statsmodels.stats.power import TTestPower

    n = TTestPower().solve_power(margin / sd, alpha=alpha, power=(1 + POWER) / 2, alternative="larger")
    return math.ceil(float(n))


def overlap_factor(n: int) -> float:
    """Return the factor for the standard deviation of results of leave-one-out over `n` replicates.

    The variance of a mean over test sets is s² (1 / n + tested / learnt), and not s² / n, because the sets that were
    learnt from overlap (Nadeau and Bengio 2003, Inference for the Generalization Error).
    """
    return math.sqrt(1 + n / (n - 1))


def _alternative(direction: Direction) -> str:
    # Effects in the direction `less` are turned round before they come here.
    return "two-sided" if direction == "two-sided" else "larger"
