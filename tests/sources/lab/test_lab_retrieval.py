from itertools import pairwise

import pytest

from stilts_core.sources import lab
from stilts_core.sources.lab import retrieval
from stilts_core.sources.lab.languages import LANGUAGES

FOREIGN = [code for code in LANGUAGES if code != "en"]


@pytest.mark.parametrize("code", FOREIGN)
def test_tatoeba_asks_for_the_sentence_that_means_the_same(code):
    (found,) = lab.load("tatoeba", "test", code, examples=50).items
    told = retrieval.sentences(0, "tatoeba", "test", 50)
    english, said = lab.realiser("en"), lab.realiser(code)
    candidates = {candidate.id: candidate.text for candidate in found.candidates}
    meant = {english.text(event): said.text(event) for event in told}
    assert all(meant[q.text] == candidates[c] for q in found.queries for c in found.gold[q.id])
    texts = [query.text for query in found.queries]
    assert texts == sorted(texts) and len(set(texts)) == len(set(candidates.values())) == 50


@pytest.mark.parametrize("code", FOREIGN)
@pytest.mark.parametrize("split", ["dev", "test"])
def test_a_quarter_of_bucc_has_a_translation_and_the_rest_has_none(code, split):
    (found,) = lab.load("bucc2018", split, code, examples=100).items
    told = retrieval.sentences(0, f"bucc {code}", split, 175)
    english, said = lab.realiser("en"), lab.realiser(code)
    meaning = {english.text(event): said.text(event) for event in told}
    here = {query.text: query.id for query in found.queries}
    pairs = {here[meaning[c.text]]: frozenset({c.id}) for c in found.candidates if meaning[c.text] in here}
    assert pairs == found.gold and len(pairs) == 25
    assert len(found.queries) == len(found.candidates) == 100


def test_order_of_bucc_does_not_tell_the_pairs():
    (found,) = lab.load("bucc2018", "test", "qal", examples=400).items
    place = {candidate.id: i for i, candidate in enumerate(found.candidates)}
    gold = [(i, place[next(iter(found.gold[q.id]))]) for i, q in enumerate(found.queries) if q.id in found.gold]
    rising = sum(a[1] < b[1] for a, b in pairwise(gold)) / (len(gold) - 1)
    assert abs(rising - 0.5) < 0.15


def test_lareqa_asks_xquads_questions_for_the_sentences_of_their_answers():
    (found,) = lab.load("lareqa", "test", "qpa", examples=40).items
    asked = lab.load("xquad", "test", "qpa", examples=40).items
    assert [query.text for query in found.queries] == [example.question for example in asked]
    candidates = {candidate.id: candidate.text for candidate in found.candidates}
    for example in asked:
        (right,) = found.gold[example.id]
        ((start, answer),) = example.answers
        sentence = candidates[right].removesuffix(f" {example.context}")
        at = example.context.index(sentence)
        assert at <= start < at + len(sentence) and answer in sentence


def test_lareqas_pool_holds_every_language_and_one_right_sentence_in_each():
    pool = lab.load("lareqa", "test", "mul", examples=10).items
    assert [part.language for part in pool] == list(LANGUAGES)
    assert all(len(part.candidates) == 20 * len(LANGUAGES) for part in pool)
    assert all(len(right) == len(LANGUAGES) for part in pool for right in part.gold.values())
