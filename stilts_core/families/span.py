"""Extractive question answering: SQuAD 1.1 and 2, XQuAD, MLQA, TyDiQA-GoldP."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from stilts_core.encoders.encoder import Encoder
from stilts_core.encoders.tokenizer import EncoderTokenizer
from stilts_core.families.batches import Batch
from stilts_core.families.family import Card, Mistake, require_label
from stilts_core.families.features import IGNORE, Features, Truncation, build_features
from stilts_core.families.head import Head, initialise
from stilts_core.families.setting import TaskSetting
from stilts_core.families.top_k import top_k
from stilts_core.scoring.answers import score_answers
from stilts_core.scoring.bootstrap import Score
from stilts_core.tasks.examples import SpanExample

STRIDE = 128  # sub-words that neighbouring windows share (Hugging Face's question-answering recipe)
MAX_QUESTION = 96  # sub-words; a longer question is truncated
MAX_ANSWER = 30  # sub-words
CANDIDATES = 20  # best starts, and best ends, that are combined in each window
WINDOWS = 512  # windows decoded together
NO_ANSWER = "(no answer)"  # an unanswerable question's answer, as readers see it


def make_features(examples: Sequence[SpanExample], tokenizer: EncoderTokenizer, setting: TaskSetting) -> Features:
    """Windows over the context, each after the whole question. A feature is a window.

    Neighbouring windows share STRIDE sub-words, so that an answer cut by the edge of a window is whole in the next one.
    The targets `start` and `end` are the positions of the first answer in the sequence, 0 (the first sub-word) if the
    window does not contain it. The token targets `begin` and `stop` are the characters of the context that each
    sub-word covers.
    """
    questions = tokenizer.unique_pieces([example.question for example in examples])
    contexts = tokenizer.unique_encodings([example.context for example in examples])
    truncation = Truncation(inputs=len(examples))
    longest = min(MAX_QUESTION, (setting.max_length - tokenizer.pair_overhead) // 2)
    sequences, owners, characters, targets = [], [], [], []
    for index, (example, whole_question, context) in enumerate(zip(examples, questions, contexts, strict=True)):
        question = truncation.shorten(whole_question, longest)
        room = setting.max_length - tokenizer.pair_overhead - len(question)
        windows = _windows(len(context.ids), room)
        truncation.split += len(windows) > 1
        offsets = np.asarray(context.offsets, np.int32).reshape(-1, 2)
        answer = _answer_pieces(offsets, example)
        context_start = tokenizer.build(question, [tokenizer.unk])[0].index(tokenizer.unk, 1 + len(question))
        for first, last in windows:
            sequence = tokenizer.build(question, context.ids[first:last])
            covered = np.full((2, len(sequence[0])), IGNORE, np.int32)
            covered[:, context_start : context_start + last - first] = offsets[first:last].T
            sequences.append(sequence)
            owners.append(index)
            characters.append(covered)
            if answer and first <= answer[0] and answer[1] < last:
                targets.append((context_start + answer[0] - first, context_start + answer[1] - first))
            else:
                targets.append((0, 0))
    return build_features(
        sequences,
        example=owners,
        token_targets={"begin": [begin for begin, _ in characters], "stop": [stop for _, stop in characters]},
        targets={"start": [start for start, _ in targets], "end": [end for _, end in targets]},
        truncation=truncation,
    )


def _windows(pieces: int, room: int) -> list[tuple[int, int]]:
    """Windows of `room` pieces over all pieces, as (start, end); neighbours share STRIDE or at most half the room."""
    step = max(room - min(STRIDE, room // 2), 1)
    starts = range(0, max(pieces - room, 0) + step, step)
    return [(start, min(start + room, pieces)) for start in starts]


def _answer_pieces(offsets: np.ndarray, example: SpanExample) -> tuple[int, int] | None:
    """The first and last piece of the first answer (both inclusive); None for a question without answer."""
    if not example.answers:
        return None
    start, text = example.answers[0]
    inside = np.flatnonzero((offsets[:, 1] > start) & (offsets[:, 0] < start + len(text)))
    return (int(inside[0]), int(inside[-1])) if len(inside) else None


class SpanHead(Head):
    """A linear layer that scores every sub-word as start and as end of the answer; the first sub-word means "none"."""

    per_sequence = False

    def __init__(self, hidden_size: int, dropout: float):
        super().__init__()
        self.scorer = initialise(nn.Linear(hidden_size, 2))
        self.dropout = nn.Dropout(dropout)

    def forward(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        return self.scorer(self.dropout(hidden))

    def loss(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        logits = self(hidden, batch).float().masked_fill(~batch.mask.unsqueeze(-1), -torch.inf)
        start = cross_entropy(logits[..., 0], batch.targets["start"], reduction="sum")
        end = cross_entropy(logits[..., 1], batch.targets["end"], reduction="sum")
        return (start + end) / 2


@dataclass(frozen=True, slots=True)
class SpanPrediction:
    """The best answers of a question with their scores, best first, and the margin of "no answer" over the best one."""

    answers: tuple[tuple[str, float], ...]
    null_margin: float

    def text(self, null_threshold: float = np.inf) -> str:
        """The best answer, or "" if "no answer" beats it by more than the threshold."""
        return self.answers[0][0] if self.answers and self.null_margin <= null_threshold else ""


def new_head(encoder: Encoder, setting: TaskSetting) -> SpanHead:
    """A new head for the task."""
    return SpanHead(encoder.hidden_size, setting.dropout)


def decode(outputs: np.ndarray, features: Features, examples: Sequence[SpanExample], setting: TaskSetting) -> list[str]:
    """The answer to each question; "" means no answer, in tasks with unanswerable questions only."""
    threshold = 0.0 if setting.task.null_answers else np.inf
    return [prediction.text(threshold) for prediction in find_n_best(outputs, features, examples, 1)]


def find_n_best(
    outputs: np.ndarray, features: Features, examples: Sequence[SpanExample], n: int = CANDIDATES
) -> list[SpanPrediction]:
    """The `n` best answers to every question over all its windows, from start and end logits (tokens, 2).

    A span scores the sum of its two logits; it lies within the context and is at most MAX_ANSWER sub-words long. "No
    answer" scores the sum of the logits of the first sub-word, the smallest over all windows (as in BERT's SQuAD 2).
    """
    null_scores = np.full(len(examples), np.inf)
    np.minimum.at(null_scores, features.example, outputs[features.starts[:-1]].sum(1))
    scores: list[dict[str, float]] = [{} for _ in examples]  # of each question, by answer
    for first in range(0, len(features), WINDOWS):
        windows = np.arange(first, min(first + WINDOWS, len(features)))
        columns = (column.tolist() for column in _best_spans(outputs, features, windows))
        for owner, begins, stops, values in zip(features.example[windows].tolist(), *columns, strict=True):
            context = examples[owner].context
            texts: dict[str, float] = {}
            for begin, stop, score in zip(begins, stops, values, strict=True):
                if score == -np.inf or len(texts) == n:
                    break
                if text := context[begin:stop].strip():
                    texts.setdefault(text, score)
            for text, score in texts.items():
                scores[owner][text] = max(score, scores[owner].get(text, score))
    best = [sorted(texts.items(), key=lambda item: -item[1])[:n] for texts in scores]
    return [
        SpanPrediction(tuple(answers), float(null - answers[0][1] if answers else np.inf))
        for null, answers in zip(null_scores, best, strict=True)
    ]


def _best_spans(
    outputs: np.ndarray, features: Features, windows: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The best spans of each window: first character, end character and score, each (windows, spans), best first.

    A window with fewer spans is filled up with spans that score -inf.
    """
    lengths = np.diff(features.starts)[windows]
    offsets = np.arange(lengths.max())
    positions = np.where(offsets < lengths[:, None], features.starts[windows, None] + offsets, 0)
    outside = (positions == 0) | (features.token_targets["begin"][positions] == IGNORE)
    start, end = (
        torch.from_numpy(np.where(outside, -np.inf, outputs[positions, side]).astype(np.float32)) for side in (0, 1)
    )
    heads, tails = top_k(start, CANDIDATES), top_k(end, CANDIDATES)
    length = tails[:, None] - heads[:, :, None]
    scores = start.gather(1, heads)[:, :, None] + end.gather(1, tails)[:, None]
    scores = scores.masked_fill_((length < 0) | (length >= MAX_ANSWER), -torch.inf).flatten(1)
    best = top_k(scores, CANDIDATES)
    heads, tails = heads.gather(1, best // tails.shape[1]), tails.gather(1, best % tails.shape[1])
    begin, stop = (
        features.token_targets[name][np.take_along_axis(positions, chosen.numpy(), 1)]
        for name, chosen in (("begin", heads), ("stop", tails))
    )
    return begin, stop, scores.gather(1, best).numpy()


def score_predictions(
    examples: Sequence[SpanExample], predictions: Sequence[str], setting: TaskSetting, language: str
) -> Score:
    """Exact match, F1 and their mean, by the task's answer rules (SQuAD's or MLQA's)."""
    gold = [[text for _, text in require_label(example.answers)] for example in examples]
    return score_answers(gold, predictions, setting.task.answer_rules, language)


def cards(examples: Sequence[SpanExample]) -> Iterator[Card]:
    """Every question with its context and its first right answer."""
    for example in examples:
        answers = require_label(example.answers)
        answer = answers[0][1] if answers else NO_ANSWER
        yield Card({"question": example.question, "context": example.context}, answer)


def mistakes(examples: Sequence[SpanExample], predictions: Sequence[str]) -> Iterator[Mistake]:
    """Every predicted answer that equals no right answer, letter by letter."""
    for example, card, text in zip(examples, cards(examples), predictions, strict=True):
        if text not in ([answer for _, answer in require_label(example.answers)] or [""]):
            yield Mistake(example.id, card.texts, card.answer, text or NO_ANSWER)
