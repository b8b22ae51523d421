"""Ratios to a peer and exponents of growth."""

import pytest

from stilts_core.bench.figures import compare_figures, fit_exponent


def test_ratio_of_speeds_is_above_one_if_ours_is_faster():
    assert compare_figures("examples_per_second", [30.0], [10.0])["ratio"]["median"] == 3.0
    assert compare_figures("seconds", [1.0], [3.0])["ratio"]["median"] == 3.0


def test_ratio_of_memory_is_ours_divided_by_the_peers():
    entry = compare_figures("peak_memory_bytes", [1.0], [4.0])
    assert entry["ratio_is"] == "ours / theirs" and entry["ratio"]["median"] == 0.25


def test_ratios_pair_the_repetitions_and_raw_figures_stay():
    ours, theirs = [8.0, 6.0, 9.0], [2.0, 6.0, 3.0]
    entry = compare_figures("tokens_per_second", ours, theirs)
    assert (entry["ours"], entry["theirs"]) == (ours, theirs)
    assert entry["ratio"] == {"min": 1.0, "median": 3.0, "max": 4.0}


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_exponent_of_a_power_is_that_power(power):
    points = [(size, 7 * size**power) for size in (2, 4, 8, 16)]
    assert fit_exponent(points) == pytest.approx(power, abs=1e-9)
