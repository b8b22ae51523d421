"""The files of a submission folder in XTREME's layout: `<task>/test-<language>.{tsv,json,jsonl}`.

Predictions and gold labels have the same form, but for questions, whose gold file is SQuAD's JSON.
"""

import json
from collections.abc import Mapping, Sequence
from enum import Enum
from pathlib import Path
from typing import Any

from stilts_core.errors import DataError
from stilts_core.sources.rows import json_lines, lines, parse_json, read_text
from stilts_core.sources.xtreme import squad_rows
from stilts_core.storage.atomic import write_whole
from stilts_core.tasks.catalogue import Task, get_task
from stilts_core.tasks.examples import SpanExample


class Form(Enum):
    """What a file contains, by the kind of task."""

    LABELS = "a label in each line (sentence pairs, multiple choice, Tatoeba), or in XCOPA's JSON objects"
    TAGS = "a tag in each line, with a blank line after each sentence"
    PAIRS = "a mined pair of ids in each line, with a tab between them (BUCC)"
    ANSWERS = "one JSON object of answers by question id"
    RANKINGS = "one JSON object of ranked candidates by query id (LAReQA, Mewsli-X)"


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
    """Write the gold labels of one task and language under `root`, to score predictions later without the data."""
    task = get_task(name)
    if task.family == "span":
        articles = [_article(example) for example in examples]
        return _write(root, task, language, _to_json({"version": "1.1", "data": articles}))
    if task.family == "retrieval":
        (test,) = examples
        candidates = {query.id: sorted(test.gold.get(query.id, ())) for query in test.queries}
        return _write(root, task, language, _format_candidates(task, candidates))
    labels = [example.tags if task.family == "tagging" else example.label for example in examples]
    return _write(root, task, language, _format_labels(task, examples, labels))


def _write(root: Path, task: Task, language: str, text: str) -> Path:
    return write_whole(root / task.name / f"test-{language}{suffixes(task)[0]}", text)


def _format_labels(task: Task, examples: Sequence[Any], labels: Sequence[Any]) -> str:
    if task.family == "tagging":
        return "".join("\n".join([*tags, "\n"]) for tags in labels)
    if task.family == "choice":
        objects = ({"idx": example.id, "label": label} for example, label in zip(examples, labels, strict=True))
        return "".join(json.dumps(fields, ensure_ascii=False) + "\n" for fields in objects)
    return "".join(f"{label}\n" for label in labels)


def _format_candidates(task: Task, candidates: Mapping[str, list[str]]) -> str:
    match form_of(task):
        case Form.RANKINGS:
            return _to_json({query: ids for query, ids in candidates.items() if ids})
        case Form.PAIRS:
            return "".join(f"{query}\t{candidate}\n" for query, ids in candidates.items() for candidate in ids)
    return "".join(f"{ids[0]}\n" for ids in candidates.values())


def _to_json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _article(example: SpanExample) -> dict[str, Any]:
    """A question in SQuAD's JSON."""
    answers = [{"answer_start": start, "text": text} for start, text in example.answers]
    question = {"id": example.id, "question": example.question, "answers": answers}
    return {"title": example.group, "paragraphs": [{"context": example.context, "qas": [question]}]}


def read_labels(path: Path, task: Task) -> list[str]:
    """One label an example. Raises DataError for a label that the task does not have."""
    text = read_text(path, str(path))
    if path.suffix == ".jsonl":
        labels = [str(fields["label"]) for fields in json_lines(text, str(path))]
    else:
        labels = [line.strip() for line in lines(text)]
    for number, label in enumerate(labels, start=1):
        if task.labels and label not in task.labels:
            raise DataError(f"{path}, line {number}: unknown label {label!r}; expected one of {', '.join(task.labels)}")
        if not task.labels and not label.isdecimal():
            raise DataError(f"{path}, line {number}: {label!r} is not a number; expected an index that counts from 0")
    return labels


def read_tags(path: Path, task: Task) -> list[list[str]]:
    """The tags of each sentence. Raises DataError for a tag that the task does not have."""
    sentences: list[list[str]] = [[]]
    for number, line in enumerate(lines(read_text(path, str(path))), start=1):
        tag = line.strip()
        if tag and task.labels and tag not in task.labels:
            raise DataError(f"{path}, line {number}: unknown tag {tag!r}; expected one of {', '.join(task.labels)}")
        if tag:
            sentences[-1].append(tag)
        elif sentences[-1]:
            sentences.append([])
    return sentences if sentences[-1] else sentences[:-1]


def read_pairs(path: Path) -> dict[str, list[str]]:
    """The candidates of each query. Raises DataError for a line that is not two ids with a tab between them."""
    pairs: dict[str, list[str]] = {}
    for number, line in enumerate(lines(read_text(path, str(path))), start=1):
        cells = line.strip().split("\t")
        if len(cells) != 2:
            raise DataError(f"{path}, line {number}: {line!r} is not two ids with a tab between them")
        pairs.setdefault(cells[0], []).append(cells[1])
    return pairs


def read_answers(path: Path) -> dict[str, str]:
    """The predicted answer to each question, by id. Raises DataError for another kind of JSON."""
    return _read_object(path, str, "an object of texts by id")


def read_rankings(path: Path) -> dict[str, list[str]]:
    """The ranked candidates of each query, by id. Raises DataError for another kind of JSON."""
    return _read_object(path, list, "an object of lists by id")


def read_gold_answers(path: Path) -> dict[str, list[str]]:
    """The right answers to each question, by id, from SQuAD's JSON."""
    questions = squad_rows(read_text(path, str(path)), str(path))
    return {question["id"]: [text for _, text in question["answers"]] for question in questions}


def _read_object(path: Path, kind: type, expected: str) -> dict[str, Any]:
    content = parse_json(read_text(path, str(path)), str(path))
    if not isinstance(content, dict):
        raise DataError(f"{path}: a JSON {type(content).__name__}; expected {expected}")
    if wrong := [key for key, value in content.items() if not isinstance(value, kind)]:
        raise DataError(f"{path}, id {wrong[0]}: {content[wrong[0]]!r}; expected {expected}")
    return content
