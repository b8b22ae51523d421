"""Inference: closed forms and other implementations agree, and intervals cover what they promise."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from study_fixture import Simulation, invented, rejection_bounds

from stilts_core.errors import StudyError
from stilts_core.studies.differences import pair_runs
from stilts_core.studies.inference import (
    adjust,
    compare_equivalence,
    compare_means,
    expanded_interval,
    fit_mixed_model,
    hierarchical_bootstrap,
)
from stilts_core.studies.power import (
    detectable_effect,
    detectable_margin,
    power_of_difference,
    power_of_equivalence,
)

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("direction", ["greater", "less", "two-sided"])
def test_difference_is_students_paired_test(direction):
    treatment, control = RNG.normal(1, 2, (2, 9))
    effect = compare_means(treatment - control, direction)
    expected = stats.ttest_rel(treatment, control, alternative=direction)
    assert effect.p == pytest.approx(expected.pvalue)
    two_sided = stats.ttest_rel(treatment, control).confidence_interval(0.95)
    assert (effect.low, effect.high) == pytest.approx((two_sided.low, two_sided.high))


def test_equivalence_is_two_one_sided_tests_and_its_interval_agrees():
    treatment, control = RNG.normal(0, 1, (2, 15))
    difference = treatment - control
    for margin in (0.2, 1.0, 3.0):
        effect = compare_equivalence(treatment, control, margin)
        lower = stats.ttest_1samp(difference, -margin, alternative="greater").pvalue
        upper = stats.ttest_1samp(difference, margin, alternative="less").pvalue
        assert effect.p == pytest.approx(max(lower, upper))
        assert (effect.p < 0.05) == (-margin < effect.low and effect.high < margin)


@pytest.mark.parametrize(
    ("value", "direction", "p"),
    [(0, "two-sided", 1), (1, "two-sided", 0), (1, "greater", 0), (1, "less", 1), (-1, "less", 0)],
)
def test_constant_differences_have_a_certain_p_value(value, direction, p):
    assert compare_means(np.full(5, float(value)), direction).p == p


def test_one_replicate_is_refused():
    with pytest.raises(StudyError, match="1 replicate cannot show a spread"):
        compare_means(np.array([1.0]))


def plain_holm(p):
    order, adjusted, running = np.argsort(p), np.empty(len(p)), 0.0
    for rank, place in enumerate(order):
        running = max(running, min(1.0, (len(p) - rank) * p[place]))
        adjusted[place] = running
    return adjusted


def test_holm_agrees_with_its_plain_definition_and_benjamini_hochberg_with_scipy():
    p = RNG.uniform(0, 0.2, 9)
    assert adjust(p) == pytest.approx(plain_holm(p))
    assert adjust(p, "fdr_bh") == pytest.approx(stats.false_discovery_control(p))
    assert adjust([]) == [] and adjust([0.3]) == [0.3]


@pytest.mark.parametrize("n", [2, 3, 12, 40])
@pytest.mark.parametrize("family", [1, 10])
def test_power_solves_back_to_the_effect(n, family):
    alpha = 0.05 / family
    for direction in ("greater", "less", "two-sided"):
        effect = detectable_effect(1.5, n, alpha, direction)
        signed = -effect if direction == "less" else effect
        assert power_of_difference(signed, 1.5, n, alpha, direction) == pytest.approx(0.9, abs=1e-6)
    margin = detectable_margin(1.5, n, alpha)
    assert power_of_equivalence(margin, 1.5, n, alpha) == pytest.approx(0.9, abs=1e-6)


@pytest.mark.parametrize("n", [2, 3, 4, 5, 8])
@pytest.mark.parametrize("family", [1, 3, 5, 10])
@pytest.mark.parametrize("direction", ["greater", "two-sided"])
def test_detectable_effect_is_detected_in_nine_of_ten_simulated_studies(n, family, direction):
    alpha = 0.05 / family
    draws = np.random.default_rng(n).normal(detectable_effect(1.0, n, alpha, direction), 1.0, (20_000, n))
    p = stats.ttest_1samp(draws, 0.0, axis=1, alternative=direction).pvalue
    assert np.mean(p < alpha) == pytest.approx(0.9, abs=0.01)


def test_power_is_a_probability_for_any_effect():
    for n in range(2, 41):
        for effect in (0.0, 0.01, 0.5, 2.0, 100.0, -0.5, -100.0):
            for direction in ("greater", "less", "two-sided"):
                assert 0 <= power_of_difference(effect, 1.0, n, 0.05, direction) <= 1 + 1e-12
        assert power_of_difference(0.0, 1.0, n, 0.05, "two-sided") == pytest.approx(0.05)


def plain_bootstrap(values, resamples, seed, languages=True):
    """The same hierarchy, one resample at a time, with fancy indexing instead of weights."""
    rng = np.random.default_rng(seed)
    means = []
    for _ in range(resamples):
        codes = rng.integers(values.shape[2], size=values.shape[2]) if languages else np.arange(values.shape[2])
        drawn = []
        for encoder in rng.integers(len(values), size=len(values)):
            rows = values[encoder][~np.isnan(values[encoder]).all(axis=1)]
            drawn.append(rows[rng.integers(len(rows), size=len(rows))][:, codes].mean())
        means.append(np.mean(drawn))
    return np.array(means)


@pytest.mark.parametrize("languages", [True, False])
def test_hierarchical_bootstrap_agrees_with_a_plain_loop(languages):
    values = RNG.normal(0, 1, (6, 3, 5)) + RNG.normal(0, 2, (6, 1, 1)) + RNG.normal(0, 1, (1, 1, 5))
    values[2, 2] = np.nan  # one encoder has a seed less
    fast = hierarchical_bootstrap(values, languages=languages, resamples=4000, seed=1)
    slow = plain_bootstrap(values, 4000, 2, languages)
    assert fast.mean() == pytest.approx(slow.mean(), abs=4 * slow.std() / np.sqrt(2000))
    assert np.quantile(fast, [0.05, 0.5, 0.95]) == pytest.approx(np.quantile(slow, [0.05, 0.5, 0.95]), abs=0.15)


def test_bootstrap_of_items_has_the_item_mean_and_more_spread():
    table = Simulation(invented(), lambda cell: 3.0 * (cell.arm == "mnli"), items=60).table()
    pairs = pair_runs(table, invented().primary)
    items = pairs.item_arrays()
    assert [values.mean() for values in items] == pytest.approx(pairs.array().mean(axis=(0, 1)).tolist())
    without = hierarchical_bootstrap(pairs.array(), resamples=1500)
    with_items = hierarchical_bootstrap(pairs.array(), items, resamples=1500)
    assert with_items.mean() == pytest.approx(without.mean(), abs=0.2)
    assert with_items.std() > without.std()


def test_bootstrap_covers_the_true_mean_about_as_often_as_promised():
    values = np.random.default_rng(5).normal(0, 1, (400, 12, 1, 1))
    drawn = [hierarchical_bootstrap(value, resamples=600, seed=k) for k, value in enumerate(values)]
    bounds = np.array([expanded_interval(means, 12) for means in drawn])
    coverage = np.mean((bounds[:, 0] < 0) & (bounds[:, 1] > 0))
    print(f"hierarchical bootstrap, 12 encoders: covers {coverage:.3f} (promised .95)")
    low, high = rejection_bounds(0.95, 400)
    assert low <= coverage <= high


def test_expanded_interval_of_a_normal_mean_is_students():
    sample = RNG.normal(3, 2, 12)
    means = np.random.default_rng(0).normal(sample.mean(), sample.std() / np.sqrt(12), 400_000)
    assert expanded_interval(means, 12) == pytest.approx(stats.ttest_1samp(sample, 0).confidence_interval(), abs=0.03)


def test_same_seed_gives_the_same_resamples():
    values = RNG.normal(0, 1, (4, 2, 3))
    assert np.array_equal(hierarchical_bootstrap(values, resamples=50), hierarchical_bootstrap(values, resamples=50))


def balanced_frame(encoder, seed, language, residual, rng, shape=(8, 3, 6)):
    values = 2 + rng.normal(0, encoder, (shape[0], 1, 1)) + rng.normal(0, seed, (*shape[:2], 1))
    values = values + rng.normal(0, language, (1, 1, shape[2])) + rng.normal(0, residual, shape)
    places = np.indices(shape).reshape(3, -1)
    return pd.DataFrame(
        {"encoder": places[0], "seed": places[1], "language": places[2], "difference": values.ravel()}
    ), values


def test_mixed_model_agrees_with_the_analysis_of_variance_of_balanced_data():
    frame, values = balanced_frame(2.0, 1.0, 3.0, 0.5, np.random.default_rng(3))
    encoders, seeds, codes = values.shape
    model = fit_mixed_model(frame)
    assert model.converged and model.value == pytest.approx(values.mean(), abs=1e-4)
    runs = values.mean(axis=2)
    square = {
        "encoder": seeds * codes * runs.mean(axis=1).var(ddof=1),
        "seed": codes * runs.var(axis=1, ddof=1).mean(),
        "language": encoders * seeds * values.mean(axis=(0, 1)).var(ddof=1),
    }
    rest = values - runs[:, :, None] - values.mean(axis=(0, 1)) + values.mean()
    residual = (rest**2).sum() / ((encoders * seeds - 1) * (codes - 1))
    expected = {
        "encoder": (square["encoder"] - square["seed"]) / (seeds * codes),
        "seed": (square["seed"] - residual) / codes,
        "language": (square["language"] - residual) / (encoders * seeds),
        "residual": residual,
    }
    assert model.deviations == pytest.approx({name: value**0.5 for name, value in expected.items()}, rel=0.02)


def test_mixed_model_leaves_out_sources_with_one_level():
    frame, _ = balanced_frame(1.0, 0.0, 1.0, 0.5, np.random.default_rng(4), shape=(6, 1, 5))
    assert set(fit_mixed_model(frame).deviations) == {"encoder", "language", "residual"}
