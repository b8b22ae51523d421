"""The files of a submission folder in XTREME's layout: `<task>/test-<language>.{tsv,json,jsonl}`.

Predictions and gold labels have the same form. By task: a label a line (sentence pairs), a tag a line with a blank
line between sentences, a candidate a line (Tatoeba), a pair of ids a line (BUCC), an object with a `label` a line
(XCOPA), or one object: of answers by question id, whose gold is SQuAD JSON, or of ranked candidates by query id
(LAReQA, Mewsli-X).
"""

import json
import os
import tempfile
from pathlib import Path

from stilts_core.catalogue import Task, task
from stilts_core.families.span import SpanExample
from stilts_core.sources.reading import DataError, json_lines, lines, parse_json, read_text
from stilts_core.sources.xtreme import squad_rows

# The endings that a kind of file may have; the first is the one that is written.
JSON, LINES, OBJECTS = (".json",), (".tsv",), (".jsonl", ".tsv")


def suffixes(row: Task) -> tuple[str, ...]:
    """The endings that a task's files may have."""
    if row.family == "span" or row.metric == "map":
        return JSON
    return OBJECTS if row.family == "choice" else LINES


def write_predictions(root: Path, name: str, language: str, examples: list, predictions: list) -> Path:
    """Write what a family's `decode` gave for a test set into the submission folder `root`; returns the path."""
    row = task(name)
    if row.family == "span":
        answers = {example.id: text for example, text in zip(examples, predictions, strict=True)}
        return _write(root, row, language, _object(answers))
    if row.family == "retrieval":
        (test,), (found,) = examples, predictions
        ranked = {query.id: list(found.get(query.id, ())) for query in test.queries}
        return _write(root, row, language, _candidates(row, ranked))
    return _write(root, row, language, _labels(row, examples, predictions))


def write_gold(root: Path, name: str, language: str, examples: list) -> Path:
    """Write the gold labels of a test set into the folder `root`, so that predictions are scored without its source."""
    row = task(name)
    if row.family == "span":
        return _write(root, row, language, _object({"version": "1.1", "data": [_article(item) for item in examples]}))
    if row.family == "retrieval":
        (test,) = examples
        right = {query.id: sorted(test.gold.get(query.id, ())) for query in test.queries}
        return _write(root, row, language, _candidates(row, right))
    gold = [example.tags if row.family == "tagging" else example.label for example in examples]
    return _write(root, row, language, _labels(row, examples, gold))


def _write(root: Path, row: Task, language: str, text: str) -> Path:
    path = root / row.name / f"test-{language}{suffixes(row)[0]}"
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, encoding="utf-8", newline="\n", delete=False) as file:
        file.write(text)
    os.chmod(file.name, 0o644)
    os.replace(file.name, path)
    return path


def _labels(row: Task, examples: list, labels: list) -> str:
    if row.family == "tagging":
        return "".join("\n".join([*tags, "\n"]) for tags in labels)
    if row.family == "choice":
        rows = ({"idx": example.id, "label": label} for example, label in zip(examples, labels, strict=True))
        return "".join(json.dumps(fields, ensure_ascii=False) + "\n" for fields in rows)
    return "".join(f"{label}\n" for label in labels)


def _candidates(row: Task, found: dict[str, list[str]]) -> str:
    if row.metric == "map":
        return _object({query: ids for query, ids in found.items() if ids})
    if row.metric == "accuracy":
        return "".join(f"{ids[0]}\n" for ids in found.values())
    return "".join(f"{query}\t{candidate}\n" for query, ids in found.items() for candidate in ids)


def _object(content: dict) -> str:
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _article(example: SpanExample) -> dict:
    answers = [{"answer_start": start, "text": text} for start, text in example.answers]
    question = {"id": example.id, "question": example.question, "answers": answers}
    return {"title": example.group, "paragraphs": [{"context": example.context, "qas": [question]}]}


def read_predictions(path: Path, row: Task) -> list | dict:
    """The predictions of one language: one a line or sentence as a list, or by id as a dict.

    Raises DataError for another encoding than UTF-8, invalid JSON, and labels or tags that the task does not have.
    """
    text = read_text(path, str(path))
    if row.family == "tagging":
        return _read_tags(text, path, row)
    if suffixes(row) == JSON:
        return _read_by_id(text, path, str if row.family == "span" else list)
    if row.family == "retrieval" and row.metric == "f1":
        return _read_pairs(text, path)
    return _read_labels(text, path, row)


def read_gold(path: Path, row: Task) -> list | dict:
    """The gold labels of one language, as predictions are read; of a question, the list of its right answers."""
    if row.family != "span":
        return read_predictions(path, row)
    questions = squad_rows(read_text(path, str(path)), str(path))
    return {question["id"]: [text for _, text in question["answers"]] for question in questions}


def _read_labels(text: str, path: Path, row: Task) -> list[str]:
    if path.suffix == ".jsonl":
        labels = [str(fields["label"]) for fields in json_lines(text, str(path))]
    else:
        labels = [line.strip() for line in lines(text)]
    for number, label in enumerate(labels, start=1):
        if row.labels and label not in row.labels:
            raise DataError(f"{path}, line {number}: unknown label {label!r}; expected one of {', '.join(row.labels)}")
        if not row.labels and not label.isdecimal():
            raise DataError(f"{path}, line {number}: {label!r} is not a number; expected an index that counts from 0")
    return labels


def _read_tags(text: str, path: Path, row: Task) -> list[list[str]]:
    sentences: list[list[str]] = [[]]
    for number, line in enumerate(lines(text), start=1):
        tag = line.strip()
        if tag and row.labels and tag not in row.labels:
            raise DataError(f"{path}, line {number}: unknown tag {tag!r}; expected one of {', '.join(row.labels)}")
        if tag:
            sentences[-1].append(tag)
        elif sentences[-1]:
            sentences.append([])
    return sentences if sentences[-1] else sentences[:-1]


def _read_pairs(text: str, path: Path) -> dict[str, list[str]]:
    pairs: dict[str, list[str]] = {}
    for number, line in enumerate(lines(text), start=1):
        cells = line.strip().split("\t")
        if len(cells) != 2:
            raise DataError(f"{path}, line {number}: {line!r} is not two ids with a tab between them")
        pairs.setdefault(cells[0], []).append(cells[1])
    return pairs


def _read_by_id(text: str, path: Path, kind: type) -> dict:
    content = parse_json(text, str(path))
    shape = f"an object of {'texts' if kind is str else 'lists'} by id"
    if not isinstance(content, dict):
        raise DataError(f"{path}: a JSON {type(content).__name__}; expected {shape}")
    if wrong := [key for key, value in content.items() if not isinstance(value, kind)]:
        raise DataError(f"{path}, id {wrong[0]}: {content[wrong[0]]!r}; expected {shape}")
    return content
