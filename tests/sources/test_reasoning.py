"""Logical and causal reasoning: every set is compared with a plain reading of the publisher's file."""

import json
import re
from collections import Counter

import pytest

from stilts_core.errors import DataError
from stilts_core.sources.formats import FORMATS
from stilts_core.sources.publishers import load
from stilts_core.sources.rows import Row, normalize
from stilts_core.tasks.catalogue import TASKS

ASKED = "Based on the above information, is the following statement true, false, or unknown?"
LOGIC = "english/logic_llm/ProofWriter/dev.json"
ITEM = {"id": "1", "context": "It rains.", "question": "Is it wet?", "options": ["A) True", "B) False"], "answer": "B"}
TWINS = """<?xml version="1.0"?><!DOCTYPE copa-corpus SYSTEM "copa.dtd"><copa-corpus>
<item id="{0}" asks-for="cause" most-plausible-alternative="2"><p>p {0}</p><a1>a</a1><a2>b</a2></item>
<item id="{1}" asks-for="effect" most-plausible-alternative="1"><p>p {1}</p><a1>a</a1><a2>b</a2></item>
</copa-corpus>"""


def both_parts(name: str, data) -> list:
    return [item for split in ("train", "dev") for item in load(name, split, data=data).items]


def answer(item) -> tuple[str, str, str]:
    return item.context, item.question, item.choices[item.label]


def read_logic(folder) -> set[tuple[str, str, str]]:
    """Context, question and right answer of every item that `logic` mixes with LogiQA 2.0."""
    right = set()
    for path in [*folder.glob("logic_llm/*/*.json"), *folder.glob("ar_lsat/AR_[TD][re][av]*.json")]:
        for row in json.loads(path.read_text()):
            for question in row.get("questions", [row]):
                option = question["options"]["ABCDEFG".index(question["answer"])]
                right.add(
                    (row.get("passage", row.get("context")), question["question"], re.sub(r"^[A-G]\)\s+", "", option))
                )
    for path in folder.glob("folio/*.jsonl"):
        for row in map(json.loads, path.read_text().splitlines()):
            asked = f"{ASKED} {row['conclusion']}"
            premises = " ".join(filter(None, map(str.strip, row["premises"])))
            right.add((premises, asked, row["label"].replace("Uncertain", "Unknown")))
    return right


def test_logic_has_every_item_of_six_sets_once_with_its_answer(data):
    items = both_parts("logic", data)
    logiqa = [json.loads(line) for name in ("dev", "test") for line in (data / f"english/logiqa2/{name}.txt").open()]
    right = read_logic(data / "english")
    expected = right | {(row["text"], row["question"], row["options"][row["answer"]]) for row in logiqa}
    assert {answer(item) for item in items} == expected
    assert len({item.id for split in ("train", "dev") for item in load("logic", split, data=data).items}) <= len(items)
    assert Counter(len(item.choices) for item in items).keys() == {2, 3, 4, 5, 7}
    assert "MED" in TASKS["logic"].note and "LogiQA" in load("logic", "train", data=data).stand_in


def test_logic_is_logiqa_alone_where_the_other_sets_are_missing(put, data):
    for name in ("dev", "test"):
        root = put(f"english/logiqa2/{name}.txt", (data / f"english/logiqa2/{name}.txt").read_bytes())
    put("english/folio/folio-train.jsonl", "{}")
    part = load("logic", "train", data=root)
    assert len(part.files) == 2 and part.stand_in.startswith("Logical reasoning is LogiQA 2.0 alone")
    missing = part.stand_in.split("Not found: ")[1]
    assert "english/folio/folio-validation.jsonl, " in missing and "folio-train" not in missing and "[" not in missing


def test_balanced_copa_is_copa_train_and_its_twins_without_xcopas_validation_part(data):
    items = both_parts("copa_balanced", data)
    # The same selection, made apart from this reader, is beside XCOPA's files
    rows = [json.loads(line) for line in (data / "xtreme/xcopa/train_balanced.en.jsonl").open()]
    kept = {(row["premise"], row["choice1"], row["choice2"], row["question"] == "cause", row["label"]) for row in rows}
    found = {(e.context.strip(), *map(str.strip, e.choices), "cause" in e.question, e.label) for e in items}
    assert found == kept and len(items) == 800
    validation = load("copa", "dev", data=data).items
    assert not {normalize(e.context) for e in validation} & {normalize(e.context) for e in items}
    choices = {frozenset(map(normalize, e.choices)) for e in validation}
    assert not choices & {frozenset(map(normalize, e.choices)) for e in items}


@pytest.mark.parametrize(("first", "kept"), [(399, True), (401, False), (500, False), (501, True)])
def test_items_of_xcopas_validation_part_and_their_twins_are_left_out_and_counted(put, first, kept):
    other = TWINS.format(1, 1001).split("\n", 1)[1].rsplit("\n", 1)[0]
    content = TWINS.format(first, first + 1000).replace("</copa-corpus>", f"{other}</copa-corpus>")
    root = put("english/balanced_copa/balanced-copa-dev-all.xml", content)
    ids = {e.id for e in load("copa_balanced", "train", data=root).items}
    assert {"1", "1001"} <= ids and (str(first) in ids) == (str(first + 1000) in ids) == kept
    assert sum(load("copa_balanced", "train", data=root).dropped.values()) == (0 if kept else 2)


def test_ecare_has_copas_form(data):
    rows = [json.loads(line) for line in (data / "english/e-care/Causal_Reasoning/dev.jsonl").open()]
    items = load("ecare", "dev", data=data).items
    assert [(e.id, e.context, *e.choices, e.label) for e in items] == [
        (row["index"], row["premise"], row["hypothesis1"], row["hypothesis2"], row["label"]) for row in rows
    ]
    assert [e.question == "What was the cause?" for e in items] == [row["ask-for"] == "cause" for row in rows]


