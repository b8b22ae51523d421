"""Mining of pairs and the scores of retrieval against scikit-learn and plain loops."""

import random

import numpy as np
import pytest
from sklearn.metrics import average_precision_score
from vectors import unit_vectors

from stilts_core.catalogue import task
from stilts_core.families.retrieval import (
    Passage,
    RetrievalSet,
    best_threshold,
    grade,
    mean_average_precision,
    mine_pairs,
    pair_f1,
    score,
)
from stilts_core.families.setting import Setting
from stilts_core.sources.load import load


def noisy_sides(rng: np.random.Generator, pairs: int, alone: int, noise: float = 0.12) -> tuple[np.ndarray, np.ndarray]:
    """Two sides whose first `pairs` rows belong together, each with `alone` more rows that belong to nothing."""
    shared = unit_vectors(rng, pairs)
    sides = [np.vstack([shared + rng.normal(scale=noise, size=shared.shape), unit_vectors(rng, alone)]) for _ in "xy"]
    return tuple((side / np.linalg.norm(side, axis=1, keepdims=True)).astype(np.float32) for side in sides)


def bucc_set(pairs: int, alone: int, texts: list[str] | None = None) -> RetrievalSet:
    texts = texts or [f"sentence {i}" for i in range(pairs + alone)]
    sides = [tuple(Passage(f"{side}-{i}", text) for i, text in enumerate(texts)) for side in ("xx", "en")]
    return RetrievalSet("xx", *sides, {f"xx-{i}": frozenset({f"en-{i}"}) for i in range(pairs)})


def plain_mining(x: np.ndarray, y: np.ndarray, k: int = 4) -> list[tuple[int, int, float]]:
    """XTREME's rule in loops: the best margin of each side proposes a pair, and the best proposals are taken first."""
    cosines = x @ y.T
    near_x = [sorted(range(len(y)), key=lambda j: -cosines[i, j])[:k] for i in range(len(x))]
    near_y = [sorted(range(len(x)), key=lambda i: -cosines[i, j])[:k] for j in range(len(y))]
    mean_x = [np.mean([cosines[i, j] for j in near]) for i, near in enumerate(near_x)]
    mean_y = [np.mean([cosines[i, j] for i in near]) for j, near in enumerate(near_y)]

    def margin(i: int, j: int) -> float:
        return cosines[i, j] / ((mean_x[i] + mean_y[j]) / 2)

    proposals = [(i, max(near, key=lambda j: margin(i, j))) for i, near in enumerate(near_x)]
    proposals += [(max(near, key=lambda i: margin(i, j)), j) for j, near in enumerate(near_y)]
    pairs: list[tuple[int, int, float]] = []
    for i, j in sorted(proposals, key=lambda pair: -margin(*pair)):
        if all(i != left and j != right for left, right, _ in pairs):
            pairs.append((i, j, margin(i, j)))
    return pairs


def test_mined_pairs_equal_the_plain_rule_and_are_one_to_one():
    x, y = noisy_sides(np.random.default_rng(3), pairs=60, alone=80, noise=0.25)
    mined = mine_pairs(bucc_set(60, 80), x, y)
    oracle = plain_mining(x, y)
    assert [(f"xx-{i}", f"en-{j}") for i, j, _ in oracle] == [pair[:2] for pair in mined]
    np.testing.assert_allclose([margin for *_, margin in oracle], [margin for *_, margin in mined], rtol=1e-4)
    for side in (0, 1):
        assert len({pair[side] for pair in mined}) == len(mined)


def test_repeated_sentence_is_searched_once_and_is_in_no_pair():
    x, y = noisy_sides(np.random.default_rng(4), pairs=20, alone=30)
    texts = [f"sentence {i}" for i in range(50)]
    texts[7] = texts[3]
    x[7], y[7] = x[3], y[3]
    mined = mine_pairs(bucc_set(20, 30, texts), x, y)
    assert not {"xx-3", "xx-7"} & {query for query, *_ in mined}
    kept = [i for i in range(50) if i != 7]
    oracle = {(f"xx-{kept[i]}", f"en-{kept[j]}") for i, j, _ in plain_mining(x[kept], y[kept]) if 3 not in (i, j)}
    assert {pair[:2] for pair in mined} == oracle


def plain_threshold(pairs, gold: set[tuple[str, str]]) -> float:
    """The first cut with the best F1, halfway to the next margin."""
    best, threshold, right = 0.0, 0.0, 0
    for place, (query, candidate, margin) in enumerate(pairs):
        right += (query, candidate) in gold
        if right:
            precision, recall = right / (place + 1), right / len(gold)
            f1 = 2 * precision * recall / (precision + recall)
            if f1 > best:
                following = pairs[place + 1][2] if place + 1 < len(pairs) else margin
                best, threshold = f1, (margin + following) / 2
    return threshold


