"""The bootstrap against its definition: resampled by hand, its coverage, and means of several test sets."""

import numpy as np
import pytest

from stilts_core import intervals
from stilts_core.intervals import RESAMPLES, Score, accuracy, average, estimates, f1_precision_recall, interval


def chunk_f1(means):
    return f1_precision_recall(*np.moveaxis(means, -1, 0))


def coin(rng, n: int, share: float) -> Score:
    return accuracy([True] * n, list(rng.random(n) < share))


def test_metrics_of_a_score_are_those_of_all_items():
    assert accuracy(["a", "b", "c", "a"], ["a", "c", "c", "b"]).metrics == {"accuracy": 50.0}


def test_f1_is_zero_and_not_undefined_where_nothing_is_right_or_predicted():
    assert chunk_f1(np.zeros(3)) == {"f1": 0, "precision": 0, "recall": 0}
    assert chunk_f1(np.array([0.0, 2.0, 3.0])) == {"f1": 0, "precision": 0, "recall": 0}


def test_resamples_in_blocks_equal_plain_resampling_of_items(monkeypatch):
    rng = np.random.default_rng(1)
    items = rng.integers(0, 4, (37, 3)).astype(float)
    items[:, 0] = np.minimum(items[:, 0], items[:, 1:].min(axis=1))
    drawn = np.random.default_rng(0).integers(37, size=(RESAMPLES, 37))
    plain = [chunk_f1(items[rows].mean(axis=0))["f1"] for rows in drawn]
    for block in (1, 100, 2**22):
        monkeypatch.setattr(intervals, "BLOCK", block)
        intervals._counts.cache_clear()
        np.testing.assert_allclose(estimates(Score(items, chunk_f1))["f1"].resampled, plain)


def test_interval_covers_the_true_value_about_95_times_of_100():
    rng = np.random.default_rng(2)
    bounds = [interval(coin(rng, 200, 0.7), "accuracy") for _ in range(300)]
    covered = np.mean([low <= 70 <= high for low, high in bounds])
    assert 0.91 <= covered <= 0.99


def test_interval_is_as_wide_as_the_binomial_says_and_shrinks_with_n():
    rng = np.random.default_rng(3)
    for n in (100, 10_000):
        low, high = interval(coin(rng, n, 0.5), "accuracy")
        assert high - low == pytest.approx(2 * 1.96 * 50 / np.sqrt(n), rel=0.15)


def test_interval_follows_from_the_seed_alone():
    score = coin(np.random.default_rng(4), 500, 0.6)
    assert interval(score, "accuracy", seed=1) == interval(score, "accuracy", seed=1)
    assert interval(score, "accuracy", seed=1) != interval(score, "accuracy", seed=2)


def test_mean_of_unrelated_sets_is_surer_than_each_and_mean_of_one_set_twice_is_not():
    rng = np.random.default_rng(5)
    parts = [estimates(coin(rng, n, 0.5))["accuracy"] for n in (400, 400, 400, 400)]
    width = [part.bounds[1] - part.bounds[0] for part in (average(parts), average(parts[:1] * 4), parts[0])]
    assert width[0] == pytest.approx(width[2] / 2, rel=0.2)
    assert width[1] == width[2]


def test_average_is_the_unweighted_mean_whatever_the_sizes():
    rng = np.random.default_rng(6)
    parts = [estimates(coin(rng, n, 0.5))["accuracy"] for n in (10, 1000)]
    assert average(parts).score == np.mean([part.score for part in parts])
