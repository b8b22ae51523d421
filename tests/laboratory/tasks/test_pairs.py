from functools import cache

import pytest
from judge import accuracy

from stilts_core.laboratory import generator
from stilts_core.laboratory.world.lexicon import sense
from stilts_core.laboratory.world.meanings import Joined, Noun

TRAIN, DEV = 3000, 1500


@cache
def examples(name, split):
    return generator.load(name, split, examples=TRAIN if split == "train" else DEV).items


def judge(name, text):
    """Return the accuracy of a linear model that sees one text of each example."""
    parts = [examples(name, split) for split in ("train", "dev")]
    return accuracy(*(([text(e) for e in part], [e.label for e in part]) for part in parts))


@pytest.mark.parametrize("name", ["mnli", "anli"])
def test_hypothesis_alone_does_not_reveal_the_label(name):
    assert abs(judge(name, lambda e: e.text_b) - 100 / 3) < 5


@pytest.mark.parametrize("name", ["pawsx", "qqp"])
@pytest.mark.parametrize("side", ["text_a", "text_b"])
def test_one_text_alone_does_not_reveal_whether_both_are_paraphrases(name, side):
    assert abs(judge(name, lambda e: getattr(e, side)) - 50) < 5


def test_bags_of_words_do_not_reveal_paraphrases_in_pawsx():
    def marked(example):
        return " ".join(f"{side}{word}" for side in "ab" for word in getattr(example, f"text_{side}").lower().split())

    assert abs(judge("pawsx", marked) - 50) < 5
    for e in examples("pawsx", "dev"):
        assert words(e.text_a) == words(e.text_b)


def words(text):
    return sorted(text.lower().strip(".").split())


def test_labels_are_balanced():
    for name, labels in (("mnli", 3), ("anli", 3), ("pawsx", 2), ("qqp", 2)):
        all_labels = [example.label for example in examples(name, "train")]
        assert all(abs(all_labels.count(label) / TRAIN - 1 / labels) < 0.05 for label in set(all_labels))


def normalise(sentence):
    """Return a form that does not depend on the order of clauses and adjuncts or on the choice among synonyms."""
    if isinstance(sentence, Joined):
        return frozenset({normalise(sentence.first), normalise(sentence.second)})
    plain = {role: normalise_thing(getattr(sentence, role)) for role in ("agent", "patient", "recipient")}
    return sentence._replace(verb=sense(sentence.verb), moved="", **plain)


def normalise_thing(thing):
    if isinstance(thing, Noun):
        return thing._replace(noun=sense(thing.noun), adjectives=tuple(map(sense, thing.adjectives)))
    return thing


@pytest.mark.parametrize("name", ["pawsx", "qqp"])
def test_oracle_on_meanings_recognises_every_paraphrase(name):
    for item in generator.draw_items(name, "train", examples=400):
        (first,) = item.first
        assert (normalise(first) == normalise(item.second)) == (item.label == "1")
        assert first != item.second
