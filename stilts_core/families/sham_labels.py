"""Sham labels, a control: the inputs and the counts of the labels stay, but the labels are permuted at random.

A gain from intermediate training that remains with sham labels comes from the inputs and the steps, not from the task.
"""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np

from stilts_core.families.family import require_label
from stilts_core.tasks.examples import ChoiceExample, PairExample, SpanExample, TaggingExample

Labelled = PairExample | ChoiceExample | TaggingExample | SpanExample
AnswerPosition = tuple[float, int]  # the first word as a share of the context's words, and the number of words


def permute_labels(examples: Sequence[Labelled], seed: int) -> Sequence[Labelled]:
    """The examples of one task with their labels permuted among them.

    Sentence pairs exchange labels. Multiple choice exchanges the index of the right choice, among examples with equally
    many choices. Tags are permuted over all words of all sentences: if sentences of equal length exchanged their tags,
    the tags that are typical of a sentence's first and last word would stay right. Questions exchange the position of
    their answer: its first word as a share of the context, its number of words, and whether there is an answer at all.
    """
    rng = np.random.default_rng([seed, 0x5A3])
    match examples[0]:
        case PairExample():
            return _permute_pairs(cast(Sequence[PairExample], examples), rng)
        case ChoiceExample():
            return _permute_choices(cast(Sequence[ChoiceExample], examples), rng)
        case TaggingExample():
            return _permute_tags(cast(Sequence[TaggingExample], examples), rng)
        case SpanExample():
            return _permute_answers(cast(Sequence[SpanExample], examples), rng)


def _permute_pairs(examples: Sequence[PairExample], rng: np.random.Generator) -> list[PairExample]:
    order = rng.permutation(len(examples))
    return [replace(example, label=examples[other].label) for example, other in zip(examples, order, strict=True)]


def _permute_choices(examples: Sequence[ChoiceExample], rng: np.random.Generator) -> list[ChoiceExample]:
    counts = np.array([len(example.choices) for example in examples])
    labels = np.array([example.label for example in examples])
    for count in np.unique(counts):
        labels[counts == count] = rng.permutation(labels[counts == count])
    return [replace(example, label=label) for example, label in zip(examples, labels.tolist(), strict=True)]


def _permute_tags(examples: Sequence[TaggingExample], rng: np.random.Generator) -> list[TaggingExample]:
    sentences = [require_label(example.tags) for example in examples]
    tags = [tag for sentence in sentences for tag in sentence]
    permuted = iter([tags[index] for index in rng.permutation(len(tags))])
    return [
        replace(example, tags=tuple(next(permuted) for _ in sentence))
        for example, sentence in zip(examples, sentences, strict=True)
    ]


def _permute_answers(examples: Sequence[SpanExample], rng: np.random.Generator) -> list[SpanExample]:
    words = [list(re.finditer(r"\S+", example.context)) for example in examples]
    positions = [_answer_position(example, matches) for example, matches in zip(examples, words, strict=True)]
    permuted = [positions[index] for index in rng.permutation(len(positions))]
    return [
        replace(example, answers=(_answer_at(example.context, matches, position),) if position else ())
        for example, matches, position in zip(examples, words, permuted, strict=True)
    ]


def _answer_position(example: SpanExample, words: list[re.Match]) -> AnswerPosition | None:
    """The position of the first answer, which counts every word that it touches; None without an answer."""
    if not example.answers:
        return None
    start, text = example.answers[0]
    touched = [index for index, word in enumerate(words) if word.end() > start and word.start() < start + len(text)]
    return touched[0] / len(words), len(touched)


def _answer_at(context: str, words: list[re.Match], position: AnswerPosition) -> tuple[int, str]:
    """The answer (offset, text) at a position of another context; it has fewer words where the context is shorter."""
    share, count = position
    last = min(round(share * len(words)) + count, len(words))
    first = max(0, last - count)
    start, end = words[first].start(), words[last - 1].end()
    return start, context[start:end]
