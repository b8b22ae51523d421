from collections.abc import Iterable

import pytest
from scipy import stats

from stilts_core.report.analysis.measurement import average_items, measure_run
from stilts_core.runs.record import Interval


def intervals(values: Iterable[float]) -> list[Interval]:
    return [Interval(score=float(value), low=value - 3.0, high=value + 3.5) for value in values]


def test_one_run_has_its_bootstrap_interval():
    (measurement,) = map(measure_run, intervals([50.0]))
    assert measurement.interval == (47.0, 53.5) and measurement.p is None
    assert measurement.variance == pytest.approx((6.5 / (2 * stats.norm.ppf(0.975))) ** 2, rel=1e-6)


def test_difference_of_two_runs_adds_their_variances():
    better, base = map(measure_run, intervals([55.0, 50.0]))
    difference = better - base
    assert difference.interval == pytest.approx((5 - 3.25 * 2**0.5, 5 + 3.25 * 2**0.5), rel=1e-6)
    assert difference.p is None


def test_variance_of_a_mean_falls_with_the_number_of_estimates():
    estimates = list(map(measure_run, intervals([40.0, 50.0, 60.0, 70.0])))
    average = average_items(estimates)
    assert average.value == 55 and average.variance == pytest.approx(estimates[0].variance / 4)
    assert average_items(estimates[:1]) == estimates[0]
