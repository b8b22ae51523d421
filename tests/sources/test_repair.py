"""XCOPA's questions are repaired by the other languages where these are found, and else left as they are."""

import json

from stilts_core.sources.publishers import load
from stilts_core.sources.repair import repaired_questions
from stilts_core.tasks.catalogue import get_task

ITEM = {"premise": "a", "choice1": "b", "choice2": "c", "question": "cause", "label": 1}


def write_items(put, language, ids, question="cause"):
    rows = [json.dumps(ITEM | {"idx": number, "question": question}) + "\n" for number in ids]
    for file in ("train.en", "val.en"):
        put(f"xtreme/xcopa/{file}.jsonl", "".join(rows))
    return put(f"xtreme/xcopa/test.{language}.jsonl", "".join(rows))


def test_one_language_alone_is_read_without_repair(put):
    root = write_items(put, "th", range(3))
    assert len(load("xcopa", "test", "th", data=root).items) == 3
    assert repaired_questions("xcopa", "th", data=root) == {}


def test_items_that_other_languages_lack_are_not_repaired(put):
    for language in get_task("xcopa").questions_from:
        write_items(put, language, range(3))
    root = write_items(put, "th", [0, "mine", 77], question="effect")
    assert list(repaired_questions("xcopa", "th", data=root)) == ["0"]
