"""Sham labels, a control: the same inputs, the same labels, but which belongs to which is drawn by lot.

What intermediate training with them still gives comes from its inputs and its steps, not from the task.
"""

import re
from dataclasses import replace

import numpy as np

from stilts_core.families.examples import ChoiceExample, PairExample, SpanExample, TaggingExample

Labelled = PairExample | ChoiceExample | TaggingExample | SpanExample


def permuted(examples: list[Labelled], seed: int) -> list[Labelled]:
    """The examples of one task with their labels permuted among them; the inputs stay, and so do the labels' counts.

    Sentence pairs exchange labels. Multiple choice exchanges the place of the right choice, among examples with as many
    choices. Tags are permuted over all words of all sentences, as sentences of a length would keep what stands first
    and last. Answers exchange their places: how far into the context the answer begins, as a share of its words, how
    many words it has, and whether there is one at all.
    """
    rng = np.random.default_rng([seed, 0x5A3])
    match examples[0]:
        case PairExample():
            labels = [example.label for example in examples]
            return [replace(e, label=labels[i]) for e, i in zip(examples, rng.permutation(len(labels)), strict=True)]
        case ChoiceExample():
            return _choices(examples, rng)
        case TaggingExample():
            return _tags(examples, rng)
        case SpanExample():
            return _answers(examples, rng)


def _choices(examples: list[ChoiceExample], rng: np.random.Generator) -> list[ChoiceExample]:
    counts = np.array([len(example.choices) for example in examples])
    labels = np.array([example.label for example in examples])
    for count in np.unique(counts):
        labels[counts == count] = rng.permutation(labels[counts == count])
    return [replace(example, label=label) for example, label in zip(examples, labels.tolist(), strict=True)]


def _tags(examples: list[TaggingExample], rng: np.random.Generator) -> list[TaggingExample]:
    tags = [tag for example in examples for tag in example.tags]
    drawn = iter([tags[index] for index in rng.permutation(len(tags))])
    return [replace(example, tags=tuple(next(drawn) for _ in example.tags)) for example in examples]


def _answers(examples: list[SpanExample], rng: np.random.Generator) -> list[SpanExample]:
    words = [list(re.finditer(r"\S+", example.context)) for example in examples]
    places = [_place(example, own) for example, own in zip(examples, words, strict=True)]
    drawn = [places[index] for index in rng.permutation(len(places))]
    return [
        replace(example, answers=_span(example.context, own, place) if place else ())
        for example, own, place in zip(examples, words, drawn, strict=True)
    ]


def _place(example: SpanExample, words: list[re.Match]) -> tuple[float, int] | None:
    """Where the first answer begins, as a share of the context's words, and how many words it touches."""
    if not example.answers:
        return None
    start, text = example.answers[0]
    touched = [index for index, word in enumerate(words) if word.end() > start and word.start() < start + len(text)]
    return touched[0] / len(words), len(touched)


def _span(context: str, words: list[re.Match], place: tuple[float, int]) -> tuple[tuple[int, str], ...]:
    """The words at that place of a context; fewer where it is shorter."""
    share, count = place
    last = min(round(share * len(words)) + count, len(words))
    first = max(0, last - count)
    start, end = words[first].start(), words[last - 1].end()
    return ((start, context[start:end]),)
