import hashlib
import json
import re

import pytest

from stilts_core.errors import ConfigError, DataError, DataNotFound
from stilts_core.sources.publishers import available_languages, load, unlabelled
from stilts_core.sources.repair import repaired_questions
from stilts_core.sources.status import data_status, describe_unlisted
from stilts_core.tasks.catalogue import TASKS

LACKING = {"mewslix"}


@pytest.mark.parametrize("name", [name for name, row in TASKS.items() if row.trained_on and name not in LACKING])
def test_train_and_dev_parts_share_no_group(data, name):
    train, dev = load(name, "train", data=data), load(name, "dev", data=data)
    assert train.items and dev.items
    published = ("qqp", "udpos", "panx", "copa", "ccg", "ecare")  # trained on the publishers' own split
    if TASKS[name].trained_on not in published:
        assert not {e.group for e in train.items} & {e.group for e in dev.items}
    for part in (train, dev):
        assert len({e.id for e in part.items}) == len(part.items)
        assert {e.language for e in part.items} == {"en"}


@pytest.mark.parametrize("name", [n for n, row in TASKS.items() if "target" in row.roles and n not in LACKING])
def test_every_target_loads_in_every_available_language(data, name):
    codes = available_languages(name, data=data)
    known = {code for codes in TASKS[name].languages.values() for code in codes}
    assert codes and set(codes) <= known
    for code in codes[:4]:
        examples = load(name, "test", code, data=data)
        assert {item.language for item in examples.items} == {code}


def test_checksums_are_those_of_the_manifest(data):
    manifest = (data / "MANIFEST.tsv").read_text().splitlines()[1:]
    known = {line.split("\t")[0]: line.split("\t")[2] for line in manifest}
    for name, split, code in (("anli", "train", "en"), ("pawsx", "test", "de"), ("bucc2018", "dev", "zh")):
        files = load(name, split, code, data=data).files
        assert files and files == {file: known[file] for file in files}


def test_checksum_is_of_the_file_that_was_read(put):
    content = "a\tb\tneutral\n"
    root = put("xtreme/xnli/test-en.tsv", content)
    expected = hashlib.sha256(content.encode()).hexdigest()
    assert load("xnli", "test", data=root).files == {"xtreme/xnli/test-en.tsv": expected}


def test_missing_files_are_an_error_that_lists_the_expected_ones(tmp_path):
    with pytest.raises(
        DataNotFound, match=r"Expected files: english/ccg/train.tsv, .*; or english/brown/train.tsv.*STILTS_DATA"
    ):
        load("ccg", "train", data=tmp_path)
    with pytest.raises(DataNotFound, match=r"is not a folder; STILTS_DATA must name"):
        load("ccg", "train", data=tmp_path / "nowhere")


def test_missing_language_is_named_with_its_file(put):
    root = put("xtreme/xnli/test-en.tsv", "a\tb\tneutral\n")
    with pytest.raises(DataNotFound, match=r"xtreme/xnli/test-sw.tsv not found"):
        load("xnli", "test", "sw", data=root)


def test_file_of_one_language_in_the_place_of_another_is_noted(put):
    for code, premise in (("en", "a"), ("de", "a"), ("fr", "c")):
        root = put(f"xtreme/xnli/test-{code}.tsv", f"{premise}\tb\tneutral\n")
    for code in ("de", "en"):
        note = load("xnli", "test", code, data=root).stand_in
        assert note.startswith("xtreme/xnli/test-de.tsv and xtreme/xnli/test-en.tsv have the same content")
    assert load("xnli", "test", "fr", data=root).stand_in is None


