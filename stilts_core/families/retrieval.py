"""Retrieval: Tatoeba, BUCC 2018, LAReQA and Mewsli-X."""

from collections.abc import Iterator, Mapping, Sequence
from typing import cast

import numpy as np
import torch
from torch.nn.functional import cross_entropy, normalize

from stilts_core.encoders.encoder import Encoder
from stilts_core.encoders.tokenizer import EncoderTokenizer
from stilts_core.families.batches import Batch
from stilts_core.families.family import Card, Mistake
from stilts_core.families.features import Features, Truncation, build_features
from stilts_core.families.head import Head, mean_pool
from stilts_core.families.mining import find_best_threshold, mine_pairs
from stilts_core.families.neighbours import find_neighbours
from stilts_core.families.setting import TaskSetting
from stilts_core.scoring.bootstrap import Score
from stilts_core.scoring.rankings import MAX_RANK, score_rankings
from stilts_core.tasks.examples import RetrievalExample, RetrievalSet

SCALE = 20.0  # inverse temperature of the dual encoder's softmax over cosines


def make_features(
    examples: Sequence[RetrievalExample] | Sequence[RetrievalSet], tokenizer: EncoderTokenizer, setting: TaskSetting
) -> Features:
    """One sequence a text; a long text is truncated.

    A training pair is one feature of two sequences, the query and its candidate. Its target `group` is equal for
    examples that must not serve as each other's negatives. A test set has one feature for each query, then one for each
    candidate.
    """
    if not examples or isinstance(examples[0], RetrievalExample):
        pairs = cast(Sequence[RetrievalExample], examples)
        texts = [text for pair in pairs for text in (pair.query, pair.candidate)]
        number_of = {group: number for number, group in enumerate(dict.fromkeys(pair.group for pair in pairs))}
        targets = {"group": [number_of[pair.group] for pair in pairs]}
        sequence_counts = [2] * len(pairs)
    else:
        (test,) = cast(Sequence[RetrievalSet], examples)
        texts = [passage.text for passage in (*test.queries, *test.candidates)]
        targets, sequence_counts = {}, [1] * len(texts)
    truncation = Truncation(inputs=len(texts))
    room = setting.max_length - tokenizer.single_overhead
    sequences = [tokenizer.build(truncation.shorten(pieces, room)) for pieces in tokenizer.unique_pieces(texts)]
    return build_features(sequences, sequence_counts=sequence_counts, targets=targets, truncation=truncation)


class RetrievalHead(Head):
    """A dual encoder that adds no weights: the mean over the sub-words of one hidden state, L2-normalised.

    Its loss is the cross-entropy of each query's candidate among all candidates of the step, by SCALE times cosine.
    """

    contrastive = True

    def __init__(self, layer: int | None = None):
        super().__init__()
        self.layer = layer

    def forward(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        return normalize(mean_pool(hidden, batch.mask), dim=-1)

    def loss(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        return self.contrastive_loss(self(hidden, batch), batch.targets)

    def contrastive_loss(self, outputs: torch.Tensor, targets: dict[str, torch.Tensor]) -> torch.Tensor:
        """The summed loss from embeddings (2 × features, hidden size): query, candidate, query, candidate, …"""
        cosines = outputs[0::2] @ outputs[1::2].T
        group = targets["group"]
        right = torch.arange(len(group), device=group.device)
        same_group = (group[:, None] == group[None]).fill_diagonal_(False)
        return cross_entropy(SCALE * cosines.float().masked_fill(same_group, -torch.inf), right, reduction="sum")


def new_head(encoder: Encoder, setting: TaskSetting) -> RetrievalHead:
    """A new head on the last hidden state if the task is trained, else on the setting's layer."""
    return RetrievalHead(None if setting.task.trained_on else setting.layer)


def tune_threshold(outputs: np.ndarray, tuning: Sequence[RetrievalSet]) -> float:
    """The margin from which the pairs mined in a dev set (BUCC) have the best F1; `outputs` as for `decode`."""
    (dev,) = tuning
    queries, candidates = np.split(outputs, [len(dev.queries)])
    return find_best_threshold(mine_pairs(dev, queries, candidates), dev.gold)


def decode(
    outputs: np.ndarray, features: Features, examples: Sequence[RetrievalSet], setting: TaskSetting
) -> list[Mapping[str, Sequence[str]]]:
    """For the one test set, the ids of the retrieved candidates by query id, best first.

    `outputs` are the embeddings of the queries, then of the candidates. A mined task (BUCC) has at most one candidate a
    query, with a margin of at least the threshold. Where accuracy is the metric (Tatoeba) only the nearest candidate is
    retrieved, else the MAX_RANK nearest.
    """
    (test,) = examples
    queries, candidates = np.split(outputs, [len(test.queries)])
    if setting.task.mined:
        threshold = -np.inf if setting.threshold is None else setting.threshold
        pairs = mine_pairs(test, queries, candidates)
        return [{query: [candidate] for query, candidate, margin in pairs if margin >= threshold}]
    _, nearest = find_neighbours(queries, candidates, 1 if setting.task.metric == "accuracy" else MAX_RANK)
    ids = np.array([candidate.id for candidate in test.candidates], object)
    return [dict(zip((query.id for query in test.queries), ids[nearest].tolist(), strict=True))]


def score_predictions(
    examples: Sequence[RetrievalSet],
    predictions: Sequence[Mapping[str, Sequence[str]]],
    setting: TaskSetting,
    language: str,
) -> Score:
    """The task's metric for the one test set."""
    (test,), (rankings,) = examples, predictions
    return score_rankings(test.gold, rankings, setting.task.metric)


def cards(examples: Sequence[RetrievalExample] | Sequence[RetrievalSet]) -> Iterator[Card]:
    """Every query that has a right candidate, and the text of (one of) its right candidates."""
    for example in examples:
        if isinstance(example, RetrievalExample):
            yield Card({"query": example.query}, example.candidate)
        else:
            texts = {candidate.id: candidate.text for candidate in example.candidates}
            for query in example.queries:
                if query.id in example.gold:
                    yield Card({"query": query.text}, texts[min(example.gold[query.id])])


def mistakes(examples: Sequence[RetrievalSet], predictions: Sequence[Mapping[str, Sequence[str]]]) -> Iterator[Mistake]:
    """Every query whose first retrieved candidate is wrong or missing; texts are shown, not ids."""
    (test,), (rankings,) = examples, predictions
    texts = {candidate.id: candidate.text for candidate in test.candidates}
    for query in test.queries:
        right, first = test.gold.get(query.id, frozenset()), rankings.get(query.id, [])[:1]
        if (right or first) and not right.intersection(first):
            answer = texts[min(right)] if right else "(none)"
            prediction = texts[first[0]] if first else "(none)"
            yield Mistake(query.id, {"query": query.text}, answer, prediction)
