"""No item of a test part is in a training part, over every pair of sets that share a family.

Texts are compared without case, punctuation and spaces, by a comparison of the test's own.
"""

import re
from functools import cache

import pytest

from stilts_core.sources.publishers import available_languages, load
from stilts_core.tasks.catalogue import TASKS
from stilts_core.tasks.layouts import FILES

TRAINED = [name for name, row in TASKS.items() if row.trained_on == name and name != "mewslix"]
FAMILIES = ("pair", "span", "choice", "tagging")


def plain(*texts: str) -> str:
    return "|".join(re.sub(r"[^\w|]|_", "", text.lower()) for text in texts)


def keys(item, family: str) -> set[str]:
    """What must not be shared: the pair in either order, the paragraph, the premise with its choices, or the words."""
    match family:
        case "pair":
            return {plain(*sorted((item.text_a, item.text_b)))}
        case "span":
            return {plain(item.context)}
        case "choice":
            return {plain(item.context, item.question, *sorted(item.choices))}
    return {plain("".join(item.words))}


@cache
def part(name: str, split: str, language: str, root) -> frozenset[str]:
    family = TASKS[name].family
    return frozenset(key for e in load(name, split, language, data=root).items for key in keys(e, family))


@cache
def scored(family: str, root) -> dict[tuple[str, str], frozenset[str]]:
    """English items, which alone can be in an English training part; of tagged sentences, those of some languages."""
    found = {}
    for name, row in TASKS.items():
        if row.is_target and row.family == family:
            available = available_languages(name, data=root)
            some = ("en", "pt", "uk", "pcm") if family == "tagging" else ("en",)
            for code in (code for code in some if code in available):
                found[name, code] = part(name, "test", code, root)
    if family == "choice":  # XCOPA's test part has no English; its validation part has
        found["xcopa", "val"] = part("copa", "dev", "en", root)
    return found


@pytest.mark.parametrize("name", TRAINED)
def test_no_item_of_a_test_part_is_in_a_training_part(data, name):
    tests = scored(TASKS[name].family, data)
    train = part(name, "train", "en", data)
    assert train and tests
    assert {place: len(train & test) for place, test in tests.items() if train & test} == {}


def test_every_family_with_training_and_test_parts_is_compared():
    assert {TASKS[name].family for name in TRAINED} == set(FAMILIES) and set(TRAINED) < set(FILES)


@pytest.mark.parametrize("name", ["panx", "tydiqa"])
def test_left_out_items_are_counted_and_the_test_files_are_named(data, name):
    train = load(name, "train", data=data)
    assert any(reason.startswith(("sentence also", "paragraph also")) for reason in train.dropped)
    other = "xtreme/mlqa/MLQA_V1/dev/dev-context-en-question-en.json" if name == "tydiqa" else "test files of panx"
    assert other in train.files


def test_sentence_of_any_language_and_layout_is_left_out_of_training(put):
    for name in ("train-en", "dev-en"):
        put(f"xtreme/udpos/{name}.tsv", "Best\tADJ\nregards\tNOUN\n\nTwo\tNUM\n\nWe\tPRON\nswim\tVERB\n\nIt\tPRON\n")
    put("xtreme/udpos/test-de.tsv", "best\tX\nRegards\tX\n.\tPUNCT\n\nEr\tPRON\n")
    root = put("lowres/masakhapos/pcm/test.txt", "Two NUM\n\nWetin PRON\n")
    put("xtreme/panx/train-en.tsv", "x\tO\n")
    put("xtreme/panx/dev-de.tsv", "de:We\tO\nde:swim\tO\n")
    train = load("udpos", "train", data=root)
    assert [e.words for e in train.items] == [("It",)]
    assert set(train.dropped.values()) == {1} and len(train.dropped) == 3
    put("lowres/masakhapos/pcm/test.txt", "iso\ttalo NOUN\n\nTwo NUM\n")  # faulty, and still held out
    assert [e.words for e in load("udpos", "train", data=root).items] == [("It",)]
    put("lowres/masakhapos/pcm/test.txt", "Two NUM\n")
    before = train.files
    put("lowres/masakhapos/pcm/test.txt", "Three NUM\n")
    assert load("udpos", "train", data=root).files != before


def test_sentence_is_left_out_however_its_accents_are_written(put):
    put("xtreme/udpos/dev-en.tsv", "It\tPRON\n")
    put("xtreme/udpos/train-en.tsv", "caf\u00e9\tNOUN\n\ncafe\tNOUN\n")
    root = put("xtreme/udpos/test-de.tsv", "cafe\u0301\tNOUN\n")
    assert [e.words for e in load("udpos", "train", data=root).items] == [("cafe",)]
