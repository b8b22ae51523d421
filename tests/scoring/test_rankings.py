"""Scores of ranked candidates against scikit-learn and plain sets of pairs."""

import random

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from stilts_core.errors import DataError
from stilts_core.scoring.rankings import mean_average_precision, pair_f1, score_queries, score_rankings


def test_pair_f1_equals_precision_and_recall_of_the_sets_of_pairs():
    rng = random.Random(7)
    for _ in range(50):
        gold, mined = ({(rng.randrange(9), rng.randrange(4)) for _ in range(rng.randint(1, 12))} for _ in range(2))
        sides = [{str(q): {str(c) for other, c in side if other == q} for q, _ in side} for side in (gold, mined)]
        metrics = pair_f1(sides[0], {query: sorted(ids) for query, ids in sides[1].items()}).metrics
        right = len(gold & mined)
        assert metrics["precision"] == pytest.approx(100 * right / len(mined))
        assert metrics["recall"] == pytest.approx(100 * right / len(gold))
        assert metrics["f1"] == pytest.approx(100 * 2 * right / (len(mined) + len(gold)))


def test_average_precision_equals_scikit_learn_with_several_right_candidates():
    rng = np.random.default_rng(8)
    relevance, names = rng.random((40, 30)) < 0.2, [str(i) for i in range(30)]
    relevance[:, 0] |= ~relevance.any(axis=1)
    scores = rng.random(relevance.shape)
    gold = {str(q): {names[c] for c in np.flatnonzero(row)} for q, row in enumerate(relevance)}
    rankings = {str(q): [names[c] for c in np.argsort(-row)] for q, row in enumerate(scores)}
    expected = 100 * np.mean([average_precision_score(*pair) for pair in zip(relevance, scores, strict=True)])
    assert mean_average_precision(gold, rankings, k=30).metrics["map"] == pytest.approx(expected)


def test_average_precision_with_one_right_candidate_is_its_reciprocal_rank_up_to_20():
    candidates = [str(i) for i in range(40)]
    for rank in (1, 2, 20, 21):
        expected = 100 / rank if rank <= 20 else 0
        assert mean_average_precision({"q": {str(rank - 1)}}, {"q": candidates}).metrics["map"] == pytest.approx(
            expected
        )
    assert mean_average_precision({"q": {"1"}}, {}).metrics["map"] == 0


def test_accuracy_counts_the_first_candidate_and_a_query_without_candidates_is_wrong():
    gold = {"0": frozenset("a"), "1": frozenset("b"), "2": frozenset("c"), "3": frozenset("d")}
    rankings = {"0": ("a", "b"), "1": ("a", "b"), "2": ()}
    assert score_rankings(gold, rankings, "accuracy").metrics == {"accuracy": 25}


def test_candidate_that_is_ranked_twice_is_an_error_that_names_query_and_candidate():
    with pytest.raises(DataError, match="query 'q': candidate 'b' is ranked twice"):
        mean_average_precision({"q": {"a"}}, {"q": ["a", "b", "c", "b"]})


@pytest.mark.parametrize("metric", ["map", "accuracy", "f1"])
@pytest.mark.parametrize("gold", [{"q": set()}, {}])
def test_gold_without_right_candidates_is_an_error(metric, gold):
    with pytest.raises(DataError, match=r"no right candidate|no gold pair|no items"):
        score_rankings(gold, {"q": ["a"]}, metric)


def test_items_are_the_queries_in_the_order_of_the_set_whatever_was_retrieved():
    gold = {"b": frozenset({"1"}), "a": frozenset({"2"})}
    queries = ["a", "c", "b"]
    assert score_queries(queries, gold, {"a": ["2"], "b": ["2"]}, "accuracy").tolist() == [100, 0]
    assert score_queries(queries, gold, {"a": ["1", "2"], "b": ["1"]}, "map").tolist() == [50, 100]
    assert score_queries(queries, gold, {"a": ["2"]}, "f1").tolist() == [100, 100, 0]
    assert score_queries(queries, gold, {"a": ["2"], "c": ["1"]}, "f1").tolist() == [100, 0, 0]
    assert score_queries(queries, gold, {"a": ["2", "1"]}, "f1").tolist() == [pytest.approx(200 / 3), 100, 0]
