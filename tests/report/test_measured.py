import numpy as np
import pytest
from scipy import stats

from stilts_core.report.measured import Measured, combined, mean, of_runs

DRAW = np.random.default_rng(0)


def runs(values) -> list[dict]:
    return [{"score": float(value), "low": value - 3.0, "high": value + 3.5} for value in values]


def test_one_run_has_its_bootstrap_interval():
    assert of_runs(runs([50.0])).interval == (47.0, 53.5)
    assert of_runs(runs([50.0])).variance == pytest.approx((6.5 / (2 * stats.norm.ppf(0.975))) ** 2, rel=1e-6)


def test_several_runs_have_student_s_interval_over_seeds():
    values = DRAW.normal(50, 2, 5)
    expected = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
    assert of_runs(runs(values)).interval == pytest.approx(expected)


def test_difference_of_several_runs_is_welch_s():
    here, there = DRAW.normal(50, 2, 3), DRAW.normal(55, 4, 5)
    found = of_runs(runs(there)) - of_runs(runs(here))
    expected = stats.ttest_ind(there, here, equal_var=False).confidence_interval()
    assert found.value == pytest.approx(there.mean() - here.mean())
    assert found.interval == pytest.approx((expected.low, expected.high))


def test_difference_of_single_runs_adds_their_variances():
    found = of_runs(runs([55.0])) - of_runs(runs([50.0]))
    assert found.interval == pytest.approx((5 - 3.25 * 2**0.5, 5 + 3.25 * 2**0.5), rel=1e-6)


def test_runs_that_do_not_vary_have_an_interval_without_width():
    assert (of_runs(runs([50.0, 50.0])) - of_runs(runs([48.0, 48.0]))).interval == (2.0, 2.0)


def test_mean_of_independent_estimates_narrows_with_their_number():
    parts = [of_runs(runs([value])) for value in (40.0, 50.0, 60.0, 70.0)]
    assert mean(parts).value == 55 and mean(parts).variance == pytest.approx(parts[0].variance / 4)
    assert mean(parts).value == combined(parts, [0.25] * 4).value


@pytest.mark.parametrize("value, clear", [(3.0, True), (-3.0, True), (1.0, False), (-1.0, False)])
def test_an_interval_that_leaves_zero_out_is_clear(value, clear):
    assert Measured(value, 1.0).clear == clear
