import re
from itertools import combinations

import pytest

from stilts_core.errors import DataError, DataNotFound
from stilts_core.laboratory import generator
from stilts_core.laboratory.language.design import LANGUAGES
from stilts_core.tasks.catalogue import INTERMEDIATE_TASKS, TASKS
from stilts_core.tasks.examples import (
    ChoiceExample,
    PairExample,
    RetrievalExample,
    RetrievalSet,
    SpanExample,
    TaggingExample,
    TextExample,
    texts_of_inputs,
)

FAMILIES = {
    "pair": PairExample,
    "choice": ChoiceExample,
    "tagging": TaggingExample,
    "span": SpanExample,
    "retrieval": RetrievalExample,
}
NAMES = list(generator.TASK_NAMES)
TRAINED = [name for name in NAMES if TASKS[name].trained_on]


@pytest.mark.parametrize("name", TRAINED)
def test_train_and_dev_parts_are_english_examples_of_the_family(name):
    for split in ("train", "dev"):
        assert generator.available_languages(name, split) == ("en",)
        items = generator.load(name, split, examples=20).items
        assert len(items) == 20 and {type(item) for item in items} == {FAMILIES[TASKS[name].family]}
        assert len({item.id for item in items}) == 20 and {item.language for item in items} == {"en"}


@pytest.mark.parametrize("name", [name for name in NAMES if "target" in TASKS[name].roles])
def test_targets_have_test_parts_in_every_language(name):
    codes = generator.available_languages(name)
    assert set(LANGUAGES) - set(codes) <= {"en"}
    for code in codes:
        items = generator.load(name, "test", code, examples=5).items
        retrieval = TASKS[name].family == "retrieval"
        assert {type(item) for item in items} == {RetrievalSet if retrieval else FAMILIES[TASKS[name].family]}
        assert {item.language for item in items} == {code}


@pytest.mark.parametrize("name", [name for name in NAMES if TASKS[name].parallel and TASKS[name].family != "retrieval"])
def test_parallel_items_mean_the_same_in_every_language(name):
    """All languages share the items, and therefore ids and labels."""
    english_items = generator.draw_items(name, "test", "en", examples=30)
    for code in LANGUAGES:
        assert generator.draw_items(name, "test", code, examples=30) == english_items
        items = generator.load(name, "test", code, examples=30).items
        english = generator.load(name, "test", "en", examples=30).items
        assert [item.id for item in items] == [item.id for item in english]
        if hasattr(items[0], "label"):
            assert [item.label for item in items] == [item.label for item in english]


@pytest.mark.parametrize("name", ["udpos", "panx", "mlqa", "tydiqa"])
def test_items_of_tasks_that_are_not_parallel_differ_between_languages(name):
    items = {code: generator.draw_items(name, "test", code, examples=30) for code in LANGUAGES}
    assert all(items["en"] != other for code, other in items.items() if code != "en")


def contents(items):
    """Yield the main text of every example: its premise, context, sentence, or candidates."""
    for item in items:
        match item:
            case PairExample():
                yield item.text_a
            case ChoiceExample():
                yield f"{item.context} {item.question}".strip()
            case SpanExample():
                yield item.context
            case TaggingExample():
                yield " ".join(item.words)
            case RetrievalExample():
                yield item.group
            case RetrievalSet():
                yield from (candidate.text for candidate in item.candidates)


@pytest.mark.parametrize("name", NAMES)
def test_no_text_occurs_in_two_parts(name):
    row = TASKS[name]
    if row.trained_on:
        parts = [("train", "en"), ("dev", "en"), *([("test", "en")] if "target" in row.roles else [])]
    else:
        parts = [("dev", "qfa"), ("test", "qfa")] if name == "bucc2018" else [("test", "qfa")]
    texts = [set(contents(generator.load(name, split, language, examples=300).items)) for split, language in parts]
    assert all(not one & other for one, other in combinations(texts, 2)) and all(texts)


