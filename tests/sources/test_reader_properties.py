"""Arbitrary bytes, JSON and hub rows give examples or a DataError, and never another exception."""

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stilts_core.errors import DataError
from stilts_core.sources import hub, retrieval
from stilts_core.sources.formats import FORMATS
from stilts_core.sources.publishers import load
from stilts_core.sources.rows import Row, read_text
from stilts_core.tasks.catalogue import TASKS
from stilts_core.tasks.layouts import FILES

few = settings(
    deadline=None,
    max_examples=40,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

NAMES = (
    "id", "idx", "ind", "label", "context", "question", "answers", "answer_start", "text", "choices", "endings", "ctx",
    "activity_label", "answerKey", "stem", "premise", "hypothesis", "choice1", "choice2", "correct", "answerA",
    "answerB", "answerC", "sentence1", "sentence2", "gold_label", "pairID", "uid", "words", "tags", "data",
    "paragraphs", "qas", "title", "sentence_breaks", "gold", "tokens", "entity", "entity_id", "description",
    "contextual_mention", "mention", "mentions", "mention_span", "start", "end", "example_id", "sentence_spans",
)  # fmt: skip
scalars = st.one_of(
    st.none(), st.booleans(), st.integers(-3, 5), st.floats(), st.text(max_size=4),
    st.sampled_from(["", " ", "a", "0", "1", "A", "cause", "-"]),
)  # fmt: skip
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(st.sampled_from(NAMES), values, max_size=8)
noise = st.one_of(
    st.binary(max_size=60),
    st.text(st.sampled_from('ab0\t\n\r "{}[],:\\\ud83d-'.replace("\ud83d", "ü")), max_size=60).map(str.encode),
    values.map(lambda value: json.dumps(value).encode()),
    st.lists(objects, max_size=3).map(lambda rows: "\n".join(map(json.dumps, rows)).encode()),
)
BY_FOLDER = {
    layout.format or "/".join(path.split("/")[:2]): TASKS[name]
    for name, layouts in FILES.items()
    for layout in layouts
    for path in layout.paths
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("noise")


def examples_or_data_error(make) -> None:
    try:
        make()
    except DataError as error:
        assert str(error).strip()


@few
@given(content=noise)
def test_any_bytes_give_examples_or_an_error(folder, content):
    path = folder / "file.jsonl"
    path.write_bytes(content)
    for name, (rows, example, *_) in FORMATS.items():

        def read(task=BY_FOLDER[name], rows=rows, example=example):
            return [example(row, task, "en") for row in rows(read_text(path, "file"), "file")]

        examples_or_data_error(read)


CHOICE = {"label": "A", "text": "a"}
RIGHT = {
    "english/anli": {"uid": "u", "context": "a", "hypothesis": "b", "label": "e"},
    "english/snli": {"pairID": "u", "sentence1": "a", "sentence2": "b", "gold_label": "neutral"},
    "english/qqp": {"id": "1", "question1": "a", "question2": "b", "is_duplicate": "1"},
    "english/hellaswag": {"ind": 1, "activity_label": "a", "ctx": "b", "endings": ["a", "b"], "label": 1},
    "english/cosmosqa": {"id": "c", "context": "a", "question": "b", "answers": ["a", "b", "c"], "label": 1},
    "english/commonsense_qa": {
        "id": "q", "answerKey": "A", "question": {"stem": "a", "choices": [CHOICE, CHOICE | {"label": "B"}]},
    },
    "english/logiqa2": {"id": 1, "text": "a", "question": "b", "options": ["a", "b"], "answer": 1},
    "xtreme/socialiqa": {
        "context": "a", "question": "b", "answerA": "a", "answerB": "b", "answerC": "c", "correct": "A",
    },
    "xtreme/xcopa": {"idx": 1, "premise": "a", "choice1": "b", "choice2": "c", "question": "cause", "label": 0},
    "xtreme/xnli": {"premise": "a", "hypothesis": "b", "label": "neutral"},
    "xtreme/pawsx": {"sentence1": "a", "sentence2": "b", "label": "0"},
    "xtreme/udpos": {"words": ["a", "b"], "tags": ["NOUN", "X"]},
    "xtreme/panx": {"words": ["a", "b"], "tags": ["O", "B-LOC"]},
}  # fmt: skip


def faulty(fields: dict, value) -> list[dict]:
    """The object with each field, or the first part of a list or object in it, replaced by a value."""
    found = [fields | {column: value} for column in fields]
    for column, whole in fields.items():
        if isinstance(whole, list) and not isinstance(whole[0], tuple):
            found.append(fields | {column: [value, *whole[1:]]})
        if isinstance(whole, dict):
            found += [fields | {column: inner} for inner in faulty(whole, value)]
    return found


@few
@given(value=values)
def test_one_wrong_field_gives_an_example_or_an_error(value):
    for name, right in RIGHT.items():
        assert FORMATS[name].example(Row(right, "file", 1), BY_FOLDER[name], "en").language == "en"
        for fields in faulty(right, value):
            row = Row(fields, "file", 1)
            examples_or_data_error(lambda r=row, n=name: FORMATS[n].example(r, BY_FOLDER[n], "en"))


def squad_like(kind):
    """Objects that are nearly in SQuAD's form: each part may be replaced by any value."""

    def fields(**parts):
        return st.fixed_dictionaries({name: part | kind for name, part in parts.items()}) | kind

    answer = fields(answer_start=st.integers(-2, 9), text=st.just("ab"))
    item = fields(id=st.just("q"), question=st.just("?"), answers=st.lists(answer, max_size=2))
    breaks = st.just([[0, 3], [3, 5]])
    paragraph = fields(context=st.just("ab ab"), qas=st.lists(item, max_size=2), sentence_breaks=breaks)
    article = fields(title=st.just("t"), paragraphs=st.lists(paragraph, max_size=2))
    return st.fixed_dictionaries({"data": st.lists(article, max_size=2)})


@few
@given(content=squad_like(values))
def test_nearly_right_questions_give_examples_or_an_error(content):
    text, (rows, example, *_) = json.dumps(content), FORMATS["xtreme/xquad"]
    for task in (TASKS["xquad"], TASKS["squad_v2"]):
        examples_or_data_error(lambda t=task: [example(row, t, "en") for row in rows(text, "file")])
    examples_or_data_error(lambda: retrieval.lareqa("en", text, "file"))


@few
@given(row=objects, known=st.lists(objects, max_size=2))
def test_any_mewslix_object_gives_a_set_or_an_error(row, known):
    def read():
        entities = retrieval.mewslix_entities(Row(entity, "file", 1) for entity in known)
        return retrieval.mewslix_sets([Row(row, "file", 1)], entities)

    examples_or_data_error(read)


@few
@given(texts=st.lists(noise.map(lambda data: data.decode(errors="ignore")), min_size=3, max_size=3))
def test_any_texts_give_retrieval_sets_or_an_error(texts):
    examples_or_data_error(lambda: retrieval.tatoeba("de", texts[:2], ["file"] * 2))
    examples_or_data_error(lambda: retrieval.bucc("de", texts, ["file"] * 3))


def read_hub_row(address: str, fields: dict):
    folder, convert = hub.SCHEMAS[address][:2]
    split = f"{address}/a/b" if address.count("/") == 1 else f"{address}/b"
    row = hub.HubRow(fields, split, 1)
    if folder in ("xtreme/tatoeba", "xtreme/bucc2018"):
        make = retrieval.hub_bucc if folder == "xtreme/bucc2018" else retrieval.hub_tatoeba
        return make("de", [row], split, 0, 100)
    converted = convert(row, "en")
    return converted and FORMATS[folder].example(hub.HubRow(converted, split, 1), BY_FOLDER[folder], "en")


@few
@given(fields=objects, value=values)
def test_any_hub_row_gives_an_example_or_an_error(fields, value):
    answers = {"text": value, "answer_start": value}
    question = {"id": "english-1", "title": value, "context": "a", "question": "b", "answers": answers}
    choices = {"question": "a", "choices": {"text": value, "label": value}, "answerKey": value}
    sentences = {"sentence1": value, "sentence2": value, "gold": value}
    for address in hub.SCHEMAS:
        for row in (fields, question, choices, sentences, fields | {"label": value}):
            examples_or_data_error(lambda a=address, r=row: read_hub_row(a, r))


@few
@given(content=noise)
def test_any_file_under_the_data_root_gives_a_part_or_an_error(folder, content):
    for name, path in (("xnli", "test-de.tsv"), ("xcopa", "test.de.jsonl"), ("xquad", "xquad.de.json")):
        file = folder / "xtreme" / name / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        examples_or_data_error(lambda n=name: load(n, "test", "de", data=folder))
