"""The bootstrap against its definition: plain resampling, coverage, and means of several test sets."""

import numpy as np
import pytest

from stilts_core.errors import DataError
from stilts_core.scoring import bootstrap
from stilts_core.scoring.bootstrap import (
    RESAMPLES,
    Score,
    accuracy,
    average,
    bootstrap_metrics,
    f1_precision_recall,
)


def chunk_f1(means: np.ndarray) -> dict[str, np.ndarray]:
    return f1_precision_recall(*np.moveaxis(means, -1, 0))


def coin_flips(rng: np.random.Generator, n: int, share: float) -> Score:
    return accuracy([True] * n, list(rng.random(n) < share))


def accuracy_bounds(score: Score, seed: int = 0) -> tuple[float, float]:
    return bootstrap_metrics(score, seed)["accuracy"].bounds


def test_metrics_of_a_score_are_over_all_items():
    assert accuracy(["a", "b", "c", "a"], ["a", "c", "c", "b"]).metrics == {"accuracy": 50.0}


def test_f1_is_zero_if_nothing_is_right_or_predicted():
    assert chunk_f1(np.zeros(3)) == {"f1": 0, "precision": 0, "recall": 0}
    assert chunk_f1(np.array([0.0, 2.0, 3.0])) == {"f1": 0, "precision": 0, "recall": 0}


def test_resamples_in_blocks_equal_plain_resampling_of_items(monkeypatch):
    rng = np.random.default_rng(1)
    items = rng.integers(0, 4, (37, 3)).astype(float)
    items[:, 0] = np.minimum(items[:, 0], items[:, 1:].min(axis=1))
    resamples = np.random.default_rng(0).integers(37, size=(RESAMPLES, 37))
    plain = [chunk_f1(items[rows].mean(axis=0))["f1"] for rows in resamples]
    for block in (1, 100, 2**22):
        monkeypatch.setattr(bootstrap, "BLOCK", block)
        bootstrap._resample_counts.cache_clear()
        np.testing.assert_allclose(bootstrap_metrics(Score(items, chunk_f1))["f1"].resampled, plain)


def test_interval_covers_the_true_value_in_95_percent_of_samples():
    rng = np.random.default_rng(2)
    bounds = [accuracy_bounds(coin_flips(rng, 200, 0.7)) for _ in range(300)]
    covered = np.mean([low <= 70 <= high for low, high in bounds])
    assert 0.91 <= covered <= 0.99


def test_interval_has_the_width_of_the_binomial_interval():
    rng = np.random.default_rng(3)
    for n in (100, 10_000):
        low, high = accuracy_bounds(coin_flips(rng, n, 0.5))
        assert high - low == pytest.approx(2 * 1.96 * 50 / np.sqrt(n), rel=0.15)


def test_interval_depends_on_the_seed_only():
    score = coin_flips(np.random.default_rng(4), 500, 0.6)
    assert accuracy_bounds(score, seed=1) == accuracy_bounds(score, seed=1) != accuracy_bounds(score, seed=2)


def test_mean_of_independent_sets_has_a_narrower_interval_and_mean_of_equal_sets_has_not():
    rng = np.random.default_rng(5)
    sets = [bootstrap_metrics(coin_flips(rng, n, 0.5))["accuracy"] for n in (400, 400, 400, 400)]
    mean_width, same_width, width = (
        estimate.bounds[1] - estimate.bounds[0] for estimate in (average(sets), average(sets[:1] * 4), sets[0])
    )
    assert mean_width == pytest.approx(width / 2, rel=0.2)
    assert same_width == width


def test_average_is_the_unweighted_mean_for_any_sizes():
    rng = np.random.default_rng(6)
    sets = [bootstrap_metrics(coin_flips(rng, n, 0.5))["accuracy"] for n in (10, 1000)]
    assert average(sets).score == np.mean([estimate.score for estimate in sets])


def test_perfect_f1_is_exactly_100_for_every_mean():
    means = np.arange(1, 2000) / 1999 / 3
    assert set(np.concatenate([*f1_precision_recall(means, means, means).values()])) == {100}


@pytest.mark.parametrize("items", [np.empty((0, 1)), []])
def test_score_without_items_is_an_error(items):
    with pytest.raises(DataError, match="no items to score"):
        Score(items, lambda means: {"accuracy": means[..., 0]})


@pytest.mark.parametrize("gold", [[None, 1], [None]])
def test_accuracy_against_unknown_labels_is_an_error(gold):
    with pytest.raises(DataError, match=f"1 of {len(gold)} items have no gold label"):
        accuracy(gold, gold)
