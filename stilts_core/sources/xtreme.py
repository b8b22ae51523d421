"""XTREME's and XTREME-R's classification and question-answering files.

Items of XNLI and PAWS-X are parallel: line i is the same item in every language, and its group is the line number.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Any, NoReturn

from stilts_core.errors import DataError, shown
from stilts_core.sources.rows import EmptyText, MisplacedAnswer, Row, parse_json, tsv
from stilts_core.tasks.catalogue import Task
from stilts_core.tasks.examples import PairExample, SpanExample

XNLI_COLUMNS = ("premise", "hypothesis", "label")
PAWSX_COLUMNS = ("sentence1", "sentence2", "label")


def xnli(row: Row, task: Task, language: str) -> PairExample:
    """XNLI: premise, hypothesis, label."""
    return PairExample(
        row.id(), language, row.text("premise"), row.text("hypothesis"), row.label("label", task.labels), row.id()
    )


def pawsx(row: Row, task: Task, language: str) -> PairExample:
    """PAWS-X: two sentences, and label 1 for paraphrases. Labels of one item may differ between languages."""
    return PairExample(
        row.id(), language, row.text("sentence1"), row.text("sentence2"), row.label("label", task.labels), row.id()
    )


def shared_sentences(text: str, name: str) -> dict[str, str]:
    """The group of each PAWS-X item, by id: items that share an English sentence, directly or through other items.

    A sentence is in up to seven pairs, so a split by item alone would put it on both sides.
    """
    parent: dict[str, str] = {}

    def root(sentence: str) -> str:
        while parent.setdefault(sentence, sentence) != sentence:
            sentence = parent[sentence]
        return sentence

    rows = list(tsv(text, name, PAWSX_COLUMNS))
    for row in rows:
        parent[root(row.text("sentence1"))] = root(row.text("sentence2"))
    first: dict[str, str] = {}
    return {row.id(): first.setdefault(root(row["sentence1"]), row.id()) for row in rows}


def squad_rows(text: str, name: str, *, repeats_ids: bool = True) -> Iterator[Row]:
    """Questions of a SQuAD-format JSON file (1.1 or 2), one row each; `answers` is None where the key is missing.

    The group is the article, or the paragraph where the file has no articles. TyDiQA-GoldP repeats its ids: the
    second '12' of a file becomes '12#2'. Without `repeats_ids` the ids stay as they are.
    """
    articles = list(_Node(parse_json(text, name), name).nodes("data", "article"))
    titles = {str(article.value.get("title")) for article in articles}
    seen: Counter = Counter()
    for article in articles:
        for paragraph in article.nodes("paragraphs", "paragraph"):
            context = paragraph.get("context")
            group = str(article.get("title")) if len(titles) > 1 else context
            for item in paragraph.nodes("qas", "question"):
                id = str(item.get("id"))
                seen[id] += 1
                repeat = f"#{seen[id]}" if repeats_ids and seen[id] > 1 else ""
                answers = item.value.get("answers")
                if isinstance(answers, list):
                    nodes = [_Node(answer, f"{name}, question {id}") for answer in answers]
                    answers = [(node.get("answer_start"), node.get("text")) for node in nodes]
                fields = {"id": f"{id}{repeat}" if repeat else item.get("id"), "question": item.get("question")}
                fields |= {"context": context, "group": group, "answers": answers}
                row = Row(fields, name, seen.total(), place=f"question {id}")
                _check_impossible(item.value.get("is_impossible"), row)
                yield row


def _check_impossible(impossible: Any, row: Row) -> None:
    """Raises DataError where SQuAD 2 says both that a question has an answer and that it has none."""
    if impossible is not None and row["answers"] is not None and bool(impossible) == bool(row["answers"]):
        raise DataError(
            f"{row.where}: is_impossible is {shown(impossible)}, and 'answers' is {shown(row['answers'])}; correct one "
            "of the two"
        )


class _Node:
    """An object of a SQuAD-format file; a missing or wrong part is a DataError that names the file and the place."""

    def __init__(self, value: Any, name: str) -> None:
        if not isinstance(value, dict):
            self._fail(name, f"{shown(value)} is not an object")
        self.value, self.name = value, name

    def get(self, key: str) -> Any:
        if key not in self.value:
            self._fail(self.name, f"no '{key}'")
        return self.value[key]

    def list(self, key: str) -> list:
        if not isinstance(self.get(key), list):
            self._fail(self.name, f"'{key}' is {shown(self.value[key])}, not a list")
        return self.value[key]

    def nodes(self, key: str, what: str) -> "Iterator[_Node]":
        """The objects of a list, numbered from 1."""
        return (_Node(value, f"{self.name}, {what} {number}") for number, value in enumerate(self.list(key), start=1))

    @staticmethod
    def _fail(name: str, reason: str) -> NoReturn:
        raise DataError(
            f"{name}: not in SQuAD's format (data, paragraphs, context, qas, id, question, answers): {reason}; "
            "download the publisher's file again"
        )


def span(row: Row, task: Task, language: str) -> SpanExample:
    """A question of SQuAD, XQuAD, MLQA or TyDiQA-GoldP.

    Without answers it is an example without label, unless the task has unanswerable questions. Raises MisplacedAnswer
    where an answer is not at its offset.
    """
    row.place = f"question {row['id']}"
    id, where = row.id("id", required=True), row.where
    question, context, group = row["question"], row["context"], row.get("group")
    for column in ("question", "context"):
        if row[column] is not None and not isinstance(row[column], str):
            raise DataError(f"{where}: '{column}' is {shown(row[column])}; expected a text")
    if not (question or "").strip() or not (context or "").strip():
        raise EmptyText(f"{where}: the question or its context is empty; restore the text or remove the question")
    answers = _answers(row, where)
    if not answers and not task.null_answers:
        answers = None
    group = group if isinstance(group, str) and group else context
    return SpanExample(id, language, question, context, answers, group)


def _answers(row: Row, where: str) -> tuple[tuple[int, str], ...] | None:
    """The answers of a question, each at its offset in the context; None where the file has none."""
    context, answers = row["context"], row["answers"]
    if answers is None:
        return None
    if not isinstance(answers, list):
        raise DataError(f"{where}: 'answers' is {shown(answers)}; expected a list of objects")
    for start, text in answers:
        check_answer(where, context, start, text)
    return tuple(answers)


def check_answer(where: str, context: str, start: Any, text: Any) -> None:
    """Raises DataError for an answer that is no text with a whole number, MisplacedAnswer for one not at its offset."""
    if isinstance(start, bool) or not isinstance(start, int):
        raise DataError(f"{where}: answer_start is {shown(start)}; expected a whole number, without quotation marks")
    if not isinstance(text, str):
        raise DataError(f"{where}: the text of an answer is {shown(text)}; expected a text")
    if not text.strip():
        raise MisplacedAnswer(f"{where}: the answer {shown(text)} is empty; restore it or remove the question")
    found = context[start : start + len(text)] if start >= 0 else ""
    if found != text:
        raise MisplacedAnswer(
            f"{where}: the answer {shown(text)} is not at its offset {start}, where the context has {shown(found)}; "
            "correct answer_start (in characters, not bytes) or remove the question"
        )
