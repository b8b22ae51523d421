import re

import pytest

from stilts_core.laboratory.language.design import LANGUAGES
from stilts_core.laboratory.language.gloss import SENTENCES, grammar_table
from stilts_core.laboratory.language.realiser import Realiser
from stilts_core.report.pages import laboratory


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return laboratory.build_pages()


def test_every_language_and_the_design_have_a_page(pages):
    assert pages.keys() == {"design", *LANGUAGES}
    overview = laboratory.build_overview()
    assert all(f"(generated/languages/{code}.md)" in overview for code in LANGUAGES)


@pytest.mark.parametrize("code", LANGUAGES)
def test_page_has_the_whole_grammar_and_ten_glossed_sentences(pages, code):
    for name, value, english_value in grammar_table(LANGUAGES[code]):
        label = f"**{name}**" if english_value else name
        assert re.search(rf"^\| {re.escape(label)} \| [^|]+ \| {value} \|", pages[code], re.MULTILINE)
    realiser = Realiser(LANGUAGES[code])
    assert pages[code].count("stilts-gloss") == len(SENTENCES) == 10
    assert all(f">{realiser.text(sentence)}</p>" in pages[code] for sentence in SENTENCES)


def test_every_parameter_of_the_grammar_is_explained():
    assert laboratory.PARAMETER_MEANINGS.keys() == {name for name, *_ in grammar_table(LANGUAGES["qal"])}


@pytest.mark.parametrize("code", LANGUAGES)
def test_glosses_have_the_direction_of_the_language_s_script(pages, code):
    right_to_left = LANGUAGES[code].script.name == "Arabic"
    tag = code if code == "en" else f"art-x-{code}"
    assert pages[code].count(f'lang="{tag}" dir="{"rtl" if right_to_left else "ltr"}"') == 20
    assert ('dir="rtl"' in pages[code]) == right_to_left


def test_design_page_prints_every_level_and_no_correlation_between_factors(pages):
    rows = re.findall(r"^\| \[(\w+)\]\((\w+)\.md\) \| ([\d.]+) \| ([\d,]+) \|", pages["design"], re.MULTILINE)
    printed = {code: (float(distance), int(texts.replace(",", ""))) for _, code, distance, texts in rows}
    assert printed == {
        code: (language.distance, language.texts) for code, language in LANGUAGES.items() if code != "en"
    }
    table = pages["design"].split("Pearson")[1]
    numbers = [float(number) for number in re.findall(r"(?<=\| )-?\d\.\d{3}", table)]
    assert sorted(numbers) == [0.0] * 12 + [1.0] * 4
