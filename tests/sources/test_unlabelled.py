"""Unlabelled text: running text, and the inputs of a target's dev part, never of a part that is scored."""

import gzip
import json
import re
from hashlib import sha256

import pytest

from stilts_core.errors import DataError, DataNotFound
from stilts_core.sources import publishers
from stilts_core.sources.parts import TextPart
from stilts_core.sources.publishers import (
    load,
    text_checksums,
    text_languages,
    unlabelled,
)
from stilts_core.tasks.auxiliaries import LONG_TEXT
from stilts_core.tasks.catalogue import TARGET_TASKS
from stilts_core.tasks.hub_layouts import HUB
from stilts_core.tasks.layouts import FILES, without_share

WORDS = ["a", "few", "words", "of", "no", "meaning", "that", "are", "enough", "for", "twelve", "different", "lines"]


def rows(count: int, word: str) -> str:
    return "".join(f"{word} {WORDS[i % 12]} {i}\t{word} other {i}\tneutral\n" for i in range(count))


def share(template: str) -> tuple[int, int]:
    found = re.search(r"\[(\d+):(\d+)\]", template)
    return (int(found[1]), int(found[2])) if found else (0, 100)


@pytest.mark.parametrize("name", TARGET_TASKS)
def test_no_layout_reads_the_inputs_of_what_it_scores(name):
    for layout in [*FILES[name], *filter(None, [HUB.get(name)])]:
        for template in layout.inputs:
            for scored in layout.test:
                (low, high), (first, last) = share(template), share(scored)
                apart = high <= first or last <= low
                assert without_share(template) != without_share(scored) or (apart and name == "pawsx"), template


def test_inputs_of_the_dev_part_are_read_in_every_language_without_labels(put):
    for code in ("en", "sw"):
        put(f"xtreme/xnli/test-{code}.tsv", rows(5, f"test-{code}"))
        root = put(f"xtreme/xnli/dev-{code}.tsv", rows(6, f"dev-{code}"))
    assert text_languages(origin="xnli", data=root) == ("en", "sw")
    texts = unlabelled("sw", origin="xnli", data=root)
    assert len(texts.items) == 12 and {text.language for text in texts.items} == {"sw"}
    assert all(text.text.startswith("dev-sw") for text in texts.items)
    assert texts.files == text_checksums("sw", origin="xnli", data=root)
    assert texts.files.keys() == {"xtreme/xnli/dev-sw.tsv", "xtreme/xnli/test-sw.tsv"}


def test_input_that_the_test_part_repeats_is_left_out_and_counted(put):
    put("xtreme/udpos/train-en.tsv", "a\tX\n")
    put("xtreme/udpos/dev-en.tsv", "a\tX\n")
    put("xtreme/udpos/test-sw.tsv", "sawa\tX\nsawa\tX\n\n")
    root = put("xtreme/udpos/dev-sw.tsv", "moja\tX\n\nsawa\tX\nsawa\tX\n\n")
    texts = unlabelled("sw", origin="udpos", data=root)
    assert [text.text for text in texts.items] == ["moja"] and texts.dropped == {"text of the test part": 1}


def test_dev_part_without_labels_is_text_like_any_other(put):
    put("xtreme/mlqa/MLQA_V1/test/test-context-en-question-en.json", "")
    question = {"id": "1", "question": "Wer?", "answers": []}
    paragraph = {"context": "Ein Satz.", "qas": [question, question | {"id": "2", "question": "Was?"}]}
    content = json.dumps({"data": [{"title": "t", "paragraphs": [paragraph]}]})
    root = put("xtreme/mlqa/MLQA_V1/dev/dev-context-de-question-de.json", content)
    texts = unlabelled("de", origin="mlqa", data=root).items
    assert [text.text for text in texts] == ["Ein Satz.", "Wer?", "Was?"]  # a context comes once


def test_share_of_parallel_items_is_the_dev_share_in_every_language(put):
    for code, label in (("en", 0), ("de", 1)):
        lines = [f"{WORDS[i % 12]} {i}\tother {i}\t{(i + label) % 2}\n" for i in range(200)]
        root = put(f"xtreme/pawsx/dev-{code}.tsv", "".join(lines))
    texts = {code: {text.text for text in unlabelled(code, origin="pawsx", data=root).items} for code in ("en", "de")}
    assert texts["en"] == texts["de"] and 0 < len(texts["de"]) < 200
    for split in ("train", "dev", "test"):
        items = load("pawsx", split, "de" if split == "test" else "en", data=root).items
        used = {text for item in items for text in (item.text_a, item.text_b)}
        assert (used & texts["de"] != set()) == (split == "dev")


