"""What built pages need for a screen reader: the check of pages finds planted faults, and the extension mends pages."""

import pytest
from docutils import nodes
from docutils.utils import new_document
from page_faults import find_faults

from stilts_core.report.accessible_pages import keep_units, make_accessible, mend_document
from stilts_core.report.escape import language_tag
from stilts_core.report.safe_output import clean_html

GOOD = '<html lang="en"><article><h1>One</h1><h2>Two</h2><h3>Three</h3><h2>Four</h2>{}</article></html>'


@pytest.mark.parametrize(
    "planted, fault",
    [
        ('<img src="a.svg">', "image without words: a.svg"),
        ('<img src="a.svg" alt="../a.svg">', "image without words: a.svg"),
        ("<table><th>name</th></table>", "header without scope: name"),
        ("<h4>Five</h4>", "level 2 is followed by 4: Five"),
        ("<h1>Five</h1>", "2 headings of level 1"),
        ('<p lang="ar">جملة</p>', "text without direction: جملة"),
        ('<p dir="auto">предложение</p>', "text without language: предложение"),
    ],
)
def test_planted_faults_are_found(planted, fault):
    assert find_faults(GOOD.format("")) == []
    assert find_faults(GOOD.format(planted)) == [fault]


def test_isolated_foreign_text_and_described_images_are_no_faults():
    good = '<p lang="ar" dir="rtl">جملة</p><p>χ² = 3</p><img alt="Two words"><th scope="row">name</th>'
    assert find_faults(GOOD.format(good)) == []


def test_extension_adds_scopes_and_names_once_and_changes_nothing_else():
    page = (
        '<thead><tr><th class="head"><p>a</p></th><th scope="row">b</th></tr></thead>'
        '<a class="reference internal" href="results.html">Results</a><details><summary><span class="toctree-toggle">'
        '<button class="btn search-button-field" title="Search" aria-label="Search">Search</button>'
        '<summary aria-label="Toggle hidden content">Show</summary><p>untouched</p>'
        '<i class="fa-solid fa-list"></i><i class="fas fa-file"></i><i class="far">far</i>'
    )
    mended = make_accessible(page)
    assert '<th scope="col" class="head">' in mended and '<th scope="row">b' in mended
    assert '<summary aria-label="pages below Results">' in mended and "Toggle" not in mended
    assert '<button class="btn search-button-field" title="Search">' in mended and "<p>untouched</p>" in mended
    assert mended.count('<i aria-hidden="true" class="fa') == 2 and '<i class="far">far</i>' in mended
    assert make_accessible(mended) == mended


def test_generated_languages_have_tags_that_tools_know():
    assert [language_tag(code) for code in ("qdu", "de", "quy", "kmr")] == ["art-x-qdu", "de", "quy", "kmr"]
    assert 'lang="art-x-qdu"' in clean_html('<p lang="qdu" dir="rtl">x</p>')


def test_lines_do_not_break_between_a_number_and_its_unit():
    kept = keep_units("2 % of 3 s, 4 seeds, [−1, 2] points, 5 min 6 s; 7 s-shaped, 8 % [x] h")
    assert (
        kept
        == "2\u00a0% of 3\u00a0s, 4 seeds, [−1, 2]\u00a0points, 5\u00a0min 6\u00a0s; 7 s-shaped, 8\u00a0% [x]\u00a0h"
    )
    assert keep_units(kept) == kept


def test_extension_marks_short_cells_and_leaves_code_as_it_is():
    document, short, long = new_document("page"), nodes.entry(), nodes.entry()
    short += nodes.paragraph("", "", nodes.Text("pending"), nodes.raw("", "<br>", format="html"), nodes.Text("interim"))
    long += nodes.paragraph("", "A sentence of 9 s.")
    code = nodes.literal_block("", "sleep 9 s")
    document += [short, long, code]
    mend_document(None, document, "page")
    assert (short["classes"], long["classes"]) == (["short"], [])
    assert long.astext() == "A sentence of 9\u00a0s." and code.astext() == "sleep 9 s"
