import re
from itertools import combinations

import numpy as np
import pytest
from latin import transliterate

from stilts_core.laboratory import generator
from stilts_core.laboratory.dice import Dice
from stilts_core.laboratory.language.design import LANGUAGES, design_matrix, factor_correlations
from stilts_core.laboratory.language.grammar import VALUES
from stilts_core.laboratory.language.scripts import ALPHABET, LATIN
from stilts_core.laboratory.language.words import vocabulary
from stilts_core.laboratory.world.meanings import Name
from stilts_core.laboratory.world.texts import draw_text

FOREIGN = [code for code in LANGUAGES if code != "en"]


def test_every_level_of_a_factor_meets_every_level_of_another_once():
    levels = [(row.distance, row.texts, row.cognates, row.sounds) for row in design_matrix()]
    assert len(levels) == 16
    for one, other in combinations(range(4), 2):
        assert len({(row[one], row[other]) for row in levels}) == 16


def test_no_factor_correlates_with_another():
    assert np.abs(factor_correlations() - np.eye(4)).max() < 1e-9


def test_half_of_the_languages_of_each_distance_and_size_have_another_script():
    for level in ("distance", "texts"):
        for value in {getattr(row, level) for row in design_matrix()}:
            assert sum(row.other_script for row in design_matrix() if getattr(row, level) == value) == 2


def test_every_script_of_an_unseen_language_is_the_script_of_a_seen_one():
    seen = {language.script.name for language in LANGUAGES.values() if language.texts}
    assert {language.script.name for language in LANGUAGES.values()} == seen


def test_every_value_of_every_grammar_parameter_occurs_in_a_language():
    for name, values in VALUES.items():
        assert {getattr(language.grammar, name) for language in LANGUAGES.values()} == set(values)


def test_codes_are_reserved_for_local_use_by_iso_639_2():
    assert all("qaa" <= code <= "qtz" for code in FOREIGN)
    assert all(language.name.lower().startswith(code[1:]) for code, language in LANGUAGES.items() if code != "en")


@pytest.mark.parametrize("code", FOREIGN)
def test_no_two_words_have_the_same_spelling(code):
    words, write = LANGUAGES[code].words(), LANGUAGES[code].script.write
    written = [write(words.stem(kind, word)) for kind, word in vocabulary()]
    assert len(set(written)) == len(written)


@pytest.mark.parametrize("code", FOREIGN)
def test_share_of_cognates_is_the_one_of_the_definition(code):
    language = LANGUAGES[code]
    content = [(kind, word) for kind, word in vocabulary() if kind in ("noun", "verb", "adjective")]
    share = sum(language.words().stem(kind, word) == word for kind, word in content) / len(content)
    assert abs(100 * share - language.cognates) < 8  # 3.3 standard deviations of 440 draws


@pytest.mark.parametrize("code", LANGUAGES)
def test_words_survive_transliteration_and_writing(code):
    """Except names and cognates, which keep their Latin letters in every script."""
    realiser = generator.get_realiser(code)
    script = realiser.script
    for number in range(200):
        for sentence in draw_text(Dice("script", number)):
            for token in realiser.tokens(sentence)[:-1]:
                if token.upos != "PROPN" and (script is LATIN or not re.search("[A-Za-z]", token.form)):
                    latin = transliterate(script, token.form).lower()
                    written = script.write(latin)
                    assert token.form in (written, script.capitalise(written))
                    assert not set(latin) - set(ALPHABET)


@pytest.mark.parametrize("code", ["qdu", "qge", "qha", "qno"])
def test_cognates_keep_their_latin_letters_in_every_script(code):
    words = LANGUAGES[code].words()
    for kind, word in vocabulary():
        if kind == "noun":
            spelling = words.noun(word, True, "ACC", True).form
            assert (word in spelling) == (words.stem(kind, word) == word)


@pytest.mark.parametrize("code", LANGUAGES)
def test_names_have_the_same_spelling_in_every_language(code):
    assert generator.get_realiser(code).phrase_text(Name(("Anna", "Marlow"), "PER")).replace(" ", "") == "AnnaMarlow"
