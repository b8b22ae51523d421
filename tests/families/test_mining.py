"""Mined pairs and their threshold against the rule in plain loops."""

import random

import numpy as np
import pytest
from vectors import unit_vectors

from stilts_core.families.mining import find_best_threshold, mine_pairs
from stilts_core.scoring.rankings import pair_f1
from stilts_core.sources.publishers import load
from stilts_core.tasks.examples import Passage, RetrievalSet


def noisy_sides(rng: np.random.Generator, pairs: int, alone: int, noise: float = 0.12) -> tuple[np.ndarray, np.ndarray]:
    """Embeddings of two sides: the first `pairs` rows are translations, the `alone` further rows have none."""
    shared = unit_vectors(rng, pairs)
    sides = [np.vstack([shared + rng.normal(scale=noise, size=shared.shape), unit_vectors(rng, alone)]) for _ in "xy"]
    return tuple((side / np.linalg.norm(side, axis=1, keepdims=True)).astype(np.float32) for side in sides)


def bucc_set(pairs: int, alone: int, texts: list[str] | None = None) -> RetrievalSet:
    texts = texts or [f"sentence {i}" for i in range(pairs + alone)]
    sides = [tuple(Passage(f"{side}-{i}", text) for i, text in enumerate(texts)) for side in ("xx", "en")]
    return RetrievalSet("xx", *sides, {f"xx-{i}": frozenset({f"en-{i}"}) for i in range(pairs)})


def plain_mining(x: np.ndarray, y: np.ndarray, k: int = 4) -> list[tuple[int, int, float]]:
    """XTREME's rule in loops: each side proposes its pair of largest margin, and the best proposals come first."""
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
    expected = plain_mining(x, y)
    assert [(f"xx-{i}", f"en-{j}") for i, j, _ in expected] == [pair[:2] for pair in mined]
    np.testing.assert_allclose([margin for *_, margin in expected], [margin for *_, margin in mined], rtol=1e-4)
    for side in (0, 1):
        assert len({pair[side] for pair in mined}) == len(mined)


def test_sentence_that_occurs_twice_is_searched_once_and_is_in_no_pair():
    x, y = noisy_sides(np.random.default_rng(4), pairs=20, alone=30)
    texts = [f"sentence {i}" for i in range(50)]
    texts[7] = texts[3]
    x[7], y[7] = x[3], y[3]
    mined = mine_pairs(bucc_set(20, 30, texts), x, y)
    assert not {"xx-3", "xx-7"} & {query for query, *_ in mined}
    rows = [i for i in range(50) if i != 7]
    expected = {(f"xx-{rows[i]}", f"en-{rows[j]}") for i, j, _ in plain_mining(x[rows], y[rows]) if 3 not in (i, j)}
    assert {pair[:2] for pair in mined} == expected


def plain_threshold(pairs, gold: set[tuple[str, str]]) -> float:
    """The first threshold with the best F1, halfway to the next margin."""
    best, threshold, right = 0.0, 0.0, 0
    for number, (query, candidate, margin) in enumerate(pairs):
        right += (query, candidate) in gold
        if right:
            precision, recall = right / (number + 1), right / len(gold)
            f1 = 2 * precision * recall / (precision + recall)
            if f1 > best:
                following = pairs[number + 1][2] if number + 1 < len(pairs) else margin
                best, threshold = f1, (margin + following) / 2
    return threshold


def test_threshold_equals_the_plain_rule():
    rng = random.Random(5)
    for _ in range(200):
        margins = sorted((rng.uniform(0.8, 1.4) for _ in range(rng.randint(1, 30))), reverse=True)
        pairs = [(f"q{i}", f"c{i}", margin) for i, margin in enumerate(margins)]
        gold = {(f"q{i}", f"c{i}") for i in range(40) if rng.random() < 0.5} | {("q99", "c99")}
        threshold = find_best_threshold(pairs, {query: {candidate} for query, candidate in gold})
        assert threshold == pytest.approx(plain_threshold(pairs, gold))


def test_no_other_threshold_scores_better_on_the_tuning_pairs():
    x, y = noisy_sides(np.random.default_rng(6), pairs=60, alone=100)
    test = bucc_set(60, 100)
    pairs = mine_pairs(test, x, y)

    def f1(threshold: float) -> float:
        return pair_f1(test.gold, {query: [candidate] for query, candidate, m in pairs if m >= threshold}).metrics["f1"]

    best = f1(find_best_threshold(pairs, test.gold))
    assert best == max(f1(margin) for *_, margin in pairs) > 80


def test_threshold_is_zero_if_no_pair_is_right_and_the_last_margin_if_all_are():
    assert find_best_threshold([("q", "c", 1.1)], {"q": {"other"}}) == 0
    assert find_best_threshold([], {"q": {"c"}}) == 0
    assert find_best_threshold([("a", "b", 1.2), ("q", "c", 1.1)], {"q": {"c"}, "a": {"b"}}) == 1.1


def test_pairs_hidden_in_the_real_bucc_set_are_mined(stilts_data):
    (dev,) = load("bucc2018", "dev", "zh", data=stilts_data).items
    rng = np.random.default_rng(9)
    y = unit_vectors(rng, len(dev.candidates), 64)
    row_of = {candidate.id: row for row, candidate in enumerate(dev.candidates)}
    x = unit_vectors(rng, len(dev.queries), 64)
    for row, query in enumerate(dev.queries):
        for candidate in dev.gold.get(query.id, ()):
            x[row] = 0.8 * y[row_of[candidate]] + 0.6 * x[row]
    x /= np.linalg.norm(x, axis=1, keepdims=True)
    pairs = mine_pairs(dev, x, y, block=1024)
    threshold = find_best_threshold(pairs, dev.gold)
    mined = {query: (candidate,) for query, candidate, margin in pairs if margin >= threshold}
    assert pair_f1(dev.gold, mined).metrics["f1"] > 80
