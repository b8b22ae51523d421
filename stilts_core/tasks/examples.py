"""The examples of every family: readers make them, and families turn them into features.

They are here and not in the families so that reading data does not import PyTorch.
"""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PairExample:
    """Two texts and the relation between them.

    `label` is one of the task's label names, or None where it is unknown (a blind test set).
    `group` names what must stay on one side of a split: the premise, or the index of a parallel item.
    """

    id: str
    language: str
    text_a: str
    text_b: str
    label: str | None
    group: str


@dataclass(frozen=True, slots=True)
class ChoiceExample:
    """A context, a question (may be empty) and the choices, one of which is right.

    `label` is the index of the right choice, or None where it is unknown. Examples of one task may differ in
    their number of choices (Cosmos QA has 3 or 4 where only a rebuilt part is available).
    `group` names what must stay on one side of a split: the context, or the index of a parallel item.
    """

    id: str
    language: str
    context: str
    question: str
    choices: tuple[str, ...]
    label: int | None
    group: str


@dataclass(frozen=True, slots=True)
class TaggingExample:
    """A sentence as words, each with its tag (`tags` is None where they are unknown)."""

    id: str
    language: str
    words: tuple[str, ...]
    tags: tuple[str, ...] | None
    group: str


@dataclass(frozen=True, slots=True)
class SpanExample:
    """A question about a context; the answers are spans of the context.

    `answers` holds (character offset, text) pairs, empty for an unanswerable question, and is None where they are
    unknown (a blind test set). `id` is unique within the language of a task. `group` names what must stay on one side
    of a split: the article or the context.
    """

    id: str
    language: str
    question: str
    context: str
    answers: tuple[tuple[int, str], ...] | None
    group: str


@dataclass(frozen=True, slots=True)
class Passage:
    """A text that is embedded: a sentence, a question, an answer with its context, a mention, a description."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class RetrievalExample:
    """One training pair of a dual encoder: a query and the candidate it should find.

    `group` names what must stay on one side of a split, and what must not serve as a negative of itself.
    """

    id: str
    language: str
    query: str
    candidate: str
    group: str


@dataclass(frozen=True, slots=True)
class RetrievalSet:
    """The test set of one language: queries, candidates, and the candidates that are right for each query.

    `gold` maps a query id to the ids of its right candidates; a query without an entry has none (BUCC). It is empty
    where the right candidates are unknown (a blind test set).
    """

    language: str
    queries: tuple[Passage, ...]
    candidates: tuple[Passage, ...]
    gold: dict[str, frozenset[str]]


@dataclass(frozen=True, slots=True)
class TextExample:
    """One unlabelled sentence or paragraph."""

    id: str
    language: str
    text: str


# A labelled item: what training and dev parts hold, and the test parts of all tasks that are not retrieval.
Example = PairExample | ChoiceExample | TaggingExample | SpanExample | RetrievalExample
Item = Example | RetrievalSet | TextExample  # what any part holds


def input_texts(item: Item) -> list[str]:
    """The texts of an item's input, without its label, each once.

    Of a retrieval set these are the queries. A choice's question is left out: XCOPA's says only cause or effect.
    """
    match item:
        case PairExample():
            texts = [item.text_a, item.text_b]
        case ChoiceExample():
            texts = [item.context, *item.choices]
        case TaggingExample():
            texts = [" ".join(item.words)]
        case SpanExample():
            texts = [item.context, item.question]
        case RetrievalExample():
            texts = [item.query, item.candidate]
        case RetrievalSet():
            texts = [query.text for query in item.queries]
        case TextExample():
            texts = [item.text]
    return [text for text in dict.fromkeys(texts) if text.strip()]


def texts_of_inputs(items: Iterable[Item], language: str) -> list[TextExample]:
    """The texts of the inputs of all items as unlabelled texts, each once.

    Parallel items give the same ids in every language, as long as they repeat their texts in the same places.
    """
    texts: dict[str, TextExample] = {}
    for index, item in enumerate(items):
        name = index if isinstance(item, RetrievalSet) else item.id
        for number, text in enumerate(input_texts(item)):
            texts.setdefault(text, TextExample(f"{name} {number}", language, text))
    return list(texts.values())


def has_label(item: Item) -> bool:
    """Whether an item has what it is scored by: a label, tags, answers, or right candidates."""
    match item:
        case PairExample() | ChoiceExample():
            return item.label is not None
        case TaggingExample():
            return item.tags is not None
        case SpanExample():
            return item.answers is not None
        case RetrievalSet():
            return bool(item.gold)
    return True


@dataclass(frozen=True)
class ExampleSet:
    """The items of one part of a task, and where they came from.

    `items` are the family's examples; the test part of a retrieval task holds one RetrievalSet (several for LAReQA's
    multilingual pool). `files` maps each file (relative to the data root) or hub split to its SHA-256. `dropped` counts
    left-out items by reason. `stand_in` is the sentence that every table must print, None where the real set was read.
    """

    items: list
    files: dict[str, str]
    dropped: dict[str, int]
    stand_in: str | None
