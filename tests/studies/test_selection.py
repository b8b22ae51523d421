"""Transferability scores agree with independent implementations, or with plain and slow ones."""

import importlib.util
import sys
import types

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import multivariate_normal
from sklearn.metrics import ndcg_score
from sklearn.model_selection import LeaveOneOut, cross_val_score
from sklearn.neighbors import KNeighborsClassifier

from stilts_core.errors import StudyError
from stilts_core.studies.selection import (
    discounted_gain,
    h_score,
    log_evidence,
    neighbour_accuracy,
    regret,
    sort_by_score,
)

RNG = np.random.default_rng(0)


def examples(n, d, classes=3, signal=1.0):
    labels = np.concatenate([np.arange(classes), RNG.integers(classes, size=n - classes)])
    return signal * RNG.normal(0, 1, (classes, d))[labels] + RNG.normal(0, 1, (n, d)), labels


@pytest.fixture(scope="module")
def published_logme():
    """The LogME of PyPI's hf-dataset-selector, without the package's other imports; its compiler only speeds it up."""
    spec = importlib.util.find_spec("hfselect")
    if spec is None:
        pytest.skip("hf-dataset-selector is not installed (tests/oracles.txt)")
    file = f"{spec.submodule_search_locations[0]}/logme.py"
    spec = importlib.util.spec_from_file_location("published_logme", file)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "numba", types.SimpleNamespace(njit=lambda function: function))
        spec.loader.exec_module(module)
    return module.LogME


@pytest.mark.parametrize(("n", "d", "classes"), [(60, 5, 2), (200, 20, 4), (90, 30, 3)])
def test_log_evidence_equals_the_published_code_where_features_span_all_directions(published_logme, n, d, classes):
    features, labels = examples(n, d, classes)
    assert log_evidence(features, labels) == pytest.approx(published_logme().fit(features, labels), rel=2e-3, abs=1e-4)


@pytest.mark.parametrize(("n", "d"), [(40, 3), (25, 40)])
def test_log_evidence_is_the_maximum_of_the_gaussian_evidence(n, d):
    """The marginal distribution of labels is normal with covariance I / beta + F F' / alpha."""
    features, labels = examples(n, d, 2, signal=0.5)
    best = []
    for label in (0, 1):
        target = (labels == label).astype(float)

        def loss(logs, target=target):
            alpha, beta = np.exp(logs)
            covariance = np.eye(n) / beta + features @ features.T / alpha
            return -multivariate_normal(np.zeros(n), covariance).logpdf(target) / n

        best.append(-minimize(loss, [0.0, 0.0], method="Nelder-Mead").fun)
    assert log_evidence(features, labels) == pytest.approx(np.mean(best), abs=2e-3)


def test_h_score_is_the_trace_of_its_definition():
    features, labels = examples(80, 6)
    covariance = np.cov(features, rowvar=False, bias=True)
    means = np.stack([features[labels == label].mean(axis=0) for label in labels])
    between = np.cov(means, rowvar=False, bias=True)
    assert h_score(features, labels) == pytest.approx(np.trace(np.linalg.inv(covariance) @ between))


def test_h_score_is_finite_for_features_of_one_direction():
    features, labels = examples(50, 3)
    assert h_score(np.hstack([features, features]), labels) == pytest.approx(h_score(features, labels))


@pytest.mark.parametrize("k", [1, 5])
def test_neighbours_agree_with_scikit_learn(k):
    features, labels = examples(70, 8, signal=0.7)
    expected = cross_val_score(
        KNeighborsClassifier(k, metric="cosine", algorithm="brute"), features, labels, cv=LeaveOneOut()
    )
    assert neighbour_accuracy(features, labels, k) == pytest.approx(expected.mean())


@pytest.mark.parametrize("score", [log_evidence, h_score, neighbour_accuracy])
def test_informative_features_score_higher_than_noise(score):
    features, labels = examples(150, 10, signal=1.5)
    assert score(features, labels) > score(RNG.permuted(features, axis=0), labels)


def test_wrong_inputs_are_refused():
    features, labels = examples(20, 3)
    with pytest.raises(StudyError, match=r"features \(20, 3\) and labels \(19,\)"):
        log_evidence(features, labels[1:])
    with pytest.raises(StudyError, match="number them from 0 without a gap"):
        h_score(features, labels * 2)
    with pytest.raises(StudyError, match="not finite"):
        h_score(features * np.nan, labels)
    with pytest.raises(StudyError, match="k is 20"):
        neighbour_accuracy(features, labels, 20)


def test_regret_agrees_with_a_plain_definition():
    gains, scores = RNG.normal(0, 1, (2, 30, 6))
    for k in (1, 3, 6):
        plain = [
            max(g) - max(g[t] for t in sorted(range(6), key=lambda t, s=s: -s[t])[:k])
            for g, s in zip(gains, scores, strict=True)
        ]
        assert regret(sort_by_score(gains, scores), k) == pytest.approx(plain)
    assert regret(sort_by_score(gains, gains)).max() == 0


def test_discounted_gain_agrees_with_scikit_learn():
    gains, scores = RNG.normal(0, 1, (2, 30, 6))
    relevance = gains - gains.min(axis=1, keepdims=True)
    expected = [ndcg_score([g], [s]) for g, s in zip(relevance, scores, strict=True)]
    assert discounted_gain(sort_by_score(gains, scores)) == pytest.approx(expected)
    assert discounted_gain(np.ones(4)) == 1
