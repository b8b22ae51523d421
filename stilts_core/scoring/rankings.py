"""Scores of ranked candidates: accuracy, F1 of mined pairs, mean average precision."""

from collections.abc import Mapping, Sequence, Set

import numpy as np

from stilts_core.errors import DataError
from stilts_core.scoring.bootstrap import Score, accuracy, f1_precision_recall

MAX_RANK = 20  # candidates that count for each query (XTREME-R's mAP@20)


def score_rankings(gold: Mapping[str, Set[str]], rankings: Mapping[str, Sequence[str]], metric: str) -> Score:
    """The score of the candidates that were retrieved for each query, best first, by one of three metrics.

    'accuracy' is the accuracy of the first candidate (Tatoeba), 'f1' the F1 of pairs (BUCC), 'map' the mean average
    precision. The items are the queries with a right candidate, and for 'f1' also the queries with a retrieved one.

    Raises DataError for gold without right candidates, and for 'map' for a ranking that has a candidate twice.
    """
    if metric == "accuracy":
        _require_candidates(gold)
        first = {query: candidates[0] for query, candidates in rankings.items() if candidates}
        return accuracy([True] * len(gold), [first.get(query) in right for query, right in gold.items()])
    if metric == "f1":
        return pair_f1(gold, rankings)
    return mean_average_precision(gold, rankings)


def score_queries(
    queries: Sequence[str], gold: Mapping[str, Set[str]], rankings: Mapping[str, Sequence[str]], metric: str
) -> np.ndarray:
    """The metric of each query alone, on the scale 0 to 100, in the order of `queries`.

    Queries without a right candidate are left out, except for 'f1': there such a query is right if nothing was
    retrieved for it. So the items are the same for every model, which those of `score_rankings` are not.
    """
    if metric == "f1":
        sides = [(gold.get(query, frozenset()), set(rankings.get(query, ()))) for query in queries]
        return np.array([_f1_of_sets(right, found) for right, found in sides])
    answered = {query: gold[query] for query in queries if gold.get(query)}
    return score_rankings(answered, rankings, metric).by_item(metric)


def _f1_of_sets(right: Set[str], found: Set[str]) -> float:
    return 200 * len(right & found) / (len(right) + len(found)) if right or found else 100.0


def pair_f1(gold: Mapping[str, Set[str]], retrieved: Mapping[str, Sequence[str]]) -> Score:
    """F1, precision and recall of (query, candidate) pairs; the items are the queries.

    Raises DataError if no query has a right candidate.
    """
    if not any(gold.values()):
        raise DataError("no gold pair; only predictions of a set with gold pairs can be scored")
    queries = sorted({query for side in (gold, retrieved) for query, candidates in side.items() if candidates})
    pairs = [(gold.get(query, frozenset()), set(retrieved.get(query, ()))) for query in queries]
    items = [(len(right & predicted), len(predicted), len(right)) for right, predicted in pairs]
    return Score(np.array(items, float).reshape(-1, 3), _pair_f1)


def _pair_f1(means: np.ndarray) -> dict[str, np.ndarray]:
    correct, predicted, gold = np.moveaxis(means, -1, 0)
    return f1_precision_recall(correct, predicted, gold)


def mean_average_precision(
    gold: Mapping[str, Set[str]], rankings: Mapping[str, Sequence[str]], k: int = MAX_RANK
) -> Score:
    """Mean average precision over the first `k` candidates of each query (XTREME-R: 20); the items are the queries.

    The average precision of a query is a mean over its right candidates (over `k` of them, if there are more): the
    precision at the candidate's rank, or 0 if its rank is above `k`. With one right candidate it is the reciprocal
    rank.

    Raises DataError for a query without right candidates, and for a ranking that has a candidate twice, which would
    count as often as it is there.
    """
    _require_candidates(gold)
    items = []
    for query, right in gold.items():
        ranking = rankings.get(query, ())
        if len(set(ranking)) < len(ranking):
            twice = next(candidate for i, candidate in enumerate(ranking) if candidate in ranking[:i])
            raise DataError(f"query {query!r}: candidate {twice!r} is ranked twice; rank every candidate once")
        hits = np.flatnonzero([candidate in right for candidate in ranking[:k]])
        items.append((np.arange(1, len(hits) + 1) / (hits + 1)).sum() / min(len(right), k))
    return Score(np.array(items)[:, None], _map)


def _require_candidates(gold: Mapping[str, Set[str]]) -> None:
    """Raises DataError for a query without right candidates."""
    if empty := [query for query, right in gold.items() if not right]:
        raise DataError(f"query {empty[0]!r} has no right candidate; only queries that have one can be scored")


def _map(means: np.ndarray) -> dict[str, np.ndarray]:
    return {"map": 100 * means[..., 0]}
