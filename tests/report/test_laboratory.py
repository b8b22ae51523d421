import re

import pytest

from stilts_core.report import laboratory
from stilts_core.sources.lab.gloss import SENTENCES, grammar_table
from stilts_core.sources.lab.languages import LANGUAGES
from stilts_core.sources.lab.realise import Realiser


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return laboratory.pages()


def test_every_language_has_a_page_and_the_design_one(pages):
    assert pages.keys() == {"design", *LANGUAGES}
    assert all(f"(generated/languages/{code}.md)" in laboratory.overview() for code in LANGUAGES)


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_page_has_the_whole_grammar_and_ten_glossed_sentences(pages, code):
    for name, value, english in grammar_table(LANGUAGES[code]):
        shown = f"**{name}**" if english else name
        assert re.search(rf"^\| {re.escape(shown)} \| [^|]+ \| {value} \|", pages[code], re.MULTILINE)
    said = Realiser(LANGUAGES[code])
    assert pages[code].count("stilts-gloss") == len(SENTENCES) == 10
    assert all(f">{said.text(sentence)}</p>" in pages[code] for sentence in SENTENCES)


def test_every_parameter_is_explained():
    assert laboratory.DECIDES.keys() == {name for name, *_ in grammar_table(LANGUAGES["qal"])}


@pytest.mark.parametrize("code", LANGUAGES)
def test_a_page_runs_in_the_direction_of_its_script(pages, code):
    right = LANGUAGES[code].script.name == "Arabic"
    assert pages[code].count(f'lang="{code}" dir="{"rtl" if right else "ltr"}"') == 20
    assert ('dir="rtl"' in pages[code]) == right


def test_the_design_prints_every_level_and_no_correlation(pages):
    rows = re.findall(r"^\| \[(\w+)\]\((\w+)\.md\) \| ([\d.]+) \| ([\d,]+) \|", pages["design"], re.MULTILINE)
    assert {code: (float(far), int(texts.replace(",", ""))) for _, code, far, texts in rows} == {
        code: (made.distance, made.texts) for code, made in LANGUAGES.items() if code != "en"
    }
    table = pages["design"].split("Pearson")[1]
    numbers = [float(number) for number in re.findall(r"(?<=\| )-?\d\.\d{3}", table)]
    assert sorted(numbers) == [0.0] * 12 + [1.0] * 4
