"""Variance components: the planted ones are found, noise is not taken for signal, reliability is what it says."""

import numpy as np
import pytest

from stilts_core.errors import StudyError
from stilts_core.studies.variance import explained_share, halve, split_components


def halves(task, language, interaction, noise, rng, shape=(3000, 6, 9)):
    count, tasks, languages = shape
    truth = rng.normal(0, task, (count, tasks, 1)) + rng.normal(0, language, (count, 1, languages))
    truth = truth + rng.normal(0, interaction, shape)
    return truth + rng.normal(0, noise, shape), truth + rng.normal(0, noise, shape)


def test_planted_components_are_estimated_without_bias():
    found = split_components(*halves(2.0, 1.0, 1.5, 2.0, np.random.default_rng(0)))
    values = (found.task, found.language, found.interaction, found.residual)
    assert values == pytest.approx((4.0, 1.0, 2.25, 4.0), rel=0.05)


def test_noise_alone_has_no_interaction_and_no_reliability():
    found = split_components(*halves(0, 0, 0, 2.0, np.random.default_rng(1)))
    assert found.interaction == pytest.approx(0, abs=0.05) and found.reliability == pytest.approx(0, abs=0.03)
    assert found.residual == pytest.approx(4.0, rel=0.05)


def test_reliability_is_the_squared_correlation_of_the_mean_with_the_truth():
    rng = np.random.default_rng(2)
    shape = (2000, 6, 9)
    truth = rng.normal(0, 1.5, shape)
    first, second = (truth + rng.normal(0, 2, shape) for _ in range(2))

    def centre(values):
        return (
            values
            - values.mean(-1, keepdims=True)
            - values.mean(-2, keepdims=True)
            + values.mean((-1, -2), keepdims=True)
        )

    correlation = np.corrcoef(centre((first + second) / 2).ravel(), centre(truth).ravel())[0, 1]
    assert split_components(first, second).reliability == pytest.approx(correlation**2, abs=0.02)


def test_halves_are_disjoint_and_whole():
    chosen = halve(7, 100)
    assert chosen.shape == (100, 7) and set(chosen.sum(axis=1)) == {3}
    assert chosen.mean(axis=0) == pytest.approx([3 / 7] * 7, abs=0.2)


def test_explained_share_is_one_for_a_line_and_small_for_noise():
    distance = np.linspace(0, 1, 16)
    effects = np.outer([1.0, -2.0, 0.5], distance) + np.array([[1.0], [2.0], [3.0]])
    assert explained_share(effects, distance) == pytest.approx(1)
    noise = np.random.default_rng(0).normal(0, 1, (200, 16))
    assert explained_share(noise, distance) == pytest.approx(1 / 15, abs=0.02)


def test_two_tasks_are_too_few():
    with pytest.raises(StudyError, match="2 tasks × 9 languages"):
        split_components(np.zeros((2, 9)), np.zeros((2, 9)))
