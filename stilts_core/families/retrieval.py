"""Retrieval: Tatoeba, BUCC 2018, LAReQA and Mewsli-X."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence, Set

import numpy as np
import torch
from torch.nn.functional import cross_entropy, normalize

from stilts_core.batching import Batch, Cut, Features, columns
from stilts_core.encoder import Encoder
from stilts_core.families.examples import Passage, RetrievalExample, RetrievalSet
from stilts_core.families.head import Head, mean_pool
from stilts_core.families.mining import BLOCK, NEIGHBOURHOOD, margin_scores, mutual_neighbours, neighbours
from stilts_core.families.setting import Setting
from stilts_core.intervals import Score, accuracy, f1_precision_recall
from stilts_core.tokens import Tokens

SCALE = 20.0  # inverse temperature of the dual encoder's softmax over cosines
RANKED = 20  # candidates kept a query


def features(examples: list[RetrievalExample] | list[RetrievalSet], tokens: Tokens, setting: Setting) -> Features:
    """Sequences of what is embedded; a text that is too long is cut from its end.

    Of training pairs: two sequences a feature, query and candidate, and the target `group`, equal where two examples
    must not serve as each other's negatives. Of a test set: its queries, then its candidates, one sequence each.
    """
    if not examples or isinstance(examples[0], RetrievalExample):
        texts = [text for example in examples for text in (example.query, example.candidate)]
        numbers = {group: number for number, group in enumerate(dict.fromkeys(e.group for e in examples))}
        targets = {"group": [numbers[example.group] for example in examples]}
        per_feature = [2] * len(examples)
    else:
        (test,) = examples
        texts = [passage.text for passage in (*test.queries, *test.candidates)]
        targets, per_feature = {}, [1] * len(texts)
    cut = Cut(inputs=len(texts))
    room = setting.max_length - tokens.single_overhead
    sequences = [tokens.build(_fit(pieces, room, cut)) for pieces in tokens.unique_pieces(texts)]
    return columns(sequences, per_feature=per_feature, targets=targets, cut=cut)


def _fit(pieces: list[int], room: int, cut: Cut) -> list[int]:
    if len(pieces) > room:
        cut.cut += 1
        cut.tokens_lost += len(pieces) - room
    return pieces[:room]


class RetrievalHead(Head):
    """No layers: the mean over sub-words of one hidden state, L2-normalised. Trained, it is a dual encoder.

    The loss is the cross-entropy of finding each query's candidate among those of the batch, by SCALE times cosine.
    """

    couples = True

    def __init__(self, layer: int | None = None):
        super().__init__()
        self.layer = layer

    def forward(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        return normalize(mean_pool(hidden, batch.mask), dim=-1)

    def loss(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        return self.coupled_loss(self(hidden, batch), batch.targets)

    def coupled_loss(self, outputs: torch.Tensor, targets: dict[str, torch.Tensor]) -> torch.Tensor:
        """The summed loss from the embeddings (2 x features, hidden size) of queries and candidates in turn."""
        cosines = outputs[0::2] @ outputs[1::2].T
        group = targets["group"]
        itself = torch.arange(len(group), device=group.device)
        related = (group[:, None] == group[None]).fill_diagonal_(False)
        return cross_entropy(SCALE * cosines.float().masked_fill(related, -torch.inf), itself, reduction="sum")


def head(encoder: Encoder, setting: Setting) -> RetrievalHead:
    """The head of the task: the last hidden state where it is trained, the setting's layer where it is not."""
    return RetrievalHead(None if setting.task.trained_on else setting.layer)


def threshold(outputs: np.ndarray, tuning: list[RetrievalSet]) -> float:
    """The margin at which mining a dev set (BUCC) has its best F1, from the embeddings of its passages."""
    (test,) = tuning
    return best_threshold(mine_pairs(test, *np.split(outputs, [len(test.queries)])), test.gold)


def decode(
    outputs: np.ndarray, features: Features, examples: list[RetrievalSet], setting: Setting
) -> list[dict[str, list[str]]]:
    """For each set, the ids of the candidates found for each query id, best first.

    `outputs` are embeddings of the queries and then of the candidates. For BUCC at most one candidate a query is found,
    and only from the threshold on; for Tatoeba the nearest, for the other tasks the RANKED nearest.
    """
    (test,) = examples
    queries, candidates = np.split(outputs, [len(test.queries)])
    if setting.task.name == "bucc2018":
        least = -np.inf if setting.threshold is None else setting.threshold
        return [{q: [c] for q, c, margin in mine_pairs(test, queries, candidates) if margin >= least}]
    _, nearest = neighbours(queries, candidates, 1 if setting.task.metric == "accuracy" else RANKED)
    ids = np.array([candidate.id for candidate in test.candidates], object)
    return [dict(zip((query.id for query in test.queries), ids[nearest].tolist(), strict=True))]


def cards(examples: list[RetrievalExample] | list[RetrievalSet]) -> Iterator[tuple[dict[str, str], str]]:
    """Every query as (its text by name, the text that it should find), for a reader."""
    for example in examples:
        if isinstance(example, RetrievalExample):
            yield {"query": example.query}, example.candidate
        else:
            texts = {candidate.id: candidate.text for candidate in example.candidates}
            answered = (query for query in example.queries if query.id in example.gold)
            yield from (({"query": q.text}, texts[min(example.gold[q.id])]) for q in answered)