def test_unlabelled_texts_of_two_languages_are_not_translations():
    """Translations would contain the same names."""
    parts = {code: generator.unlabelled(code, examples=200).items for code in ("en", "qdu", "qil")}
    assert {type(item) for items in parts.values() for item in items} == {TextExample}
    names = {code: [re.findall("[A-Z][a-z]+", item.text[1:]) for item in items] for code, items in parts.items()}
    for one, other in combinations(names.values(), 2):
        assert sum(a == b for a, b in zip(one, other, strict=True) if a and b) < 10


def test_no_test_sentence_occurs_in_the_unlabelled_text():
    texts = {item.text for item in generator.unlabelled("qlu", examples=5000).items}
    for name in ("udpos", "panx", "tatoeba", "xquad", "mlqa", "tydiqa", "xnli", "pawsx"):
        test_examples = generator.load(name, "test", "qlu", examples=300).items
        sentences = {part.strip(" .?") for text in contents(test_examples) for part in re.split(r"(?<=[.?]) ", text)}
        assert not {text.strip(" .?") for text in texts} & sentences


def test_unseen_language_has_unlabelled_text_only_if_a_number_is_passed():
    with pytest.raises(DataNotFound, match="Aldan has no pretraining text because it serves as an unseen language"):
        generator.unlabelled("qal")
    assert len(generator.unlabelled("qal", examples=3).items) == 3


def test_errors_name_the_wrong_value_and_the_choices():
    with pytest.raises(DataNotFound, match="the laboratory has no Mewsli-X; choose one of anli"):
        generator.load("mewslix", "test", "en")
    with pytest.raises(DataError, match="xnli has no test part in 'de' in the laboratory; choose one of en, qal"):
        generator.load("xnli", "test", "de")
    with pytest.raises(DataError, match="the train part of xnli is English only, not in 'qal'"):
        generator.load("xnli", "train", "qal")
    with pytest.raises(DataError, match="xnli has no part 'validation'; choose train or dev or test"):
        generator.load("xnli", "validation")
    with pytest.raises(DataError, match="tatoeba has no part 'dev'; choose test"):
        generator.load("tatoeba", "dev", "qal")


def test_every_intermediate_task_can_be_generated():
    assert set(INTERMEDIATE_TASKS) <= set(generator.DRAW_ITEM)


# --- unlabelled text for continued pretraining and adversaries
def test_languages_that_pretraining_left_out_have_text_for_those_who_name_them():
    usual, further = generator.text_languages(), generator.further_text_languages()
    assert sorted([*usual, *further]) == sorted(LANGUAGES) and set(further) == {"qal", "qes", "qil", "qme"}
    assert all(generator.text_size(code) == LANGUAGES["en"].texts for code in further)
    assert all(generator.text_size(code) == LANGUAGES[code].texts for code in usual)


@pytest.mark.parametrize("name", ["xnli", "xcopa", "udpos", "tydiqa", "bucc2018"])
def test_inputs_of_a_dev_part_are_unlabelled_texts_that_no_test_part_has(name):
    codes = generator.text_languages(task=name)
    assert set(codes) == set(LANGUAGES) - ({"en"} if name == "bucc2018" else set())
    for code in ("qal", "qlu"):
        texts = generator.task_inputs(name, code, limit=40).items
        assert {type(text) for text in texts} == {TextExample} and {text.language for text in texts} == {code}
        assert len(texts) == 40 and len({text.text for text in texts}) == 40
        scored = texts_of_inputs(generator.load(name, "test", code, examples=300).items, code)
        shared = {text.text for text in texts} & {text.text for text in scored}
        assert all(text.count(" ") < 5 for text in shared)  # short questions and choices may coincide
    assert generator.task_inputs(name, "qal", limit=40) == generator.task_inputs(name, "qal", limit=40)


def test_inputs_are_cut_after_they_are_kept():
    few, all_inputs, more = (generator.task_inputs("xcopa", "qal", limit=limit).items for limit in (1200, 0, 1500))
    assert few == all_inputs[:1200] and more == all_inputs[:1500] and len(all_inputs) > 1500


@pytest.mark.parametrize("name", ["tatoeba", "lareqa"])
def test_task_that_has_only_a_test_part_gives_no_unlabelled_text(name):
    with pytest.raises(DataNotFound, match="its test part is never read as unlabelled text; leave text_source out"):
        generator.task_inputs(name, "qal")
