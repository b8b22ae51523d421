import re
from itertools import combinations

import pytest

from stilts_core.catalogue import INTERMEDIATE_TASKS, TASKS
from stilts_core.families.choice import ChoiceExample
from stilts_core.families.mlm import TextExample
from stilts_core.families.pair import PairExample
from stilts_core.families.retrieval import RetrievalExample, RetrievalSet
from stilts_core.families.span import SpanExample
from stilts_core.families.tagging import TaggingExample
from stilts_core.sources import lab
from stilts_core.sources.lab.languages import LANGUAGES
from stilts_core.sources.reading import DataError, NotAtHand

FAMILIES = {
    "pair": PairExample,
    "choice": ChoiceExample,
    "tagging": TaggingExample,
    "span": SpanExample,
    "retrieval": RetrievalExample,
}
NAMES = [name for name in TASKS if name != "mewslix"]
TRAINED = [name for name in NAMES if TASKS[name].trained_on]


@pytest.mark.parametrize("name", TRAINED)
def test_train_and_dev_parts_are_english_examples_of_the_family(name):
    for split in ("train", "dev"):
        assert lab.available_languages(name, split) == ("en",)
        items = lab.load(name, split, examples=20).items
        assert len(items) == 20 and {type(item) for item in items} == {FAMILIES[TASKS[name].family]}
        assert len({item.id for item in items}) == 20 and {item.language for item in items} == {"en"}


@pytest.mark.parametrize("name", [name for name in NAMES if "target" in TASKS[name].roles])
def test_targets_are_scored_in_every_language(name):
    found = lab.available_languages(name)
    assert set(LANGUAGES) - set(found) <= {"en"}
    for code in found:
        items = lab.load(name, "test", code, examples=5).items
        retrieval = TASKS[name].family == "retrieval"
        assert {type(item) for item in items} == {RetrievalSet if retrieval else FAMILIES[TASKS[name].family]}
        assert {item.language for item in items} == {code}


@pytest.mark.parametrize("name", [name for name in NAMES if TASKS[name].parallel and TASKS[name].family != "retrieval"])
def test_parallel_items_mean_the_same_in_every_language(name):
    """The same items with the same labels, and texts that the realiser says of the same meaning."""
    drawn = lab.items(name, "test", "en", examples=30)
    for code in LANGUAGES:
        assert lab.items(name, "test", code, examples=30) == drawn
        items = lab.load(name, "test", code, examples=30).items
        english = lab.load(name, "test", "en", examples=30).items
        assert [item.id for item in items] == [item.id for item in english]
        if hasattr(items[0], "label"):
            assert [item.label for item in items] == [item.label for item in english]


@pytest.mark.parametrize("name", ["udpos", "panx", "mlqa", "tydiqa"])
def test_items_of_other_sets_differ_between_languages(name):
    drawn = {code: lab.items(name, "test", code, examples=30) for code in LANGUAGES}
    assert all(drawn["en"] != items for code, items in drawn.items() if code != "en")


def told(items):
    """What is told in the examples of a part, whatever the task: premises, contexts, sentences, the candidates."""
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
def test_nothing_is_told_in_two_parts(name):
    row = TASKS[name]
    if row.trained_on:
        parts = [("train", "en"), ("dev", "en"), *([("test", "en")] if "target" in row.roles else [])]
    else:
        parts = [("dev", "qfa"), ("test", "qfa")] if name == "bucc2018" else [("test", "qfa")]
    texts = [set(told(lab.load(name, split, language, examples=300).items)) for split, language in parts]
    assert all(not one & other for one, other in combinations(texts, 2)) and all(texts)


def test_unlabelled_text_is_not_a_translation_of_another_languages():
    """Seen in the numbers, which only English text has in Latin letters: other texts name other people."""
    parts = {code: lab.unlabelled(code, examples=200).items for code in ("en", "qdu", "qil")}
    assert {type(item) for items in parts.values() for item in items} == {TextExample}
    names = {code: [re.findall("[A-Z][a-z]+", item.text[1:]) for item in items] for code, items in parts.items()}
    for one, other in combinations(names.values(), 2):
        assert sum(a == b for a, b in zip(one, other, strict=True) if a and b) < 10


def test_no_sentence_that_is_scored_is_in_the_unlabelled_text():
    text = {item.text for item in lab.unlabelled("qlu", examples=5000).items}
    for name in ("udpos", "panx", "tatoeba", "xquad", "mlqa", "tydiqa", "xnli", "pawsx"):
        scored = lab.load(name, "test", "qlu", examples=300).items
        sentences = {part.strip(" .?") for words in told(scored) for part in re.split(r"(?<=[.?]) ", words)}
        assert not {words.strip(" .?") for words in text} & sentences


def test_an_unseen_language_has_text_only_when_asked_for_some():
    with pytest.raises(NotAtHand, match="Aldan has no pretraining text"):
        lab.unlabelled("qal")
    assert len(lab.unlabelled("qal", examples=3).items) == 3


def test_what_the_laboratory_does_not_have_is_named():
    with pytest.raises(NotAtHand, match="the laboratory has no Mewsli-X; it has anli"):
        lab.load("mewslix", "test", "en")
    with pytest.raises(DataError, match="xnli has no test part in 'de' in the laboratory, only in en, qal"):
        lab.load("xnli", "test", "de")
    with pytest.raises(DataError, match="the train part of xnli is English"):
        lab.load("xnli", "train", "qal")
    with pytest.raises(DataError, match="no part 'validation' of xnli; expected train or dev or test"):
        lab.load("xnli", "validation")
    with pytest.raises(DataError, match="no part 'dev' of tatoeba; expected test"):
        lab.load("tatoeba", "dev", "qal")


def test_every_intermediate_task_is_there():
    assert set(INTERMEDIATE_TASKS) <= set(lab.MAKERS)
