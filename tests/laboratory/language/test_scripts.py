import unicodedata

import pytest
from latin import transliterate

from stilts_core.laboratory.dice import Dice
from stilts_core.laboratory.language.scripts import ABJAD, ALPHABET, CYRILLIC, GREEK, LATIN, SPACELESS

SCRIPTS = {script.name: script for script in (LATIN, CYRILLIC, GREEK, ABJAD, SPACELESS)}


@pytest.fixture(params=SCRIPTS)
def script(request):
    return SCRIPTS[request.param]


def words(count=300):
    dice = Dice("words")
    return ["".join(dice.pick(ALPHABET) for _ in range(1 + dice.below(9))) for _ in range(count)]


def test_transliteration_inverts_writing_in_an_alphabet(script):
    if script.vowels:
        assert [transliterate(script, script.write(word)) for word in words()] == words()
        assert transliterate(script, script.capitalise(script.write("anna"))) == ("Anna" if script.cased else "anna")


def test_abjad_omits_the_vowels_inside_a_word():
    assert transliterate(ABJAD, ABJAD.write("alabama")) == "albma"


def test_writing_a_transliterated_word_restores_its_spelling(script):
    written = [script.write(word) for word in words()]
    assert [script.write(transliterate(script, word)) for word in written] == written


def test_script_has_26_different_letters_that_nfkc_keeps(script):
    assert len(set(script.letters)) == len(ALPHABET)
    assert unicodedata.normalize("NFKC", script.letters) == script.letters
    assert all(unicodedata.category(letter).startswith("L") for letter in script.letters)


def test_sentence_begins_with_a_capital_only_in_a_cased_script(script):
    sentence = script.join([script.write("one"), script.write("two"), "."])
    assert transliterate(script, sentence) == (
        "One two." if script.cased and script.space else "onetwo." if not script.space else "one two."
    )