def test_file_in_a_language_that_is_not_listed_is_named(put):
    for code in ("en", "de", "qqq"):
        root = put(f"xtreme/xnli/test-{code}.tsv", f"a\tb {code}\tneutral\n")
    put("xtreme/xnli/test-notes.tsv", "none\n")
    assert sorted(available_languages("xnli", data=root)) == ["de", "en"]
    assert data_status("xnli", root).endswith(
        "not read, as languages.csv lists no such language: xtreme/xnli/test-qqq.tsv (CONTRIBUTING.md: add a language)"
    )
    with pytest.raises(ConfigError, match=r"no language 'qqq' .* 'Add a language' in CONTRIBUTING.md"):
        load("xnli", "test", "qqq", data=root)
    for side in ("qqq", "eng"):
        put(f"xtreme/tatoeba/tatoeba.qqq-eng.{side}", f"{side}\n")
        put(f"xtreme/tatoeba/tatoeba.deu-eng.{side.replace('qqq', 'deu')}", f"{side}\n")
    assert describe_unlisted("tatoeba", root).count("tatoeba.qqq-eng.qqq") == 1
    assert describe_unlisted("mnli", put("english/mnli/dev_matched.tsv", "")) is None


def test_gold_tags_without_an_entity_are_an_error(put):
    for part in ("train-en", "dev-en", "test-en"):
        put(f"xtreme/panx/{part}.tsv", "Anna\tB-PER\n")
    root = put("xtreme/panx/test-de.tsv", "Anna\tO\nging\tO\n\n" * 20)
    with pytest.raises(DataError, match=r"test-de.tsv: every tag is O, so there is no entity to find"):
        load("panx", "test", "de", data=root)
    put("xtreme/panx/test-de.tsv", "Anna\tO\nging\tO\n\n" * 19)
    assert len(load("panx", "test", "de", data=root).items) == 19


def test_training_on_one_label_is_noted(put):
    rows = [f"premise {i}\thypothesis\tneutral\n" for i in range(400)]
    root = put("english/mnli/dev_matched.tsv", "".join(["sentence1\tsentence2\tgold_label\n", *rows]))
    for split in ("train", "dev"):
        note = load("mnli", split, data=root).stand_in
        assert re.search(rf"All \d+ labelled items of the {split} part of mnli have the label 'neutral'", note)
    put("english/mnli/dev_matched.tsv", "".join(["sentence1\tsentence2\tgold_label\n", *rows[:20]]))
    assert "labelled items" not in (load("mnli", "train", data=root).stand_in or "")


def test_tagging_trained_on_one_tag_is_noted(put):
    for part in ("dev-en", "test-en"):
        put(f"xtreme/panx/{part}.tsv", "Anna\tB-PER\n")
    root = put("xtreme/panx/train-en.tsv", "We\tO\nstay\tO\n\n" * 20)
    assert (
        "All 20 labelled items of the train part of panx have the label 'O'"
        in load("panx", "train", data=root).stand_in
    )


def test_training_on_unanswerable_questions_alone_is_noted(put):
    questions = [{"id": str(i), "question": "Where?", "answers": [], "is_impossible": True} for i in range(20)]
    part = {"data": [{"title": "t", "paragraphs": [{"context": "No place is named.", "qas": questions}]}]}
    put("english/squad_v2/dev-v2.0.json", json.dumps(part))
    root = put("english/squad_v2/train-v2.0.json", json.dumps(part))
    note = "All 20 labelled items of the train part of squad_v2 have the label 'unanswerable'"
    assert note in load("squad_v2", "train", data=root).stand_in
    questions[0] |= {"answers": [{"text": "place", "answer_start": 3}], "is_impossible": False}
    put("english/squad_v2/train-v2.0.json", json.dumps(part))
    assert load("squad_v2", "train", data=root).stand_in is None


