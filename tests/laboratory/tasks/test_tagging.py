from itertools import groupby, takewhile

import pytest

from stilts_core.laboratory import generator
from stilts_core.laboratory.language.design import LANGUAGES
from stilts_core.laboratory.language.words import vocabulary
from stilts_core.laboratory.world.meanings import Adjunct, Name
from stilts_core.tasks.catalogue import IOB2, UPOS

OPEN = {"noun": "NOUN", "verb": "VERB", "adjective": "ADJ", "numbers": "NUM", "adverbs": "ADV", "days": "PROPN"}


@pytest.mark.parametrize("code", LANGUAGES)
def test_tags_are_the_tags_of_the_benchmarks(code):
    for name, known in (("udpos", UPOS), ("panx", IOB2)):
        for example in generator.load(name, "test", code, examples=100).items:
            assert len(example.words) == len(example.tags) and set(example.tags) <= set(known)
            assert all(example.words)


def test_parts_of_speech_agree_with_the_vocabulary():
    """The stems of the glosses are enough to look up the kinds of a word."""
    realiser, kinds = generator.get_realiser("en"), {}
    for kind, word in vocabulary():
        if kind in OPEN:
            kinds.setdefault(word, set()).add(OPEN[kind])
    for item in generator.draw_items("udpos", "test", examples=300):
        for token in realiser.tokens(item.sentence):
            if token.upos in ("NOUN", "VERB", "ADJ", "NUM", "ADV") and token.gloss not in (
                "where",
                "when",
                "why",
                "then",
            ):
                assert token.upos in kinds[token.gloss.split("-")[0]]


@pytest.mark.parametrize("code", LANGUAGES)
def test_tagged_spans_are_the_names_of_the_meaning(code):
    """Every name has the case of its role."""
    realiser, cases = generator.get_realiser(code), {"patient": "ACC", "recipient": "DAT"}
    for number, item in enumerate(generator.draw_items("panx", "test", code, examples=100)):
        example, names = item.to_example(number, realiser), []
        for role in ("agent", "patient", "recipient", "place"):
            thing = getattr(item.sentence, role)
            thing = thing.thing if isinstance(thing, Adjunct) else thing
            if isinstance(thing, Name):
                words = [t.form for t in realiser.phrases.noun_phrase(thing, cases.get(role, "")) if t.upos == "PROPN"]
                names.append((thing.kind, " ".join(words).lower()))
        assert sorted(names) == sorted(spans(example))


def spans(example):
    """Yield the tagged spans as (kind, words)."""
    words = list(zip(example.words, example.tags, strict=True))
    for start, (_, tag) in enumerate(words):
        if tag.startswith("B-"):
            inside = takewhile(lambda word, kind=tag[2:]: word[1] == f"I-{kind}", words[start + 1 :])
            yield tag[2:], " ".join([words[start][0], *(word for word, _ in inside)]).lower()


def test_first_word_of_a_name_does_not_reveal_its_kind():
    """Some words begin names of all three kinds."""
    begins = {}
    for example in generator.load("panx", "train", examples=2000).items:
        for word, tag in zip(example.words, example.tags, strict=True):
            if tag != "O":
                begins.setdefault(word, set()).add(tag)
    assert sum(len(tags) > 2 for tags in begins.values()) >= 8


def test_entities_of_all_kinds_are_frequent():
    tags = [tag for example in generator.load("panx", "train", examples=2000).items for tag in example.tags]
    counts = {kind: len(list(group)) for kind, group in groupby(sorted(tag for tag in tags if tag.startswith("B")))}
    assert min(counts.values()) > 300
