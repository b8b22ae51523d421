"""Pairing by seed and encoder, against scipy's paired t test and plain arithmetic."""

import numpy as np
import pytest
from scipy import stats

from stilts_core.report.analysis.measurement import Measurement
from stilts_core.report.analysis.replicates import average_parts, compare, subtract_pairs, summarise

GENERATOR = np.random.default_rng(0)


def replicates(values, encoder: str = "lab", first: int = 0) -> dict:
    return {(seed, encoder): Measurement(float(value), 1.0) for seed, value in enumerate(values, first)}


def test_difference_has_the_interval_and_p_value_of_the_paired_t_test():
    base, better = GENERATOR.normal(50, 2, 6), GENERATOR.normal(53, 4, 6)
    difference = compare(subtract_pairs(replicates(better), replicates(base)))
    expected = stats.ttest_rel(better, base)
    bounds = expected.confidence_interval()
    assert difference.value == pytest.approx((better - base).mean())
    assert difference.interval == pytest.approx((bounds.low, bounds.high))
    assert difference.p == pytest.approx(expected.pvalue)


def test_an_effect_of_the_seed_that_both_sides_share_changes_nothing():
    base, better, shared = GENERATOR.normal(50, 2, 5), GENERATOR.normal(53, 2, 5), GENERATOR.normal(0, 100, 5)
    plain = compare(subtract_pairs(replicates(better), replicates(base)))
    shifted = compare(subtract_pairs(replicates(better + shared), replicates(base + shared)))
    assert (shifted.value, *shifted.interval, shifted.p) == pytest.approx((plain.value, *plain.interval, plain.p))


def test_runs_without_a_partner_do_not_count():
    base, better = [50.0, 51.0, 49.0], [53.0, 55.0, 51.0]
    pairs = subtract_pairs(replicates(better), replicates(base))
    assert subtract_pairs(replicates([*better, 99.0]), replicates(base) | replicates([0.0], first=7)) == pairs
    assert subtract_pairs(replicates(better), replicates(base, encoder="lab-1")) == {}
    assert compare({}) is None and summarise({}) is None


def test_one_pair_keeps_its_interval_over_items_and_has_no_p_value():
    difference = compare(subtract_pairs(replicates([55.0]), replicates([50.0])))
    assert difference == Measurement(5.0, 2.0)


@pytest.mark.parametrize("values", [[2.0, 2.0, 2.0], [0.0, 0.0]])
def test_equal_differences_have_no_p_value(values):
    difference = compare(replicates(values))
    assert difference.p is None and difference.interval == (values[0], values[0])


def test_several_runs_have_students_interval_over_seeds():
    values = GENERATOR.normal(50, 2, 5)
    expected = stats.t.interval(0.95, 4, values.mean(), stats.sem(values))
    assert summarise(replicates(values)).interval == pytest.approx(expected)
    assert compare(replicates(values)).interval == pytest.approx(expected)


def test_several_encoders_are_the_replicates_and_their_seeds_are_averaged():
    values = GENERATOR.normal(3, 1, (3, 4))
    difference = compare(
        {key: value for row in range(3) for key, value in replicates(values[row], f"lab-{row}").items()}
    )
    expected = stats.ttest_1samp(values.mean(axis=1), 0.0)
    bounds = expected.confidence_interval()
    assert difference.interval == pytest.approx((bounds.low, bounds.high))
    assert difference.p == pytest.approx(expected.pvalue)


def test_mean_over_targets_is_taken_within_each_seed():
    """An effect that moves all targets of a seed together must widen the interval of their mean."""
    seeds, noise = GENERATOR.normal(2, 3, 5), GENERATOR.normal(0, 0.1, (9, 5))
    average = compare(average_parts([replicates(seeds + part) for part in noise]))
    expected = stats.ttest_1samp(seeds + noise.mean(axis=0), 0.0).confidence_interval()
    assert average.interval == pytest.approx((expected.low, expected.high))


def test_mean_over_targets_has_the_seeds_that_all_of_them_have():
    average = average_parts([replicates([1.0, 2.0, 3.0]), replicates([5.0, 7.0], first=1)])
    assert {key: value.value for key, value in average.items()} == {(1, "lab"): 3.5, (2, "lab"): 5.0}
    assert average_parts([]) == {}
