import random
from dataclasses import replace

import pytest

from stilts_core.errors import DataError
from stilts_core.laboratory import generator
from stilts_core.laboratory.invention import CODE, SCRIPTS, SOUNDS, invent
from stilts_core.laboratory.language.design import CODES, LANGUAGES
from stilts_core.laboratory.language.gloss import SENTENCES, gloss
from stilts_core.laboratory.language.grammar import VALUES
from stilts_core.laboratory.language.realiser import Realiser
from stilts_core.laboratory.language.words import vocabulary
from stilts_core.pretraining.recipe import PretrainingRecipe, lab_identity
from stilts_core.tasks.catalogue import TASKS


@pytest.fixture(autouse=True)
def restored_laboratory():
    yield
    for code in set(LANGUAGES) - set(CODES):
        del LANGUAGES[code]
    generator.get_realiser.cache_clear()


def test_invented_language_has_text_and_every_target():
    invent("Tavari", order="SOV", script="Greek", cognates=40, texts=30)
    assert len(generator.unlabelled(CODE).items) == 30
    for name in [name for name, row in TASKS.items() if "target" in row.roles and name in generator.TASK_NAMES]:
        items = generator.load(name, "test", CODE, examples=5).items
        assert {item.language for item in items} == {CODE}


def test_distance_is_the_share_of_parameters_that_differ_from_english():
    assert invent("Tavari", auxiliary="do").distance == 0
    assert invent("Tavari", order="SOV", case="affix").distance == pytest.approx(3 / 16)


def test_any_grammar_in_any_script_realises_every_sentence():
    dice = random.Random(0)
    for _ in range(40):
        grammar = {name: dice.choice(values) for name, values in VALUES.items()}
        language = invent("Any", script=dice.choice([*SCRIPTS]), sounds=dice.choice([*SOUNDS]), **grammar)
        realiser = Realiser(language)
        assert all(gloss(realiser, sentence).text for sentence in SENTENCES)
        for item in generator.load("xquad", "test", CODE, examples=3).items:
            assert all(item.context[start:].startswith(text) for start, text in item.answers)


def test_words_stay_the_same_when_only_the_grammar_changes():
    stems = [[invent("Any", order=order).words().stem(*word) for word in vocabulary()] for order in ("SVO", "VSO")]
    assert stems[0] == stems[1]


def test_unlabelled_text_follows_a_changed_grammar():
    """The disk cache must not return the texts of the language that had the same code before."""
    texts = [generator.unlabelled(CODE, examples=20).items for order in ("SVO", "VSO") if invent("Any", order=order)]
    assert texts[0] != texts[1]


def test_another_grammar_under_the_same_code_changes_the_identity_of_the_encoder():
    recipe = PretrainingRecipe(languages=("en", CODE))
    ids = [lab_identity(0, recipe) for order in ("SVO", "VSO", "SVO") if invent("Any", order=order)]
    assert ids[0] == ids[2] != ids[1]
    assert lab_identity(0, replace(recipe, languages=CODES)) == lab_identity(0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"order": "SOVO"}, "order is 'SOVO'; choose one of SVO, SOV, VSO, VOS"),
        ({"script": "Runes"}, "script is 'Runes'; choose one of Latin, Cyrillic, Greek, Arabic, Thai"),
        ({"sounds": "soft"}, "sounds is 'soft'; choose one of open, nasal, closed, clustered"),
        ({"tone": "high"}, "a grammar has no parameter 'tone'; choose one of order, adjective"),
        ({"cognates": 120}, "cognates is 120; it is a percentage"),
        ({"cognates": "fifty"}, "cognates is 'fifty'; it is a percentage"),
        ({"texts": -1}, "texts is -1; it must be a whole number, 0"),
        ({"code": "qal"}, "code is 'qal'; choose one from qaa to qtz other than qal"),
        ({"code": "de"}, "code is 'de'; choose one from qaa to qtz"),
    ],
)
def test_wrong_argument_raises_an_error_that_lists_the_choices(arguments, message):
    with pytest.raises(DataError, match="^" + message.replace("'", ".")):
        invent("Any", **arguments)
    assert set(LANGUAGES) == set(CODES)
