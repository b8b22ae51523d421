"""Mining of translation pairs by margin, as XTREME does it for BUCC."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set

import numpy as np

from stilts_core.families.neighbours import BLOCK, NEIGHBOURHOOD, compute_margins, find_mutual_neighbours
from stilts_core.tasks.examples import Passage, RetrievalSet


def mine_pairs(
    test: RetrievalSet, queries: np.ndarray, candidates: np.ndarray, k: int = NEIGHBOURHOOD, block: int = BLOCK
) -> list[tuple[str, str, float]]:
    """Mined pairs (query id, candidate id, margin), by falling margin; a threshold is applied to them later.

    `queries` and `candidates` are the embeddings of the test set's passages. Each query proposes the one of its `k`
    nearest neighbours with the largest margin, and so does each candidate. Proposals are accepted from the largest
    margin down, if neither sentence is in an accepted pair. As in XTREME, equal sentences are searched once, and a
    sentence that occurs twice is in no pair.
    """
    x, query_ids = _distinct(test.queries, queries)
    y, candidate_ids = _distinct(test.candidates, candidates)
    forward, backward = find_mutual_neighbours(x, y, k, block)
    proposals = []
    for one_way, other_way in ((forward, backward), (backward, forward)):
        margins = compute_margins(one_way, other_way)
        best = margins.argmax(axis=1)[:, None]
        proposals.append([np.take_along_axis(values, best, 1)[:, 0] for values in (margins, one_way[1])])
    (query_margins, best_candidates), (candidate_margins, best_queries) = proposals
    margin = np.concatenate([query_margins, candidate_margins])
    left = np.concatenate([np.arange(len(x)), best_queries])
    right = np.concatenate([best_candidates, np.arange(len(y))])
    pairs, used_queries, used_candidates = [], set(), set()
    for proposal in np.argsort(-margin, kind="stable"):
        query, candidate = left[proposal], right[proposal]
        if margin[proposal] > 0 and query not in used_queries and candidate not in used_candidates:
            used_queries.add(query)
            used_candidates.add(candidate)
            query_id, candidate_id = query_ids[query], candidate_ids[candidate]
            if query_id and candidate_id:
                pairs.append((query_id, candidate_id, float(margin[proposal])))
    return pairs


def _distinct(passages: Sequence[Passage], embeddings: np.ndarray) -> tuple[np.ndarray, list[str | None]]:
    """The embeddings of the distinct texts, and their ids: None for a text that occurs more than once."""
    counts = Counter(passage.text for passage in passages)
    first_rows = {passage.text: row for row, passage in reversed(list(enumerate(passages)))}
    rows = sorted(first_rows.values())
    return embeddings[rows], [passages[row].id if counts[passages[row].text] == 1 else None for row in rows]


def find_best_threshold(pairs: Sequence[tuple[str, str, float]], gold: Mapping[str, Set[str]]) -> float:
    """The margin from which the mined pairs have the best F1; `pairs` are ordered by falling margin.

    It lies halfway between the last accepted pair and the next one. Of equal F1 the highest threshold is returned; 0
    if no pair is right.
    """
    hits = np.cumsum([candidate in gold.get(query, ()) for query, candidate, _ in pairs])
    if not len(hits) or not hits[-1]:
        return 0.0
    precision, recall = hits / np.arange(1, len(hits) + 1), hits / sum(map(len, gold.values()))
    with np.errstate(invalid="ignore"):
        f1 = np.nan_to_num(2 * precision * recall / (precision + recall))
    last = int(f1.argmax())
    following = min(last + 1, len(pairs) - 1)
    return (pairs[last][2] + pairs[following][2]) / 2
