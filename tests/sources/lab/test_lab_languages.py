import re
from itertools import combinations

import numpy as np
import pytest

from stilts_core.sources import lab
from stilts_core.sources.lab import worlds
from stilts_core.sources.lab.dice import Dice
from stilts_core.sources.lab.grammar import VALUES
from stilts_core.sources.lab.languages import LANGUAGES, correlations, design
from stilts_core.sources.lab.meanings import Name
from stilts_core.sources.lab.scripts import ALPHABET, LATIN
from stilts_core.sources.lab.words import vocabulary

FOREIGN = [code for code in LANGUAGES if code != "en"]


def test_sixteen_languages_are_crossed_so_that_every_level_meets_every_other_once():
    factors = [(cell.distance, cell.texts, cell.cognates, cell.sounds) for cell in design()]
    assert len(factors) == 16
    for one, other in combinations(range(4), 2):
        assert len({(row[one], row[other]) for row in factors}) == 16


def test_no_factor_correlates_with_another():
    assert np.abs(correlations() - np.eye(4)).max() < 1e-9


def test_half_of_the_languages_of_each_distance_and_size_have_another_script():
    for level in ("distance", "texts"):
        for value in {getattr(cell, level) for cell in design()}:
            assert sum(cell.other_script for cell in design() if getattr(cell, level) == value) == 2


def test_unseen_languages_with_another_script_share_it_with_a_seen_one():
    seen = {language.script.name for language in LANGUAGES.values() if language.texts}
    assert {language.script.name for language in LANGUAGES.values()} == seen


def test_every_value_of_every_parameter_is_some_languages():
    for name, values in VALUES.items():
        assert {getattr(language.grammar, name) for language in LANGUAGES.values()} == set(values)


def test_codes_are_those_that_the_standard_leaves_to_local_use():
    assert all("qaa" <= code <= "qtz" for code in FOREIGN)
    assert all(language.name.lower().startswith(code[1:]) for code, language in LANGUAGES.items() if code != "en")


@pytest.mark.parametrize("code", FOREIGN)
def test_no_two_words_are_written_alike(code):
    words, write = LANGUAGES[code].words(), LANGUAGES[code].script.write
    written = [write(words.stem(kind, word)) for kind, word in vocabulary()]
    assert len(set(written)) == len(written)


@pytest.mark.parametrize("code", FOREIGN)
def test_share_of_cognates_is_as_set(code):
    language = LANGUAGES[code]
    content = [(kind, word) for kind, word in vocabulary() if kind in ("noun", "verb", "adjective")]
    share = sum(language.words().stem(kind, word) == word for kind, word in content) / len(content)
    assert abs(100 * share - language.cognates) < 8  # 3.3 standard deviations of 440 draws


@pytest.mark.parametrize("code", LANGUAGES)
def test_text_goes_through_its_script_and_back(code):
    """All but names and words shared with English, which keep their Latin letters everywhere."""
    said = lab.realiser(code)
    read, write = said.script.read, said.script.write
    for number in range(200):
        for sentence in worlds.text(Dice("script", number)):
            for token in said.tokens(sentence)[:-1]:
                if token.upos != "PROPN" and (said.script is LATIN or not re.search("[A-Za-z]", token.form)):
                    assert token.form in (
                        write(read(token.form).lower()),
                        said.script.capital(write(read(token.form).lower())),
                    )
                    assert not set(read(token.form).lower()) - set(ALPHABET)


@pytest.mark.parametrize("code", ["qdu", "qge", "qha", "qno"])
def test_what_is_shared_with_english_is_written_alike_in_every_script(code):
    words = LANGUAGES[code].words()
    for kind, word in vocabulary():
        if kind == "noun":
            written = words.noun(word, True, "ACC", True).form
            assert (word in written) == (words.stem(kind, word) == word)


@pytest.mark.parametrize("code", LANGUAGES)
def test_names_are_spelt_alike_everywhere(code):
    assert lab.realiser(code).name_of(Name(("Anna", "Marlow"), "PER")).replace(" ", "") == "AnnaMarlow"