def mistakes(
    examples: list[RetrievalSet], predictions: list[dict[str, list[str]]]
) -> Iterator[tuple[str, dict[str, str], str, str]]:
    """Queries whose first candidate is wrong, as (id, texts by name, what is right, what was found), for a reader."""
    (test,), (found,) = examples, predictions
    texts = {candidate.id: candidate.text for candidate in test.candidates}
    for query in test.queries:
        right, first = test.gold.get(query.id, frozenset()), found.get(query.id, [])[:1]
        if (right or first) and not right.intersection(first):
            names = (texts[min(right)] if right else "(none)", texts[first[0]] if first else "(none)")
            yield query.id, {"query": query.text}, *names


def grade(
    examples: list[RetrievalSet], predictions: list[Mapping[str, Sequence[str]]], setting: Setting, language: str
) -> Score:
    """The task's metric; the prediction of a set is what was found for each query id, best first."""
    (test,), (found,) = examples, predictions
    return score(test.gold, found, setting.task.metric)


def score(gold: Mapping[str, Set[str]], found: Mapping[str, Sequence[str]], metric: str) -> Score:
    """By metric: accuracy of the first found (Tatoeba), F1 of pairs (BUCC), or mean average precision.

    The items are the queries with a right candidate; for pairs also those for which something was found.
    """
    if metric == "accuracy":
        first = {query: candidates[0] for query, candidates in found.items() if candidates}
        return accuracy([True] * len(gold), [first.get(query) in right for query, right in gold.items()])
    if metric == "f1":
        return pair_f1(gold, found)
    return mean_average_precision(gold, found)


def pair_f1(gold: Mapping[str, Set[str]], found: Mapping[str, Sequence[str]]) -> Score:
    """F1, precision and recall of (query, candidate) pairs."""
    queries = sorted({query for side in (gold, found) for query, candidates in side.items() if candidates})
    sides = [(gold.get(query, frozenset()), set(found.get(query, ()))) for query in queries]
    items = [(len(right & given), len(given), len(right)) for right, given in sides]
    return Score(np.array(items, float).reshape(-1, 3), _pair_f1)


def _pair_f1(means: np.ndarray) -> dict[str, np.ndarray]:
    return f1_precision_recall(*np.moveaxis(means, -1, 0))


def mean_average_precision(gold: Mapping[str, Set[str]], found: Mapping[str, Sequence[str]], k: int = RANKED) -> Score:
    """MAP over the first `k` candidates found for each query (XTREME-R: 20).

    The average precision of a query is the mean, over its right candidates (at most `k`), of the precision at their
    rank, 0 for one that is not among the first `k`. With one right candidate it is the reciprocal rank.
    """
    items = []
    for query, right in gold.items():
        hits = np.flatnonzero([candidate in right for candidate in found.get(query, ())[:k]])
        items.append((np.arange(1, len(hits) + 1) / (hits + 1)).sum() / min(len(right), k))
    return Score(np.array(items)[:, None], _map)


def _map(means: np.ndarray) -> dict[str, np.ndarray]:
    return {"map": 100 * means[..., 0]}


def mine_pairs(
    test: RetrievalSet, queries: np.ndarray, candidates: np.ndarray, k: int = NEIGHBOURHOOD, block: int = BLOCK
) -> list[tuple[str, str, float]]:
    """(query id, candidate id, margin) of mined pairs, best first: BUCC's candidates for a threshold.

    Each query proposes the neighbour with the largest margin, and so does each candidate; from the best margin down,
    a pair is taken if neither side is. As in XTREME, equal sentences are one in the search, and a sentence that
    stands twice is in no pair.
    """
    (x, query_ids), (y, candidate_ids) = _distinct(test.queries, queries), _distinct(test.candidates, candidates)
    forward, backward = mutual_neighbours(x, y, k, block)
    proposals = []
    for one, other in ((forward, backward), (backward, forward)):
        margins = margin_scores(one, other)
        best = margins.argmax(axis=1)[:, None]
        proposals.append([np.take_along_axis(part, best, 1)[:, 0] for part in (margins, one[1])])
    margin = np.concatenate([proposals[0][0], proposals[1][0]])
    left = np.concatenate([np.arange(len(x)), proposals[1][1]])
    right = np.concatenate([proposals[0][1], np.arange(len(y))])
    pairs, taken, taken_candidates = [], set(), set()
    for place in np.argsort(-margin, kind="stable"):
        query, candidate = left[place], right[place]
        if margin[place] > 0 and query not in taken and candidate not in taken_candidates:
            taken.add(query)
            taken_candidates.add(candidate)
            if query_ids[query] and candidate_ids[candidate]:
                pairs.append((query_ids[query], candidate_ids[candidate], float(margin[place])))
    return pairs


def _distinct(passages: Sequence[Passage], embeddings: np.ndarray) -> tuple[np.ndarray, list[str | None]]:
    """The embeddings of distinct texts, and their ids: None for a text that stands twice."""
    count = Counter(passage.text for passage in passages)
    first = {passage.text: row for row, passage in reversed(list(enumerate(passages)))}
    rows = sorted(first.values())
    return embeddings[rows], [passages[row].id if count[passages[row].text] == 1 else None for row in rows]


def best_threshold(pairs: Sequence[tuple[str, str, float]], gold: Mapping[str, Set[str]]) -> float:
    """The margin from which mined pairs give the best F1 against `gold`: between the last pair taken and the next.

    Of equal F1 the highest threshold; 0 where no pair is right. `pairs` are ordered by falling margin.
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
