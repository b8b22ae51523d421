from itertools import groupby, takewhile

import pytest

from stilts_core.catalogue import IOB2, UPOS
from stilts_core.sources import lab
from stilts_core.sources.lab.languages import LANGUAGES
from stilts_core.sources.lab.meanings import Adjunct, Name
from stilts_core.sources.lab.words import vocabulary

OPEN = {"noun": "NOUN", "verb": "VERB", "adjective": "ADJ", "numbers": "NUM", "adverbs": "ADV", "days": "PROPN"}


@pytest.mark.parametrize("code", LANGUAGES)
def test_tags_are_the_benchmarks(code):
    for name, known in (("udpos", UPOS), ("panx", IOB2)):
        for example in lab.load(name, "test", code, examples=100).items:
            assert len(example.words) == len(example.tags) and set(example.tags) <= set(known)
            assert all(example.words)


def test_parts_of_speech_are_those_that_the_vocabulary_allows():
    """From the glosses' stems alone, by the kinds that a word is listed under."""
    said, kinds = lab.realiser("en"), {}
    for kind, word in vocabulary():
        if kind in OPEN:
            kinds.setdefault(word, set()).add(OPEN[kind])
    for item in lab.items("udpos", "test", examples=300):
        for token in said.tokens(item.told):
            if token.upos in ("NOUN", "VERB", "ADJ", "NUM", "ADV") and token.gloss not in (
                "where",
                "when",
                "why",
                "then",
            ):
                assert token.upos in kinds[token.gloss.split("-")[0]]


@pytest.mark.parametrize("code", LANGUAGES)
def test_an_oracle_that_reads_meanings_tags_every_name(code):
    """The spans that are tagged are the names of the meaning, each in the case of its role."""
    said, cases = lab.realiser(code), {"patient": "ACC", "recipient": "DAT"}
    for number, item in enumerate(lab.items("panx", "test", code, examples=100)):
        example, names = item.example(number, said), []
        for role in ("agent", "patient", "recipient", "place"):
            thing = getattr(item.told, role)
            thing = thing.thing if isinstance(thing, Adjunct) else thing
            if isinstance(thing, Name):
                words = [t.form for t in said.phrase(thing, cases.get(role, "")) if t.upos == "PROPN"]
                names.append((thing.kind, " ".join(words).lower()))
        assert sorted(names) == sorted(spans(example))


def spans(example):
    """The tagged spans, as (kind, words), by the letter of IOB2."""
    words = list(zip(example.words, example.tags, strict=True))
    for start, (_, tag) in enumerate(words):
        if tag.startswith("B-"):
            inside = takewhile(lambda word, kind=tag[2:]: word[1] == f"I-{kind}", words[start + 1 :])
            yield tag[2:], " ".join([words[start][0], *(word for word, _ in inside)]).lower()


def test_a_name_alone_does_not_tell_its_kind():
    """Some words begin names of all three kinds, and most sentences name one."""
    begins = {}
    for example in lab.load("panx", "train", examples=2000).items:
        for word, tag in zip(example.words, example.tags, strict=True):
            if tag != "O":
                begins.setdefault(word, set()).add(tag)
    assert sum(len(tags) > 2 for tags in begins.values()) >= 8


def test_entities_of_all_kinds_are_frequent():
    tags = [tag for example in lab.load("panx", "train", examples=2000).items for tag in example.tags]
    counts = {kind: len(list(group)) for kind, group in groupby(sorted(tag for tag in tags if tag.startswith("B")))}
    assert min(counts.values()) > 300
