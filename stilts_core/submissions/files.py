"""The files of a submission folder in XTREME's layout: `<task>/test-<language>.{tsv,json,jsonl}`.

Predictions and gold labels have the same form, but for questions, whose gold file is SQuAD's JSON.
"""

import json
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

from stilts_core.errors import DataError, shown
from stilts_core.sources.rows import lines, parse_json, read_text
from stilts_core.sources.xtreme import squad_rows
from stilts_core.storage.atomic import write_whole
from stilts_core.tasks.catalogue import Task, get_task
from stilts_core.tasks.examples import SpanExample

INDEX = re.compile("0|[1-9][0-9]{0,8}")  # one way to write each number; int() also takes ' 1', '+1', '00' and '٠'
CHOICES = 2  # of XCOPA, the only target that is multiple choice
NO_LABEL = ("", "-", "-1", "_", "?", "none", "null", "nan")  # what stands where labels were removed


class Form(Enum):
    """What a file contains, by the kind of task."""

    LABELS = "a label in each line (sentence pairs, multiple choice, Tatoeba), or in XCOPA's JSON objects"
    TAGS = "a tag in each line, with a blank line after each sentence"
    PAIRS = "a mined pair of ids in each line, with a tab between them (BUCC)"
    ANSWERS = "one JSON object of answers by question id"
    RANKINGS = "one JSON object of ranked candidates by query id (LAReQA, Mewsli-X)"


def show_id(key: str) -> str:
    """An id for an error message; in quotation marks only if it needs them."""
    return key if key.isascii() and key.isprintable() and key.strip() == key != "" else shown(key)


def form_of(task: Task) -> Form:
    """What the files of a task contain."""
    match task.family:
        case "tagging":
            return Form.TAGS
        case "span":
            return Form.ANSWERS
        case "retrieval" if task.mined:
            return Form.PAIRS
        case "retrieval" if task.metric == "map":
            return Form.RANKINGS
    return Form.LABELS


def suffixes(task: Task) -> tuple[str, ...]:
    """The suffixes that the files of a task may have; the first one is written."""
    if form_of(task) in (Form.ANSWERS, Form.RANKINGS):
        return (".json",)
    return (".jsonl", ".tsv") if task.family == "choice" else (".tsv",)


def write_predictions(
    root: Path, name: str, language: str, examples: Sequence[Any], predictions: Sequence[Any]
) -> Path:
    """Write the predictions of one task and language, as its family decodes them, under `root`; returns the path."""
    task = get_task(name)
    if task.family == "span":
        answers = {example.id: text for example, text in zip(examples, predictions, strict=True)}
        return _write(root, task, language, _to_json(answers))
    if task.family == "retrieval":
        (test,), (rankings,) = examples, predictions
        candidates = {query.id: list(rankings.get(query.id, ())) for query in test.queries}
        return _write(root, task, language, _format_candidates(task, candidates))
    return _write(root, task, language, _format_labels(task, examples, predictions))


def write_gold(root: Path, name: str, language: str, examples: Sequence[Any]) -> Path:
    """Write the gold labels of one task and language under `root`, to score predictions later without the data.

    Beside the labels of a retrieval set are the ids of its candidates, by which a wrong candidate is told from an
    unknown one, and which a reduced set of Tatoeba needs: its indices are those of the whole set.

    Raises DataError for an example without a label, as in a blind test part.
    """
    task = get_task(name)
    gold = {"span": "answers", "tagging": "tags", "retrieval": "gold"}.get(task.family, "label")
    if blind := sum(getattr(example, gold) in (None, {}) for example in examples):
        raise DataError(f"{blind} of {len(examples)} examples of {name} in '{language}' have no gold labels to write")
    if task.family == "span":
        articles = [_article(example) for example in examples]
        return _write(root, task, language, _to_json({"version": "1.1", "data": articles}))
    if task.family == "retrieval":
        (test,) = examples
        ids = json.dumps([candidate.id for candidate in test.candidates], ensure_ascii=False, allow_nan=False)
        write_whole(locate_candidates(root / task.name / f"test-{language}.json"), ids)
        candidates = {query.id: sorted(test.gold.get(query.id, ())) for query in test.queries}
        return _write(root, task, language, _format_candidates(task, candidates))
    labels = [getattr(example, gold) for example in examples]
    return _write(root, task, language, _format_labels(task, examples, labels))


def locate_candidates(gold: Path) -> Path:
    """The JSON list of a retrieval set's candidates, beside its file of gold labels; publishers have none."""
    return gold.with_name(f"{gold.stem}.candidates")


def _write(root: Path, task: Task, language: str, text: str) -> Path:
    return write_whole(root / task.name / f"test-{language}{suffixes(task)[0]}", text)