@pytest.mark.parametrize("name", ["xquad", "tatoeba", "panx"])
def test_target_that_is_scored_on_its_only_part_gives_no_unlabelled_text(name, put):
    files = {"xquad": "xquad/xquad.de.json", "tatoeba": "tatoeba/tatoeba.deu-eng.deu", "panx": "panx/dev-de.tsv"}
    root = put(f"xtreme/{files[name]}", "")
    put("xtreme/tatoeba/tatoeba.deu-eng.eng", "")
    put("xtreme/panx/train-en.tsv", "")
    message = r"has no dev part in languages other than English.* its test part is never read .* leave text_source out"
    for call in (lambda: text_languages(origin=name, data=root), lambda: unlabelled("de", origin=name, data=root)):
        with pytest.raises(DataNotFound, match=message):
            call()


def test_inputs_of_bucc_are_the_sentences_of_its_dev_part(put):
    for split in ("dev", "test"):
        put(f"xtreme/bucc2018/de-en.{split}.de", "".join(f"de-{i}\t{split} satz {i}\n" for i in range(1, 4)))
        put(f"xtreme/bucc2018/de-en.{split}.en", "".join(f"en-{i}\t{split} line {i}\n" for i in range(1, 4)))
        root = put(f"xtreme/bucc2018/de-en.{split}.gold", "de-1\ten-2\n")
    texts = unlabelled("de", origin="bucc2018", data=root)
    assert [text.text for text in texts.items] == ["dev satz 1", "dev satz 2", "dev satz 3"]
    assert texts.files == text_checksums("de", origin="bucc2018", data=root)
    assert text_languages(origin="bucc2018", data=root) == ("de",)


def test_given_number_of_texts_is_chosen_by_hash_and_a_smaller_choice_is_part_of_a_larger(put, monkeypatch):
    root = put("text/sw.txt", "".join(f"line {i}\n" for i in range(50)))
    monkeypatch.setenv("STILTS_DATA", str(root))

    def chosen(limit: int, seed: int = 0) -> list[str]:
        return [text.text for text in TextPart(publishers, "sw", limit, seed=seed).read().items]

    assert len(chosen(0)) == 50 and len(chosen(60)) == 50
    assert len(chosen(10)) == 10 and set(chosen(10)) < set(chosen(20)) < set(chosen(0))
    assert chosen(10, seed=1) != chosen(10)


def test_long_text_is_read_packed_and_named_by_its_own_checksum(put):
    root = put("text/sw.txt", "moja\n")
    content = gzip.compress(b"mbili\n\ntatu\n")
    put("text_long/sw.txt.gz", content)
    put("text_long/wo.txt.gz", gzip.compress(b"benn\n"))
    long = {"origin": LONG_TEXT, "data": root}
    assert text_languages(data=root) == ("sw",) and text_languages(**long) == ("sw", "wo")
    texts = unlabelled("sw", **long)
    assert [text.text for text in texts.items] == ["mbili", "tatu"] and texts.dropped == {"empty line": 1}
    assert texts.files == text_checksums("sw", **long) == {"text_long/sw.txt.gz": sha256(content).hexdigest()}


@pytest.mark.parametrize("damage", [lambda packed: packed[:-9], lambda packed: b"moja\n", lambda packed: packed[:30]])
def test_packed_text_that_is_damaged_is_an_error_that_names_the_file(put, damage):
    packed = gzip.compress(" ".join(f"neno {i}" for i in range(200)).encode())
    root = put("text_long/sw.txt.gz", damage(packed))
    with pytest.raises(DataError, match=r"text_long/sw.txt.gz is not a whole gzip file: .*; download it again"):
        unlabelled("sw", origin=LONG_TEXT, data=root)


def test_file_without_text_is_an_error_that_names_it(put):
    root = put("text/sw.txt", "\n \n")
    with pytest.raises(DataError, match=r"text/sw.txt: no text in 'sw'; add text, or leave the language out"):
        unlabelled("sw", data=root)


def test_inputs_of_the_real_files_share_no_text_with_what_is_scored(data):
    for code in text_languages(origin="pawsx", data=data)[:2]:
        texts = unlabelled(code, origin="pawsx", data=data)
        scored = load("pawsx", "test", code, data=data).items
        assert texts.items and texts.files == text_checksums(code, origin="pawsx", data=data)
        used = {text for item in scored for text in (item.text_a, item.text_b)}
        assert not used & {text.text for text in texts.items}
