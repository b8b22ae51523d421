import hashlib
import json

import pytest

from stilts_core.catalogue import TASKS
from stilts_core.sources.load import available_languages, data_status, load, repaired_questions, unlabelled
from stilts_core.sources.reading import DataError, NotAtHand

LACKING = {"mewslix"}


@pytest.mark.parametrize("name", [name for name, row in TASKS.items() if row.trained_on and name not in LACKING])
def test_train_and_dev_parts_share_no_group(data, name):
    train, dev = load(name, "train", data=data), load(name, "dev", data=data)
    assert train.items and dev.items
    published = name in ("qqp", "udpos", "panx", "copa", "xcopa", "ccg")  # the publishers' own split
    if not published:
        assert not {e.group for e in train.items} & {e.group for e in dev.items}
    for part in (train, dev):
        assert len({e.id for e in part.items}) == len(part.items)
        assert {e.language for e in part.items} == {"en"}


@pytest.mark.parametrize("name", [n for n, row in TASKS.items() if "target" in row.roles and n not in LACKING])
def test_every_target_loads_in_every_language_at_hand(data, name):
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


def test_missing_files_are_listed_with_what_was_looked_for(tmp_path):
    with pytest.raises(
        NotAtHand, match=r"looked for english/ccg/train.tsv, .*; or else english/brown/train.tsv.*STILTS_DATA"
    ):
        load("ccg", "train", data=tmp_path)
    with pytest.raises(NotAtHand, match=r"is no folder; STILTS_DATA must name"):
        load("ccg", "train", data=tmp_path / "nowhere")


def test_missing_language_is_named_with_its_file(put):
    root = put("xtreme/xnli/test-en.tsv", "a\tb\tneutral\n")
    with pytest.raises(NotAtHand, match=r"no file .*xtreme/xnli/test-sw.tsv"):
        load("xnli", "test", "sw", data=root)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("mnli", "validation"), r"no part 'validation' of mnli; expected train, dev or test"),
        (("xnli", "train", "de"), r"the train part of xnli is English"),
        (("mnli", "test"), r"mnli has no test part; it has train, dev"),
        (("tatoeba", "train"), r"tatoeba has no train part; it has test"),
    ],
)
def test_part_that_is_not_there_is_refused(put, arguments, message):
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
        assert list(repaired_questions(code, data=data)) == wrong
    assert len(repaired_questions("th", data=data)) == raw["et"].count("cause")  # Thai asks for the effect throughout
    agreeing = {e.id: e.question for e in load("xcopa", "test", "et", data=data).items}
    for id, question in repaired_questions("th", data=data).items():
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
    with pytest.raises(NotAtHand, match=r"no unlabelled text in 'ht': looked for text/ht.txt"):
        unlabelled("ht", data=data)


def test_status_counts_what_is_at_hand(data, tmp_path):
    assert data_status("xquad", data).startswith("found here: 12 languages, 1,190 each")
    assert "stands in for QQP" in data_status("qqp", data)
    assert "is not at hand" in data_status("xquad", tmp_path)


def test_xquad_is_read_from_xquad_r_where_it_alone_is_at_hand(data, tmp_path):
    (tmp_path / "xtreme").mkdir()
    (tmp_path / "xtreme/lareqa").symlink_to(data / "xtreme/lareqa")
    ours, usual = (load("xquad", "test", "el", data=root).items for root in (tmp_path, data))
    assert [(e.id, e.question, e.answers) for e in ours] == [(e.id, e.question, e.answers) for e in usual]


def test_blind_xcopa_line_is_kept_in_a_test_part(put):
    row = {"premise": "a", "choice1": "b", "choice2": "c", "question": "cause", "label": -1, "idx": 0}
    root = put("xtreme/xcopa/test.it.jsonl", json.dumps(row))
    assert load("xcopa", "test", "it", data=root).items[0].label is None