def test_part_without_items_is_an_error_with_its_cause(put):
    root = put("xtreme/udpos/test-de.tsv", "\n\n")
    for part in ("train-en", "dev-en"):
        put(f"xtreme/udpos/{part}.tsv", "see\tVERB\n")
    with pytest.raises(DataError, match=r"test-de.tsv: the test part of udpos has no items; are the files whole"):
        load("udpos", "test", "de", data=root)
    root = put("english/mnli/dev_matched.tsv", "sentence1\tsentence2\tgold_label\na\tb\t-\n")
    with pytest.raises(DataError, match=r"no items remain for the (train|dev) part of mnli; left out .*: 1\); add"):
        for split in ("train", "dev"):
            load("mnli", split, data=root)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mnli", "validation"), r"no part 'validation' of mnli; choose one of train, dev, test"),
        (("xnli", "train", "de"), r"the train part of xnli is English"),
        (("mnli", "test"), r"mnli has no test part; it has train, dev"),
        (("tatoeba", "train"), r"tatoeba has no train part; it has test"),
    ],
)
def test_unknown_part_is_an_error(put, arguments, message):
    for name in ("english/mnli/dev_matched.tsv", "xtreme/tatoeba/tatoeba.deu-eng.deu"):
        root = put(name, "sentence1\tsentence2\tgold_label\na\tb\tneutral\n")
    put("xtreme/tatoeba/tatoeba.deu-eng.eng", "x\n")
    with pytest.raises(DataError, match=message):
        load(*arguments, data=root)


def test_data_root_is_taken_from_the_environment(put, monkeypatch):
    monkeypatch.setenv("STILTS_DATA", str(put("xtreme/xnli/test-en.tsv", "a\tb\tneutral\n")))
    assert len(load("xnli", "test").items) == 1


def test_repaired_questions_of_xcopa_are_those_in_which_a_file_contradicts_the_others(data):
    raw = {
        code: [json.loads(line)["question"] for line in (data / f"xtreme/xcopa/test.{code}.jsonl").open()]
        for code in available_languages("xcopa", data=data)
    }
    for code, questions in raw.items():
        wrong = [str(i) for i, (one, right) in enumerate(zip(questions, raw["et"], strict=True)) if one != right]
        assert list(repaired_questions("xcopa", code, data=data)) == wrong
    assert len(repaired_questions("xcopa", "th", data=data)) == raw["et"].count("cause")  # Thai has only effects
    agreeing = {e.id: e.question for e in load("xcopa", "test", "et", data=data).items}
    for id, question in repaired_questions("xcopa", "th", data=data).items():
        assert question == agreeing[id]


def test_labels_of_xcopa_need_no_repair(data):
    labels = {
        tuple(e.label for e in load("xcopa", "test", c, data=data).items)
        for c in available_languages("xcopa", data=data)
    }
    assert len(labels) == 1


def test_unlabelled_text_is_every_line_of_the_file(data):
    examples = unlabelled("ja", data=data)
    assert [e.text for e in examples.items] == (data / "text/ja.txt").read_text().split("\n")[:-1]
    with pytest.raises(DataNotFound, match=r"no unlabelled text in 'ht': not found .* file: text/ht.txt"):
        unlabelled("ht", data=data)


def test_status_counts_the_available_data(data, tmp_path):
    assert data_status("xquad", data).startswith("found: 12 languages, 1,190 items each")
    assert "stands in for QQP" in data_status("qqp", data)
    assert f"not found under {tmp_path}" in data_status("xquad", tmp_path)


def test_xquad_is_read_from_xquad_r_where_only_that_is_available(data, tmp_path):
    (tmp_path / "xtreme").mkdir()
    (tmp_path / "xtreme/lareqa").symlink_to(data / "xtreme/lareqa")
    ours, usual = (load("xquad", "test", "el", data=root).items for root in (tmp_path, data))
    assert [(e.id, e.question, e.answers) for e in ours] == [(e.id, e.question, e.answers) for e in usual]


def test_unlabelled_xcopa_item_stays_in_the_test_part(put):
    row = {"premise": "a", "choice1": "b", "choice2": "c", "question": "cause", "label": -1, "idx": 0}
    root = put("xtreme/xcopa/test.it.jsonl", json.dumps(row))
    assert load("xcopa", "test", "it", data=root).items[0].label is None
