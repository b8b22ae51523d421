import pytest

from stilts_core.errors import ConfigError
from stilts_core.laboratory.language.design import LANGUAGES
from stilts_core.laboratory.languages import get_language
from stilts_core.tasks.languages import languages


def test_generated_languages_have_facts_like_real_ones():
    for code, generated in LANGUAGES.items():
        if code != "en":
            facts = get_language(code)
            assert (facts.name, facts.script, facts.texts) == (generated.name, generated.script.name, generated.texts)
            assert facts.syntax_distance_en == generated.distance and code not in languages()
    with pytest.raises(ConfigError, match="qzz"):
        get_language("qzz")


def test_english_is_the_same_language_in_both():
    assert get_language("en").cc100_gib > 0
