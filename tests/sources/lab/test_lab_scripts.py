import unicodedata

import pytest

from stilts_core.sources.lab.dice import Dice
from stilts_core.sources.lab.scripts import ABJAD, ALPHABET, CYRILLIC, GREEK, LATIN, SPACELESS

SCRIPTS = {script.name: script for script in (LATIN, CYRILLIC, GREEK, ABJAD, SPACELESS)}


@pytest.fixture(params=SCRIPTS)
def script(request):
    return SCRIPTS[request.param]


def words(count=300):
    dice = Dice("words")
    return ["".join(dice.pick(ALPHABET) for _ in range(1 + dice.below(9))) for _ in range(count)]


def test_what_an_alphabet_writes_it_reads(script):
    if script.vowels:
        assert [script.read(script.write(word)) for word in words()] == words()
        assert script.read(script.capital(script.write("anna"))) == ("Anna" if script.cased else "anna")


def test_an_abjad_leaves_out_the_vowels_inside_a_word():
    assert ABJAD.read(ABJAD.write("alabama")) == "albma"


def test_what_is_written_stays_the_same_when_it_is_read_and_written_again(script):
    written = [script.write(word) for word in words()]
    assert [script.write(script.read(word)) for word in written] == written


def test_letters_are_26_different_ones_that_no_normaliser_changes(script):
    assert len(set(script.letters)) == len(ALPHABET)
    assert unicodedata.normalize("NFKC", script.letters) == script.letters
    assert all(unicodedata.category(letter).startswith("L") for letter in script.letters)


def test_sentences_begin_with_a_capital_only_where_there_are_any(script):
    written = script.join([script.write("one"), script.write("two"), "."])
    assert script.read(written) == (
        "One two." if script.cased and script.space else "onetwo." if not script.space else "one two."
    )