def _format_labels(task: Task, examples: Sequence[Any], labels: Sequence[Any]) -> str:
    if task.family == "tagging":
        return "".join("\n".join([*tags, "\n"]) for tags in labels)
    if task.family == "choice":
        objects = ({"idx": example.id, "label": label} for example, label in zip(examples, labels, strict=True))
        return "".join(json.dumps(fields, ensure_ascii=False, allow_nan=False) + "\n" for fields in objects)
    return "".join(f"{label}\n" for label in labels)


def _format_candidates(task: Task, candidates: Mapping[str, list[str]]) -> str:
    match form_of(task):
        case Form.RANKINGS:
            return _to_json({query: ids for query, ids in candidates.items() if ids})
        case Form.PAIRS:
            return "".join(f"{query}\t{candidate}\n" for query, ids in candidates.items() for candidate in ids)
    return "".join(f"{ids[0]}\n" for ids in candidates.values())


def _to_json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False) + "\n"


def _article(example: SpanExample) -> dict[str, Any]:
    """A question in SQuAD's JSON."""
    answers = [{"answer_start": start, "text": text} for start, text in example.answers or ()]
    question = {"id": example.id, "question": example.question, "answers": answers}
    return {"title": example.group, "paragraphs": [{"context": example.context, "qas": [question]}]}


@dataclass(frozen=True)
class Labels:
    """The labels of a file, one an example, and the examples' ids where the file has them (XCOPA's `idx`)."""

    values: list[str]
    ids: list[str] | None = None


def read_label_file(path: Path, task: Task) -> Labels:
    """One label an example, and the ids if any.

    Raises DataError for a missing label, and for a label that the task does not have.
    """
    rows = lines(read_text(path, str(path)))
    if path.suffix == ".jsonl":
        objects = [_label_object(path, number, row) for number, row in enumerate(rows, start=1)]
        ids = _label_ids(path, objects)
        values = [_json_label(fields.get("label")) for fields in objects]
    else:
        ids, values = None, [line.strip() if task.labels else line for line in rows]
    lacking = [number for number, value in enumerate(values, start=1) if _is_missing(value, task)]
    if lacking:
        raise DataError(
            f"{path}, line {lacking[0]}: no label ({shown(values[lacking[0] - 1])}); {len(lacking)} of {len(values)} "
            "lines have none: write a label in each line, or leave the file out"
        )
    for number, value in enumerate(values, start=1):
        if task.labels and value not in task.labels:
            layout = "; a file of labels has one a line and no text (stilts score --help)" if "\t" in str(value) else ""
            expected = ", ".join(task.labels)
            raise DataError(f"{path}, line {number}: unknown label {shown(value)}; expected one of {expected}{layout}")
        if not task.labels and not (isinstance(value, str) and INDEX.fullmatch(value)):
            raise DataError(
                f"{path}, line {number}: {shown(value)} is not a number; expected an index that counts from 0, in "
                "digits alone"
            )
    return Labels(values, ids)


def _is_missing(value: Any, task: Task) -> bool:
    """Whether a label was left out or removed."""
    return value is None or (isinstance(value, str) and value not in task.labels and value.lower() in NO_LABEL)


def _label_object(path: Path, number: int, row: str) -> dict[str, Any]:
    content = parse_json(row, str(path), number)
    if not isinstance(content, dict):
        raise DataError(
            f'{path}, line {number}: {shown(content)}; expected a JSON object such as {{"idx": 0, "label": 1}}'
        )
    return content


def _json_label(value: Any) -> Any:
    """A label as text; a value that is neither text nor an integer stays what it is, and is then refused."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _label_ids(path: Path, objects: Sequence[dict[str, Any]]) -> list[str] | None:
    """The examples' ids, None if no line has one. Raises DataError unless all lines have one, each another."""
    if not any("idx" in fields for fields in objects):
        return None
    ids: dict[str, int] = {}
    for number, fields in enumerate(objects, start=1):
        key = _json_label(fields.get("idx"))
        if not isinstance(key, str) or not key or key != key.strip():
            raise DataError(
                f"{path}, line {number}: idx {shown(key)}; expected a number, or a text without outer blanks"
            )
        if (first := ids.setdefault(key, number)) != number:
            raise DataError(
                f"{path}, line {number}: idx {show_id(key)} is already in line {first}; each item has its own"
            )
    return list(ids)


