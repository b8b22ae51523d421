import re
from collections import Counter, defaultdict
from dataclasses import fields, replace

import pytest

from stilts_core.laboratory import generator
from stilts_core.laboratory.edition import Edition
from stilts_core.laboratory.language.design import CODES, LANGUAGES, LabLanguage, redraw
from stilts_core.laboratory.language.words import FUNCTION_WORDS, vocabulary
from stilts_core.laboratory.source import Laboratory
from stilts_core.laboratory.tasks.doubtful_tags import DISAGREEMENT
from stilts_core.laboratory.version import VERSION
from stilts_core.tasks.selection import chosen_positions

INVENTED = [code for code in CODES if code != "en"]


@pytest.fixture(autouse=True)
def empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("STILTS_CACHE", str(tmp_path))


def stems(language: LabLanguage) -> dict[tuple[str, str], str]:
    return {(kind, word): language.words().stem(kind, word) for kind, word in vocabulary()}


@pytest.mark.parametrize("code", INVENTED)
def test_redrawn_language_keeps_its_row_of_the_design(code):
    language, redrawn = LANGUAGES[code], redraw(LANGUAGES[code], 7)
    same = [field.name for field in fields(LabLanguage) if field.name != "sounds"]
    assert all(getattr(redrawn, name) == getattr(language, name) for name in same)
    assert redrawn.distance == language.distance
    assert [len(sounds) for sounds in redrawn.sounds] == [len(sounds) for sounds in language.sounds]
    assert [sorted(map(len, sounds)) for sounds in redrawn.sounds] == [sorted(map(len, s)) for s in language.sounds]


@pytest.mark.parametrize("code", INVENTED)
def test_redrawn_language_has_other_words_and_about_as_many_cognates(code):
    draws = [stems(redraw(LANGUAGES[code], draw)) for draw in (0, 1, 2)]
    cognates = [{key for key, stem in words.items() if stem == key[1]} for words in draws]
    for one, other in ((0, 1), (1, 2)):
        invented = draws[one].keys() - cognates[one] - cognates[other]
        content = {(kind, word) for kind, word in invented if kind not in FUNCTION_WORDS}
        assert sum(draws[one][key] == draws[other][key] for key in content) <= 0.05 * len(content)
        assert cognates[one] != cognates[other]
    assert all(abs(100 * len(found) / len(draws[0]) - LANGUAGES[code].cognates) < 10 for found in cognates)
    assert len(set(map(LANGUAGES[code].script.write, draws[1].values()))) == len(draws[1])


def test_draw_0_and_english_are_not_redrawn():
    assert redraw(LANGUAGES["qpa"], 0) is LANGUAGES["qpa"]
    assert redraw(LANGUAGES["en"], 3) is LANGUAGES["en"]


def test_another_draw_says_the_same_in_other_words():
    first, other = (generator.load("xnli", "test", "qha", examples=30, edition=Edition(draw)).items for draw in (0, 5))
    assert [item.label for item in first] == [item.label for item in other]
    assert all(a.text_a != b.text_a for a, b in zip(first, other, strict=True))
    english = [generator.load("squad", "train", examples=30, edition=Edition(draw)).items for draw in (0, 5)]
    assert english[0] == english[1]


@pytest.mark.parametrize("task", ["tatoeba", "bucc2018", "lareqa"])
def test_retrieval_sets_are_in_the_words_of_the_edition(task):
    (first,), (other,) = (generator.load(task, "test", "qor", examples=20, edition=Edition(d)).items for d in (0, 5))
    assert first.gold == other.gold and first != other


def test_source_reads_and_names_its_edition():
    first, later = Laboratory(), Laboratory(Edition(draw=4))
    assert first.checksums("xnli", "test") == {"laboratory": VERSION} != later.checksums("xnli", "test")
    assert later.checksums("xnli", "test") == later.text_checksums("qpa")
    assert later.unlabelled("qpa", examples=9).items != first.unlabelled("qpa", examples=9).items
    numbers = chosen_positions(range(generator.SIZES["test"]), 9, 0)
    expected = generator.load("xnli", "test", "qpa", numbers=numbers, edition=later.edition)
    assert later.read("xnli", "test", "qpa", limit=9).items == expected.items


@pytest.mark.parametrize(("task", "split"), [("udpos", "train"), ("panx", "test")])
def test_doubtful_tags_are_another_task_in_the_same_words(task, split):
    plain = generator.load(task, split, examples=40).items
    assert generator.load(task, split, examples=40, edition=Edition(doubtful_tags=True)).items != plain
    others = [generator.load("ccg", split, examples=9, edition=Edition(doubtful_tags=doubt)).items for doubt in (0, 1)]
    assert others[0] == others[1]


@pytest.mark.parametrize("language", ["en", "qpa"])
def test_annotators_disagree_on_a_few_percent_of_the_words(language):
    plain, doubtful = (
        generator.load("udpos", "test", language, examples=600, edition=Edition(doubtful_tags=doubt)).items
        for doubt in (False, True)
    )
    assert [item.words for item in plain] == [item.words for item in doubtful]
    pairs = [tags for a, b in zip(plain, doubtful, strict=True) for tags in zip(a.tags, b.tags, strict=True)]
    changed = sum(right != tag for right, tag in pairs)
    assert changed == pytest.approx(DISAGREEMENT / 100 * sum(tag != "PUNCT" for tag, _ in pairs), rel=0.35)


def test_an_ambiguous_name_can_be_any_entity_and_first_names_stay():
    kinds = defaultdict(Counter)
    for item in generator.load("panx", "train", examples=2000, edition=Edition(doubtful_tags=True)).items:
        for word, tag, following in zip(item.words, item.tags, (*item.tags[1:], "O"), strict=True):
            if tag.startswith("B-") and not following.startswith("I-"):
                kinds[word][tag[2:]] += 1
    assert all(kinds[name].keys() == {"PER", "LOC", "ORG"} for name in ("Marlow", "Brandt", "Istria"))
    assert kinds["Anna"].keys() == {"PER"}


def test_mixed_text_has_english_sentences_in_some_texts_only():
    plain, mixed = (generator.unlabelled("qdu", examples=400, mixed=share).items for share in (0.0, 0.25))
    changed = [(a.text, b.text) for a, b in zip(plain, mixed, strict=True) if a.text != b.text]
    assert 0.05 * len(plain) < len(changed) < 0.25 * len(plain)
    assert all("a" <= letter <= "z" for _, text in changed for letter in [min(set(text.lower()) & set("aeiou"))])
    english = [generator.unlabelled("en", examples=50, mixed=share).items for share in (0.0, 0.25)]
    assert english[0] == english[1]


def test_retold_text_has_several_sentences():
    plain, retold = (generator.unlabelled("en", examples=400, retold=share).items for share in (0.0, 1.0))
    assert all(len(re.findall(r"[.?]", item.text)) > 1 for item in retold)
    assert any(len(re.findall(r"[.?]", item.text)) == 1 for item in plain)


def test_editions_do_not_share_cached_examples():
    edition = Edition(draw=2)
    texts = [generator.unlabelled("qbe", examples=5, edition=e).items for e in (Edition(), edition, replace(edition))]
    assert texts[0] != texts[1] == texts[2]
