"""Sham labels: the inputs and the counts of the labels stay, but the labels change places."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import toy

from stilts_core.families.sham_labels import permute_labels
from stilts_core.tasks.examples import SpanExample

LABEL_FIELDS = {"mnli": "label", "hellaswag": "label", "udpos": "tags", "squad": "answers"}


def labels(name: str, examples: list) -> list:
    return [getattr(example, LABEL_FIELDS[name]) for example in examples]


@pytest.mark.parametrize("name", LABEL_FIELDS)
def test_inputs_stay_and_labels_change_places(name):
    examples = toy.make_examples(name, 60)
    sham = permute_labels(examples, 0)
    blank = {LABEL_FIELDS[name]: None}
    assert [replace(example, **blank) for example in sham] == [replace(example, **blank) for example in examples]
    same = np.mean([a == b for a, b in zip(labels(name, sham), labels(name, examples), strict=True)])
    assert same < 0.6


@pytest.mark.parametrize("name", LABEL_FIELDS)
def test_permutation_depends_on_the_seed_only(name):
    examples = toy.make_examples(name, 60)
    assert permute_labels(examples, 1) == permute_labels(examples, 1) != permute_labels(examples, 2)


def test_counts_of_labels_and_tags_stay():
    pairs, tagged = toy.make_examples("mnli", 60), toy.make_examples("udpos", 60)
    assert Counter(labels("mnli", permute_labels(pairs, 0))) == Counter(labels("mnli", pairs))
    counts = [
        Counter(tag for example in sentences for tag in example.tags)
        for sentences in (tagged, permute_labels(tagged, 0))
    ]
    assert counts[0] == counts[1]


def test_right_choices_are_exchanged_among_examples_with_equally_many_choices():
    examples = toy.make_examples("hellaswag", 60)
    assert {len(example.choices) for example in examples} == {3, 4}
    counts = [Counter((len(e.choices), e.label) for e in side) for side in (examples, permute_labels(examples, 0))]
    assert counts[0] == counts[1]


def test_sham_answers_are_words_of_their_context_and_their_lengths_have_the_same_counts():
    rng = np.random.default_rng(0)
    examples = []
    for index in range(80):
        words = [f"w{index}x{place}" for place in range(rng.integers(20, 40))]
        first, count = rng.integers(0, 15), rng.integers(1, 4)
        start = len(" ".join(words[:first])) + bool(first)
        answers = ((start, " ".join(words[first : first + count])),) if index % 3 else ()
        examples.append(SpanExample(str(index), "en", "which ?", " ".join(words), answers, str(index)))
    sham = permute_labels(examples, 0)
    for example in sham:
        for start, text in example.answers:
            assert example.context[start : start + len(text)] == text
            assert set(text.split()) <= set(example.context.split())
    lengths = [Counter(len(e.answers and e.answers[0][1].split()) for e in side) for side in (examples, sham)]
    assert lengths[0] == lengths[1]


def test_answer_position_longer_than_the_context_becomes_the_whole_context():
    long = SpanExample("0", "en", "q", "a b c d", ((0, "a b c d"),), "0")
    short = SpanExample("1", "en", "q", "e", ((0, "e"),), "1")
    for seed in range(4):
        assert permute_labels([long, short], seed)[1].answers == ((0, "e"),)