def read_tags(path: Path, task: Task) -> list[list[str]]:
    """The tags of each sentence. Raises DataError for a tag that the task does not have."""
    sentences: list[list[str]] = [[]]
    for number, line in enumerate(lines(read_text(path, str(path))), start=1):
        tag = line.strip()
        if tag and task.labels and tag not in task.labels:
            expected = ", ".join(task.labels)
            what = f"no tag ({shown(tag)})" if tag.lower() in NO_LABEL else f"unknown tag {shown(tag)}"
            raise DataError(f"{path}, line {number}: {what}; expected one of {expected}, without the word")
        if tag:
            sentences[-1].append(tag)
        elif sentences[-1]:
            sentences.append([])
    return sentences if sentences[-1] else sentences[:-1]


def read_pairs(path: Path) -> dict[str, list[str]]:
    """The candidates of each query. Raises DataError for a line that is not two ids with a tab between them."""
    pairs: dict[tuple[str, str], int] = {}
    for number, line in enumerate(lines(read_text(path, str(path))), start=1):
        query, tab, candidate = line.partition("\t")
        if not tab or any(cell.split() != [cell] for cell in (query, candidate)):
            raise DataError(
                f"{path}, line {number}: {shown(line)} is not two ids with a tab between them, without blanks"
            )
        if (first := pairs.setdefault((query, candidate), number)) != number:
            raise DataError(f"{path}, line {number}: the pair of line {first} again; remove the line")
    candidates: dict[str, list[str]] = {}
    for query, candidate in pairs:
        candidates.setdefault(query, []).append(candidate)
    return candidates


def read_answers(path: Path) -> dict[str, str]:
    """The predicted answer to each question, by id. Raises DataError for another kind of JSON."""
    return _read_object(path, str, "an object of texts by id")


def read_rankings(path: Path) -> dict[str, list[str]]:
    """The ranked candidates of each query, by id, at least one each.

    Raises DataError for another kind of JSON, and for a candidate that a query has twice.
    """
    rankings = _read_object(path, list, "an object of lists by id")
    for query, candidates in rankings.items():
        where = f"{path}, query {show_id(query)}"
        if not candidates:
            raise DataError(f"{where}: no candidates; list at least one, or leave the query out")
        if wrong := [c for c in candidates if not isinstance(c, str) or not c or c != c.strip()]:
            raise DataError(f"{where}: candidate {shown(wrong[0])}; expected an id, a text without outer blanks")
        _require_distinct(where, candidates)
    return rankings


def read_candidates(gold: Path) -> frozenset[str] | None:
    """The ids of the candidates that lie beside a file of gold labels; None if there is no such file.

    Raises DataError for another kind of JSON.
    """
    path = locate_candidates(gold)
    if not path.is_file():
        return None
    ids = parse_json(read_text(path, str(path)), str(path))
    if not isinstance(ids, list) or not ids or not all(isinstance(key, str) for key in ids):
        raise DataError(f"{path}: {shown(ids)}; expected a list of ids, which are texts")
    return frozenset(ids)


def _require_distinct(where: str, candidates: Collection[str]) -> None:
    seen: set[str] = set()
    for candidate in candidates:
        if candidate in seen:
            raise DataError(f"{where}: candidate {show_id(candidate)} occurs twice; list every candidate once")
        seen.add(candidate)


def read_gold_answers(path: Path) -> dict[str, list[str]]:
    """The right answers to each question, by id, from SQuAD's JSON.

    Raises DataError for another kind of JSON, and for a question that the file has twice.
    """
    questions = list(squad_rows(read_text(path, str(path)), str(path)))
    answers: dict[str, list[str]] = {}
    asked: set[tuple[str, str, str]] = set()
    for question in questions:
        key, given = _json_label(question["id"]), question["answers"]
        if not isinstance(key, str):
            raise DataError(f"{path}: the question id {shown(key)} is neither a text nor a number")
        if not isinstance(given, list | None):
            raise DataError(f"{path}, question {show_id(key)}: the answers are {shown(given)}; expected a list")
        texts = [text for _, text in given or ()]
        if wrong := [text for text in texts if not isinstance(text, str)]:
            raise DataError(f"{path}, question {show_id(key)}: the answer {shown(wrong[0])} is not a text")
        before = key.rpartition("#")[0]  # squad_rows adds '#2' to an id that it has read before
        same = (before if before in answers else key, str(question["question"]), str(question["context"]))
        if key in answers or same in asked:
            raise DataError(f"{path}, question {show_id(key)}: the id occurs twice; give each question its own id")
        asked.add(same)
        answers[key] = texts
    return answers


def _read_object(path: Path, kind: type, expected: str) -> dict[str, Any]:
    content = parse_json(read_text(path, str(path)), str(path))
    if not isinstance(content, dict):
        raise DataError(f"{path}: a JSON {type(content).__name__}; expected {expected}")
    if wrong := [key for key, value in content.items() if not isinstance(value, kind)]:
        raise DataError(f"{path}, id {show_id(wrong[0])}: {shown(content[wrong[0]])}; expected {expected}")
    return content
