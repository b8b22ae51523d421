from itertools import pairwise

import pytest

from stilts_core.laboratory import generator
from stilts_core.laboratory.language.design import LANGUAGES
from stilts_core.laboratory.tasks import retrieval

FOREIGN = [code for code in LANGUAGES if code != "en"]


def translations_of(events, code):
    """Map the English sentence of every event to its translation."""
    english, foreign = generator.get_realiser("en"), generator.get_realiser(code)
    return {english.text(event): foreign.text(event) for event in events}


@pytest.mark.parametrize("code", FOREIGN)
def test_tatoeba_gold_candidates_are_translations(code):
    (pairs,) = generator.load("tatoeba", "test", code, examples=50).items
    translations = translations_of(retrieval.draw_sentences(0, "tatoeba", "test", 50), code)
    candidates = {candidate.id: candidate.text for candidate in pairs.candidates}
    assert all(translations[q.text] == candidates[c] for q in pairs.queries for c in pairs.gold[q.id])
    texts = [query.text for query in pairs.queries]
    assert texts == sorted(texts) and len(set(texts)) == len(set(candidates.values())) == 50


@pytest.mark.parametrize("code", FOREIGN)
@pytest.mark.parametrize("split", ["dev", "test"])
def test_a_quarter_of_the_bucc_sentences_has_a_translation(code, split):
    (mined,) = generator.load("bucc2018", split, code, examples=100).items
    translations = translations_of(retrieval.draw_sentences(0, f"bucc {code}", split, 175), code)
    ids = {query.text: query.id for query in mined.queries}
    gold = {ids[translations[c.text]]: frozenset({c.id}) for c in mined.candidates if translations[c.text] in ids}
    assert gold == mined.gold and len(gold) == 25
    assert len(mined.queries) == len(mined.candidates) == 100


def test_order_of_the_bucc_candidates_does_not_reveal_the_pairs():
    (mined,) = generator.load("bucc2018", "test", "qal", examples=400).items
    place = {candidate.id: i for i, candidate in enumerate(mined.candidates)}
    gold = [(i, place[next(iter(mined.gold[q.id]))]) for i, q in enumerate(mined.queries) if q.id in mined.gold]
    rising = sum(a[1] < b[1] for a, b in pairwise(gold)) / (len(gold) - 1)
    assert abs(rising - 0.5) < 0.15


def test_lareqa_gold_candidates_contain_the_answers_of_xquad():
    (lareqa,) = generator.load("lareqa", "test", "qpa", examples=40).items
    examples = generator.load("xquad", "test", "qpa", examples=40).items
    assert [query.text for query in lareqa.queries] == [example.question for example in examples]
    candidates = {candidate.id: candidate.text for candidate in lareqa.candidates}
    for example in examples:
        (right,) = lareqa.gold[example.id]
        ((start, answer),) = example.answers
        sentence = candidates[right].removesuffix(f" {example.context}")
        at = example.context.index(sentence)
        assert at <= start < at + len(sentence) and answer in sentence


def test_multilingual_pool_of_lareqa_has_one_right_candidate_in_every_language():
    pool = generator.load("lareqa", "test", "mul", examples=10).items
    assert [part.language for part in pool] == list(LANGUAGES)
    assert all(len(part.candidates) == 20 * len(LANGUAGES) for part in pool)
    assert all(len(right) == len(LANGUAGES) for part in pool for right in part.gold.values())