def test_threshold_equals_the_plain_rule():
    rng = random.Random(5)
    for _ in range(200):
        margins = sorted((rng.uniform(0.8, 1.4) for _ in range(rng.randint(1, 30))), reverse=True)
        pairs = [(f"q{i}", f"c{i}", margin) for i, margin in enumerate(margins)]
        gold = {(f"q{i}", f"c{i}") for i in range(40) if rng.random() < 0.5} | {("q99", "c99")}
        found = best_threshold(pairs, {query: {candidate} for query, candidate in gold})
        assert found == pytest.approx(plain_threshold(pairs, gold))


def test_no_threshold_scores_better_on_the_pairs_it_was_tuned_on():
    x, y = noisy_sides(np.random.default_rng(6), pairs=60, alone=100)
    test = bucc_set(60, 100)
    pairs = mine_pairs(test, x, y)

    def f1(threshold: float) -> float:
        return pair_f1(test.gold, {query: [candidate] for query, candidate, m in pairs if m >= threshold}).metrics["f1"]

    best = f1(best_threshold(pairs, test.gold))
    assert best == max(f1(margin) for *_, margin in pairs) > 80


def test_threshold_is_zero_where_no_pair_is_right_and_the_last_margin_where_all_are():
    assert best_threshold([("q", "c", 1.1)], {"q": {"other"}}) == 0
    assert best_threshold([], {"q": {"c"}}) == 0
    assert best_threshold([("a", "b", 1.2), ("q", "c", 1.1)], {"q": {"c"}, "a": {"b"}}) == 1.1


def test_pair_f1_is_that_of_the_sets_of_pairs():
    rng = random.Random(7)
    for _ in range(50):
        gold, found = ({(rng.randrange(9), rng.randrange(4)) for _ in range(rng.randint(1, 12))} for _ in range(2))
        sides = [{str(q): {str(c) for other, c in side if other == q} for q, _ in side} for side in (gold, found)]
        metrics = pair_f1(sides[0], {query: sorted(ids) for query, ids in sides[1].items()}).metrics
        right = len(gold & found)
        assert metrics["precision"] == pytest.approx(100 * right / len(found))
        assert metrics["recall"] == pytest.approx(100 * right / len(gold))
        assert metrics["f1"] == pytest.approx(100 * 2 * right / (len(found) + len(gold)))


def test_average_precision_equals_scikit_learn_with_several_right_candidates():
    rng = np.random.default_rng(8)
    relevance, names = rng.random((40, 30)) < 0.2, [str(i) for i in range(30)]
    relevance[:, 0] |= ~relevance.any(axis=1)
    scores = rng.random(relevance.shape)
    gold = {str(q): {names[c] for c in np.flatnonzero(row)} for q, row in enumerate(relevance)}
    found = {str(q): [names[c] for c in np.argsort(-row)] for q, row in enumerate(scores)}
    oracle = 100 * np.mean([average_precision_score(*pair) for pair in zip(relevance, scores, strict=True)])
    assert mean_average_precision(gold, found, k=30).metrics["map"] == pytest.approx(oracle)


def test_average_precision_with_one_right_candidate_is_its_reciprocal_rank_among_the_first_20():
    ranked = [str(i) for i in range(40)]
    for rank in (1, 2, 20, 21):
        expected = 100 / rank if rank <= 20 else 0
        assert mean_average_precision({"q": {str(rank - 1)}}, {"q": ranked}).metrics["map"] == pytest.approx(expected)
    assert mean_average_precision({"q": {"1"}}, {}).metrics["map"] == 0


def test_accuracy_counts_the_first_found_and_a_query_without_any_is_wrong():
    gold = {"0": frozenset("a"), "1": frozenset("b"), "2": frozenset("c"), "3": frozenset("d")}
    found = {"0": ("a", "b"), "1": ("a", "b"), "2": ()}
    assert score(gold, found, "accuracy").metrics == {"accuracy": 25}


@pytest.mark.parametrize("name", ["tatoeba", "bucc2018", "lareqa"])
def test_perfect_retrieval_on_real_sets_scores_100_and_an_empty_one_0(stilts_data, name):
    (test,) = load(name, "test", "zh", data=stilts_data).items
    setting = Setting(task(name))
    perfect = {query: tuple(right) for query, right in test.gold.items()}
    assert grade([test], [perfect], setting, "zh").metrics[setting.task.metric] == 100
    assert grade([test], [{}], setting, "zh").metrics[setting.task.metric] == 0


def test_pairs_hidden_in_the_real_bucc_set_are_mined(stilts_data):
    (dev,) = load("bucc2018", "dev", "zh", data=stilts_data).items
    rng = np.random.default_rng(9)
    y = unit_vectors(rng, len(dev.candidates), 64)
    place = {candidate.id: row for row, candidate in enumerate(dev.candidates)}
    x = unit_vectors(rng, len(dev.queries), 64)
    for row, query in enumerate(dev.queries):
        for candidate in dev.gold.get(query.id, ()):
            x[row] = 0.8 * y[place[candidate]] + 0.6 * x[row]
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    pairs = mine_pairs(dev, x, y, block=1024)
    threshold = best_threshold(pairs, dev.gold)
    found = {query: (candidate,) for query, candidate, margin in pairs if margin >= threshold}
    assert grade([dev], [found], Setting(task("bucc2018")), "zh").metrics["f1"] > 80