def test_codah_and_piqa_have_every_item_of_the_file_with_its_answer(data):
    rows = [line.split("\t") for line in (data / "english/codah/full_data.tsv").read_text().split("\n") if line]
    expected = Counter((row[1], "", row[2 + int(row[6])]) for row in rows)
    assert Counter(map(answer, both_parts("codah", data))) == expected
    goals = [json.loads(line) for line in (data / "english/piqa/valid.jsonl").open()]
    labels = (data / "english/piqa/valid-labels.lst").read_text().split()
    expected = Counter((row["goal"], "", row[f"sol{int(n) + 1}"]) for row, n in zip(goals, labels, strict=True))
    assert Counter(map(answer, both_parts("piqa", data))) == expected


def test_labels_of_piqa_are_part_of_the_checksum_and_must_be_complete(put):
    put(
        "english/piqa/valid.jsonl",
        "".join(json.dumps({"goal": f"g{i}", "sol1": "a", "sol2": "b"}) + "\n" for i in range(30)),
    )
    root = put("english/piqa/valid-labels.lst", "0\n" * 30)
    files = load("piqa", "train", data=root).files
    put("english/piqa/valid-labels.lst", "1\n" * 30)
    assert load("piqa", "train", data=root).files.keys() == files.keys()
    assert load("piqa", "train", data=root).files != files
    put("english/piqa/valid-labels.lst", "1\n" * 29)
    with pytest.raises(DataError, match=r"valid-labels.lst has 29 labels, and .* 30 items; .* download both"):
        load("piqa", "train", data=root)
    put("english/piqa/valid-labels.lst", "1\n2\n" * 15)
    with pytest.raises(
        DataError, match=r"valid.jsonl, line 2, labelled in english/piqa/valid-labels.lst: 'label' is '2'"
    ):
        load("piqa", "train", data=root)


def test_med_and_taxinli_are_pairs_of_the_publishers_labels(data):
    rows = [line.split("\t") for line in (data / "english/med/MED.tsv").read_text().split("\n")[1:] if line]
    pairs = Counter((row[8], row[9], row[15]) for row in rows)
    assert Counter((e.text_a, e.text_b, e.label) for e in both_parts("med", data)) == pairs
    taxinli = both_parts("taxinli", data)
    mnli = {(e.text_a, e.text_b) for e in both_parts("mnli", data)}
    assert not mnli & {(e.text_a, e.text_b) for e in taxinli} and len(taxinli) == 2210 + 3912


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"options": ["True", "False"]}, r"dev.json, item 1: the options are .*; expected them to begin with A\), B\)"),
        ({"options": ["B) True", "A) False"]}, r"item 1: the options are"),
        ({"answer": "C"}, r"dev.json, item 1: answer is 'C'; expected one of A, B"),
        ({"context": ""}, r"'context' is empty"),
        ({"options": ["A) True", "B) "]}, r"item 1: the options are .* and a text"),
    ],
)
def test_faulty_items_of_logic_are_named(put, data, changes, message):
    for path in (data / "english").glob("[lfa][oor]*/**/*"):
        if path.is_file():
            root = put(str(path.relative_to(data)), path.read_bytes())
    put(LOGIC, json.dumps([ITEM | changes]))
    with pytest.raises(DataError, match=message):
        load("logic", "dev", data=root)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("<copa-corpus><item>", r"balanced-copa-dev-all.xml, line 1: .*download the file again"),
        (TWINS.format("x", 1001), r"item x: the id is 'x'; expected a whole number"),
        (
            TWINS.format(1, 1001).replace('alternative="2"', 'alternative="3"'),
            r"item 1: most-plausible-alternative is '3'",
        ),
        (TWINS.format(1, 1001).replace("<p>p 1</p>", ""), r"item 1: 'premise' is empty"),
    ],
)
def test_faulty_balanced_copa_is_named(put, content, message):
    root = put("english/balanced_copa/balanced-copa-dev-all.xml", content)
    with pytest.raises(DataError, match=message):
        load("copa_balanced", "train", data=root)


@pytest.mark.parametrize("encoding", ["latin-1", "shift_jis", "no-such-encoding"])
def test_balanced_copa_is_utf8_whatever_it_declares_and_its_markup_is_removed(put, encoding):
    content = (
        TWINS.format(1, 1001).replace('"1.0"', f'"1.0" encoding="{encoding}"').replace("p 1<", "caf\u00e9 <b>1</b><")
    )
    root = put("english/balanced_copa/balanced-copa-dev-all.xml", content)
    assert "caf\u00e9 1" in {e.context for e in load("copa_balanced", "train", data=root).items}


@pytest.mark.parametrize(
    ("name", "fields", "message"),
    [
        ("folio", {"premises": []}, r"x, line 1: 'premises' is empty \(\[\]\)"),
        ("folio", {"premises": ["", " "]}, r"x, line 1: 'premises' is empty"),
        ("ar_lsat", {"id": None}, r"x, line 1: no id in 'id'"),
        ("e-care", {"ask-for": "Cause"}, r"x, line 1: 'ask-for' is 'Cause'; expected cause or effect"),
        ("e-care", {"index": None}, r"x, line 1: no id in 'index'"),
    ],
)
def test_faulty_row_of_reasoning_is_named(name, fields, message):
    whole = {"label": "True", "conclusion": "It is.", "ask-for": "cause", "hypothesis1": "a", "hypothesis2": "b"}
    row = Row(whole | {"label": 0 if name == "e-care" else "True", "premise": "p", "index": "1"} | fields, "x", 1)
    with pytest.raises(DataError, match=message):
        FORMATS[f"english/{name}"].example(row, TASKS["logic"], "en")
