from functools import cache

import pytest
from judge import accuracy

from stilts_core.sources import lab
from stilts_core.sources.lab.lexicon import sense
from stilts_core.sources.lab.meanings import Joined, Noun

TRAIN, DEV = 3000, 1500


@cache
def examples(name, split):
    return lab.load(name, split, examples=TRAIN if split == "train" else DEV).items


def judged(name, text):
    """Accuracy of a linear judge that sees one text of each train and dev example."""
    parts = [examples(name, split) for split in ("train", "dev")]
    return accuracy(*(([text(e) for e in part], [e.label for e in part]) for part in parts))


@pytest.mark.parametrize("name", ["mnli", "anli"])
def test_a_hypothesis_does_not_tell_its_label(name):
    assert abs(judged(name, lambda e: e.text_b) - 100 / 3) < 5


@pytest.mark.parametrize("name", ["pawsx", "qqp"])
@pytest.mark.parametrize("side", ["text_a", "text_b"])
def test_one_text_alone_does_not_tell_whether_both_say_the_same(name, side):
    assert abs(judged(name, lambda e: getattr(e, side)) - 50) < 5


def test_the_words_of_two_sentences_do_not_tell_whether_they_say_the_same():
    def marked(example):
        return " ".join(f"{side}{word}" for side in "ab" for word in getattr(example, f"text_{side}").lower().split())

    assert abs(judged("pawsx", marked) - 50) < 5
    for e in examples("pawsx", "dev"):
        assert words(e.text_a) == words(e.text_b)


def words(text):
    return sorted(text.lower().strip(".").split())


def test_labels_are_balanced():
    for name, labels in (("mnli", 3), ("anli", 3), ("pawsx", 2), ("qqp", 2)):
        given = [example.label for example in examples(name, "train")]
        assert all(abs(given.count(label) / TRAIN - 1 / labels) < 0.05 for label in set(given))


def said(sentence):
    """What a sentence says, whatever the order of its clauses and adjuncts and the choice among synonyms."""
    if isinstance(sentence, Joined):
        return frozenset({said(sentence.first), said(sentence.second)})
    plain = {role: main(getattr(sentence, role)) for role in ("agent", "patient", "recipient")}
    return sentence._replace(verb=sense(sentence.verb), moved="", **plain)


def main(thing):
    if isinstance(thing, Noun):
        return thing._replace(noun=sense(thing.noun), adjectives=tuple(map(sense, thing.adjectives)))
    return thing


@pytest.mark.parametrize("name", ["pawsx", "qqp"])
def test_an_oracle_that_reads_meanings_knows_every_paraphrase(name):
    for item in lab.items(name, "train", examples=400):
        (first,) = item.told
        assert (said(first) == said(item.second)) == (item.label == "1")
        assert first != item.second
