import random
from dataclasses import replace

import pytest

from stilts_core.catalogue import TASKS
from stilts_core.pretraining import Recipe, lab_identity
from stilts_core.sources import lab
from stilts_core.sources.lab.gloss import SENTENCES, gloss
from stilts_core.sources.lab.grammar import VALUES
from stilts_core.sources.lab.inventing import CODE, SCRIPTS, SOUNDS, invent
from stilts_core.sources.lab.languages import CODES, LANGUAGES
from stilts_core.sources.lab.realise import Realiser
from stilts_core.sources.lab.words import vocabulary
from stilts_core.sources.reading import DataError


@pytest.fixture(autouse=True)
def laboratory_as_it_was():
    yield
    for code in set(LANGUAGES) - set(CODES):
        del LANGUAGES[code]
    lab.realiser.cache_clear()


def test_invented_language_has_every_task_and_text_and_is_itself_in_all_of_them():
    invent("Tavari", order="SOV", script="Greek", cognates=40, texts=30)
    assert len(lab.unlabelled(CODE).items) == 30
    for name in [name for name, row in TASKS.items() if "target" in row.roles and name != "mewslix"]:
        items = lab.load(name, "test", CODE, examples=5).items
        assert {item.language for item in items} == {CODE}


def test_distance_counts_the_parameters_that_differ():
    assert invent("Tavari", auxiliary="do").distance == 0
    assert invent("Tavari", order="SOV", case="affix").distance == pytest.approx(3 / 16)


def test_any_grammar_in_any_script_can_say_everything():
    dice = random.Random(0)
    for _ in range(40):
        grammar = {name: dice.choice(values) for name, values in VALUES.items()}
        language = invent("Any", script=dice.choice([*SCRIPTS]), sounds=dice.choice([*SOUNDS]), **grammar)
        said = Realiser(language)
        assert all(gloss(said, sentence).text for sentence in SENTENCES)
        for item in lab.load("xquad", "test", CODE, examples=3).items:
            assert all(item.context[start:].startswith(text) for start, text in item.answers)


def test_another_grammar_under_the_same_code_keeps_the_words():
    stems = [[invent("Any", order=order).words().stem(*word) for word in vocabulary()] for order in ("SVO", "VSO")]
    assert stems[0] == stems[1]


def test_encoder_of_another_language_under_the_same_code_is_another_encoder():
    recipe = Recipe(languages=("en", CODE))
    ids = [lab_identity(0, recipe) for order in ("SVO", "VSO", "SVO") if invent("Any", order=order)]
    assert ids[0] == ids[2] != ids[1]
    assert lab_identity(0, replace(recipe, languages=CODES)) == lab_identity(0)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"order": "SOVO"}, "order is 'SOVO'; choose one of SVO, SOV, VSO, VOS"),
        ({"script": "Runes"}, "script is 'Runes'; choose one of Latin, Cyrillic, Greek, Arabic, Thai"),
        ({"sounds": "soft"}, "sounds is 'soft'; choose one of open, nasal, closed, clustered"),
        ({"tone": "high"}, "a grammar has no parameter 'tone'; it has order, adjective"),
        ({"cognates": 120}, "cognates is 120; it is a percentage"),
        ({"texts": -1}, "texts is -1; it must be 0"),
        ({"code": "qal"}, "code is 'qal'; take one from qaa to qtz other than qal"),
        ({"code": "de"}, "code is 'de'; take one from qaa to qtz"),
    ],
)
def test_wrong_parameters_are_named_with_what_would_be_right(wrong, said):
    with pytest.raises(DataError, match="^" + said.replace("'", ".")):
        invent("Any", **wrong)
    assert set(LANGUAGES) == set(CODES)
