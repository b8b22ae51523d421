"""Extractive question answering: SQuAD 1.1 and 2, XQuAD, MLQA, TyDiQA-GoldP."""

import re
import string
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache, partial

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from stilts_core.batching import IGNORE, Batch, Cut, Features, columns
from stilts_core.encoder import Encoder
from stilts_core.families.examples import SpanExample
from stilts_core.families.head import Head, initialise
from stilts_core.families.ranking import ranked
from stilts_core.families.setting import Setting
from stilts_core.intervals import Score
from stilts_core.tokens import Tokens

STRIDE = 128  # sub-words that neighbouring windows share (Hugging Face's question-answering recipe)
MAX_QUESTION = 96  # sub-words of a question that are kept
MAX_ANSWER = 30  # sub-words of an answer
BEST = 20  # starts and ends considered a window
WINDOWS = 512  # decoded at a time


def features(examples: list[SpanExample], tokens: Tokens, setting: Setting) -> Features:
    """Windows over the context, each after the whole question; a feature is a window.

    Neighbouring windows share STRIDE sub-words, so an answer that a window's edge cuts stands whole in the next one.
    Targets `start` and `end` are positions of the first answer, 0 (the first sub-word) where the window does not
    hold it. Token targets `begin` and `stop` give the characters of the context that each sub-word covers.
    """
    questions = tokens.unique_pieces([example.question for example in examples])
    contexts = tokens.unique_encodings([example.context for example in examples])
    cut = Cut(inputs=len(examples))
    longest = min(MAX_QUESTION, (setting.max_length - tokens.pair_overhead) // 2)
    rows = {"sequence": [], "owner": [], "begin": [], "stop": [], "start": [], "end": []}
    for index, (example, question, context) in enumerate(zip(examples, questions, contexts, strict=True)):
        if len(question) > longest:
            cut.cut += 1
            cut.tokens_lost += len(question) - longest
            question = question[:longest]
        room = setting.max_length - tokens.pair_overhead - len(question)
        windows = _windows(len(context.ids), room)
        cut.split += len(windows) > 1
        offsets = np.asarray(context.offsets, np.int32).reshape(-1, 2)
        answer = _answer_pieces(offsets, example)
        before = tokens.build(question, [tokens.unk])[0].index(tokens.unk, 1 + len(question))
        for first, last in windows:
            sequence = tokens.build(question, context.ids[first:last])
            begin = np.full(len(sequence[0]), IGNORE, np.int32)
            stop = begin.copy()
            begin[before : before + last - first] = offsets[first:last, 0]
            stop[before : before + last - first] = offsets[first:last, 1]
            held = answer is not None and first <= answer[0] and answer[1] < last
            rows["sequence"].append(sequence)
            rows["owner"].append(index)
            rows["begin"].append(begin)
            rows["stop"].append(stop)
            rows["start"].append(before + answer[0] - first if held else 0)
            rows["end"].append(before + answer[1] - first if held else 0)
    return columns(
        rows["sequence"],
        example=rows["owner"],
        token_targets={"begin": rows["begin"], "stop": rows["stop"]},
        targets={"start": rows["start"], "end": rows["end"]},
        cut=cut,
    )


def _windows(pieces: int, room: int) -> list[tuple[int, int]]:
    """Runs of at most `room` pieces that cover all of them, neighbours sharing STRIDE (at most half the room)."""
    step = max(room - min(STRIDE, room // 2), 1)
    starts = range(0, max(pieces - room, 0) + step, step)
    return [(start, min(start + room, pieces)) for start in starts]


def _answer_pieces(offsets: np.ndarray, example: SpanExample) -> tuple[int, int] | None:
    """The first and last piece of the first answer, or None for an unanswerable question."""
    if not example.answers:
        return None
    start, text = example.answers[0]
    inside = np.flatnonzero((offsets[:, 1] > start) & (offsets[:, 0] < start + len(text)))
    return (int(inside[0]), int(inside[-1])) if len(inside) else None


class SpanHead(Head):
    """A linear layer that scores every sub-word as start and as end of the answer; the first one stands for "none"."""

    rows = False

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
    """The best answers of a question, best first, and how much better "no answer" scores than the best of them."""

    answers: tuple[tuple[str, float], ...]
    null_margin: float

    def text(self, null_threshold: float = np.inf) -> str:
        """The answer to give: the best one, or "" where "no answer" beats it by more than the threshold."""
        return self.answers[0][0] if self.answers and self.null_margin <= null_threshold else ""


def head(encoder: Encoder, setting: Setting) -> SpanHead:
    """A new head for the task."""
    return SpanHead(encoder.hidden_size, setting.dropout)


def decode(outputs: np.ndarray, features: Features, examples: list[SpanExample], setting: Setting) -> list[str]:
    """The answer to each question, "" for none (only where the task has unanswerable questions)."""
    threshold = (setting.threshold or 0.0) if setting.task.null_answers else np.inf
    return [best.text(threshold) for best in n_best(outputs, features, examples, 1)]


def n_best(outputs: np.ndarray, features: Features, examples: list[SpanExample], n: int = BEST) -> list[SpanPrediction]:
    """The `n` best spans of every question over all its windows, from start and end logits (tokens, 2).

    A span scores the sum of its logits; it lies within the context and is at most MAX_ANSWER sub-words long. "No
    answer" scores the smallest, over the windows, of the two logits of the first sub-word (as in BERT's SQuAD 2).
    """
    none = np.full(len(examples), np.inf)
    np.minimum.at(none, features.example, outputs[features.starts[:-1]].sum(1))
    found: list[dict[str, float]] = [{} for _ in examples]
    for first in range(0, len(features), WINDOWS):
        windows = np.arange(first, min(first + WINDOWS, len(features)))
        columns = (column.tolist() for column in _best_spans(outputs, features, windows))
        for owner, *spans in zip(features.example[windows].tolist(), *columns, strict=True):
            context, texts = examples[owner].context, {}
            for begin, stop, score in zip(*spans, strict=True):
                if score == -np.inf or len(texts) == n:
                    break
                if text := context[begin:stop].strip():
                    texts.setdefault(text, score)
            for text, score in texts.items():
                found[owner][text] = max(score, found[owner].get(text, score))
    ranks = [sorted(texts.items(), key=lambda item: -item[1])[:n] for texts in found]
    margins = [null - answers[0][1] if answers else np.inf for null, answers in zip(none, ranks, strict=True)]
    return [SpanPrediction(tuple(answers), float(margin)) for answers, margin in zip(ranks, margins, strict=True)]


def _best_spans(outputs: np.ndarray, features: Features, windows: np.ndarray) -> tuple[np.ndarray, ...]:
    """Where the best spans of each window begin and stop in its context, and their scores, each (windows, spans).

    A window that has fewer spans repeats one with the score -inf.
    """
    lengths = np.diff(features.starts)[windows]
    offsets = np.arange(lengths.max())
    places = np.where(offsets < lengths[:, None], features.starts[windows, None] + offsets, 0)
    outside = (places == 0) | (features.token_targets["begin"][places] == IGNORE)
    start, end = (
        torch.from_numpy(np.where(outside, -np.inf, outputs[places, side]).astype(np.float32)) for side in (0, 1)
    )
    heads, tails = ranked(start, BEST), ranked(end, BEST)
    length = tails[:, None] - heads[:, :, None]
    scores = start.gather(1, heads)[:, :, None] + end.gather(1, tails)[:, None]
    scores = scores.masked_fill_((length < 0) | (length >= MAX_ANSWER), -torch.inf).flatten(1)
    best = ranked(scores, BEST)
    heads, tails = heads.gather(1, best // tails.shape[1]), tails.gather(1, best % tails.shape[1])
    begin, stop = (
        features.token_targets[name][np.take_along_axis(places, chosen.numpy(), 1)]
        for name, chosen in (("begin", heads), ("stop", tails))
    )
    return begin, stop, scores.gather(1, best).numpy()


def cards(examples: list[SpanExample]) -> Iterator[tuple[dict[str, str], str]]:
    """Every example as (its texts by name, the right answer), for a reader."""
    for example in examples:
        right = example.answers[0][1] if example.answers else "(no answer)"
        yield {"question": example.question, "context": example.context}, right


def mistakes(examples: list[SpanExample], predictions: list[str]) -> Iterator[tuple[str, dict[str, str], str, str]]:
    """Answers that are no right one to the letter, as (id, texts by name, the right answer, the prediction)."""
    for example, (texts, right), text in zip(examples, cards(examples), predictions, strict=True):
        if text not in ([answer for _, answer in example.answers] or [""]):
            yield example.id, texts, right, text or "(no answer)"


# MLQA's articles by language (Lewis et al. 2020 and their mlqa_evaluation_v1.py); Hindi and Chinese have none.
# The Arabic article is a prefix, and is removed wherever its letters stand, as there.
MLQA_ARTICLES = {
    "en": r"\b(a|an|the)\b",
    "es": r"\b(un|una|unos|unas|el|la|los|las)\b",
    "vi": r"\b(của|là|cái|chiếc|những)\b",
    "de": r"\b(ein|eine|einen|einem|eines|einer|der|die|das|den|dem|des)\b",
    "ar": "ال",
}
_HAN = re.compile("([\u4e00-\u9fa5])")


def grade(examples: list[SpanExample], predictions: list[str], setting: Setting, language: str) -> Score:
    """Exact match, F1 and their mean, by MLQA's rules for MLQA and SQuAD's for all others."""
    gold = [[text for _, text in example.answers] for example in examples]
    return score(gold, predictions, setting.task.name, language)


def score(gold: Sequence[Sequence[str]], predicted: Sequence[str | None], task: str, language: str) -> Score:
    """Exact match and token F1 against the best of the right answers, and their mean, over questions.

    A question without right answers wants an empty prediction (SQuAD 2); a prediction of None scores 0 (XTREME's
    treatment of an id that is missing).
    """
    words = partial(mlqa_words, language=language) if task == "mlqa" else squad_words
    items = [
        (0.0, 0.0) if text is None else _exact_and_f1([words(answer) for answer in answers], words(text))
        for answers, text in zip(gold, predicted, strict=True)
    ]
    return Score(np.array(items, float), _answers)


def _answers(means: np.ndarray) -> dict[str, np.ndarray]:
    exact, f1 = 100 * means[..., 0], 100 * means[..., 1]
    return {"em_f1": (exact + f1) / 2, "exact_match": exact, "f1": f1}


def _exact_and_f1(answers: list[tuple[str, ...]], words: tuple[str, ...]) -> tuple[float, float]:
    """Both against the answer that is best for each; without answers, whether there are no words."""
    if not answers:
        return float(not words), float(not words)
    shared = [(Counter(answer) & Counter(words)).total() for answer in answers]
    f1 = [2 * n / (len(answer) + len(words)) if n else 0.0 for answer, n in zip(answers, shared, strict=True)]
    return float(words in answers), max(f1)


@lru_cache(maxsize=100_000)
def squad_words(text: str) -> tuple[str, ...]:
    """The words of an answer by the rules of SQuAD 1.1: lower case, without ASCII punctuation and a, an, the."""
    kept = "".join(letter for letter in text.lower() if letter not in string.punctuation)
    return tuple(re.sub(MLQA_ARTICLES["en"], " ", kept).split())


@lru_cache(maxsize=100_000)
def mlqa_words(text: str, language: str) -> tuple[str, ...]:
    """The words of an answer by MLQA's rules: lower case, no punctuation of any script, no articles.

    Chinese characters are words of their own.
    """
    text = "".join(letter for letter in text.lower() if not _is_punctuation(letter))
    if language in MLQA_ARTICLES:
        text = re.sub(MLQA_ARTICLES[language], " ", text)
    return tuple((_HAN.sub(r" \1 ", text) if language == "zh" else text).split())


@cache
def _is_punctuation(letter: str) -> bool:
    return letter in string.punctuation or unicodedata.category(letter).startswith("P")
