from collections.abc import Iterable

import numpy as np
import pytest
from scipy import stats

from stilts_core.report.analysis.measurement import Measurement, mean, measure_runs, weighted_sum
from stilts_core.runs.record import Interval

GENERATOR = np.random.default_rng(0)


def intervals(values: Iterable[float]) -> list[Interval]:
    return [Interval(score=float(value), low=value - 3.0, high=value + 3.5) for value in values]


def test_one_run_has_its_bootstrap_interval():
    measurement = measure_runs(intervals([50.0]))
    assert measurement.interval == (47.0, 53.5)
    assert measurement.variance == pytest.approx((6.5 / (2 * stats.norm.ppf(0.975))) ** 2, rel=1e-6)


def test_several_runs_have_students_interval_over_seeds():
    values = GENERATOR.normal(50, 2, 5)
    expected = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
    assert measure_runs(intervals(values)).interval == pytest.approx(expected)


def test_difference_of_several_runs_has_welchs_interval():
    base, better = GENERATOR.normal(50, 2, 3), GENERATOR.normal(55, 4, 5)
    difference = measure_runs(intervals(better)) - measure_runs(intervals(base))
    expected = stats.ttest_ind(better, base, equal_var=False).confidence_interval()
    assert difference.value == pytest.approx(better.mean() - base.mean())
    assert difference.interval == pytest.approx((expected.low, expected.high))


def test_difference_of_single_runs_adds_their_variances():
    difference = measure_runs(intervals([55.0])) - measure_runs(intervals([50.0]))
    assert difference.interval == pytest.approx((5 - 3.25 * 2**0.5, 5 + 3.25 * 2**0.5), rel=1e-6)


def test_equal_scores_of_several_runs_have_an_interval_without_width():
    difference = measure_runs(intervals([50.0, 50.0])) - measure_runs(intervals([48.0, 48.0]))
    assert difference.interval == (2.0, 2.0)


def test_variance_of_a_mean_falls_with_the_number_of_estimates():
    estimates = [measure_runs(intervals([value])) for value in (40.0, 50.0, 60.0, 70.0)]
    average = mean(estimates)
    assert average.value == 55 and average.variance == pytest.approx(estimates[0].variance / 4)
    assert average.value == weighted_sum(estimates, [0.25] * 4).value


@pytest.mark.parametrize("value, excludes_zero", [(3.0, True), (-3.0, True), (1.0, False), (-1.0, False)])
def test_interval_excludes_zero_if_zero_lies_outside(value, excludes_zero):
    assert Measurement(value, 1.0).excludes_zero == excludes_zero
