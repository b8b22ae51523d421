"""Sham labels: inputs and the counts of labels stay, what belongs to which does not."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import toy

from stilts_core.families.sham import permuted
from stilts_core.families.span import SpanExample

NAMES = ("mnli", "hellaswag", "udpos", "squad")
FIELD = {"mnli": "label", "hellaswag": "label", "udpos": "tags", "squad": "answers"}


def labels(name: str, examples: list) -> list:
    return [getattr(example, FIELD[name]) for example in examples]


@pytest.mark.parametrize("name", NAMES)
def test_inputs_stay_and_labels_move(name):
    given = toy.examples(name, 60)
    sham = permuted(given, 0)
    blank = {FIELD[name]: None}
    assert [replace(example, **blank) for example in sham] == [replace(example, **blank) for example in given]
    same = np.mean([a == b for a, b in zip(labels(name, sham), labels(name, given), strict=True)])
    assert same < 0.6


@pytest.mark.parametrize("name", NAMES)
def test_one_seed_gives_one_permutation_and_another_seed_another(name):
    given = toy.examples(name, 60)
    assert permuted(given, 1) == permuted(given, 1) != permuted(given, 2)


def test_counts_of_labels_and_tags_stay():
    pairs, tagged = toy.examples("mnli", 60), toy.examples("udpos", 60)
    assert Counter(labels("mnli", permuted(pairs, 0))) == Counter(labels("mnli", pairs))
    count = [Counter(tag for example in part for tag in example.tags) for part in (tagged, permuted(tagged, 0))]
    assert count[0] == count[1]


def test_right_choices_are_exchanged_among_examples_with_as_many_choices():
    given = toy.examples("hellaswag", 60)
    assert {len(example.choices) for example in given} == {3, 4}
    count = [Counter((len(e.choices), e.label) for e in part) for part in (given, permuted(given, 0))]
    assert count[0] == count[1]


def test_sham_answers_are_whole_words_of_their_own_context_as_long_and_as_rare_as_the_right_ones():
    rng = np.random.default_rng(0)
    given = []
    for index in range(80):
        words = [f"w{index}x{place}" for place in range(rng.integers(20, 40))]
        first, count = rng.integers(0, 15), rng.integers(1, 4)
        start = len(" ".join(words[:first])) + bool(first)
        answers = ((start, " ".join(words[first : first + count])),) if index % 3 else ()
        given.append(SpanExample(str(index), "en", "which ?", " ".join(words), answers, str(index)))
    sham = permuted(given, 0)
    for example in sham:
        for start, text in example.answers:
            assert example.context[start : start + len(text)] == text
            assert set(text.split()) <= set(example.context.split())
    lengths = [Counter(len(e.answers and e.answers[0][1].split()) for e in part) for part in (given, sham)]
    assert lengths[0] == lengths[1]


def test_answer_longer_than_the_context_it_falls_to_is_all_of_it():
    long = SpanExample("0", "en", "q", "a b c d", ((0, "a b c d"),), "0")
    short = SpanExample("1", "en", "q", "e", ((0, "e"),), "1")
    for seed in range(4):
        assert permuted([long, short], seed)[1].answers == ((0, "e"),)
