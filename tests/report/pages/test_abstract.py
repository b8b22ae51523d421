"""The abstract on the first page, before, while and after the studies are run."""

import pytest
from question_fixture import CLAIMS, ENCODERS, GRID, NAMES, invent_table, keep_table, write_protocols, write_real_arm

from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages.abstract import build_abstract
from stilts_core.report.pages.questions.build import QUESTIONS, Chapters
from stilts_core.report.pages.questions.chapter import open_chapter
from stilts_core.report.pages.questions.real_arm import open_real_arms
from stilts_core.report.tables.numbers import signed
from stilts_core.studies.protocol import read_protocol
from stilts_core.studies.results import kept_table, write_table


@pytest.fixture(scope="module")
def protocols(tmp_path_factory):
    return write_protocols(tmp_path_factory.mktemp("studies") / "protocols")


def build(book, protocols, claims=""):
    return build_abstract(open_all(book, protocols), open_chapter(GRID, book, protocols), claims)


def open_all(book, protocols):
    studies = {name: open_chapter(name, book, protocols) for name in (*NAMES, *CLAIMS)}
    return Chapters(studies, open_real_arms(studies, book, protocols))


def answers(page: str) -> dict[str, str]:
    """The answer to each question, with all its parts, by the question's name."""
    entries = page.split("\n\n")[0].removeprefix("- ").split("\n- ")
    return dict(zip(QUESTIONS, entries, strict=True))


def test_book_without_results_lists_the_questions_and_claims_nothing(tmp_path, protocols):
    page = build(PageWriter(tmp_path).folder, protocols, "No grid yet")
    assert page.count("  - In the laboratory: not run yet.") == len(QUESTIONS) == page.count("](questions/")
    assert "![" not in page and "No grid yet: [What holds?](claims.md)" in page


def test_answers_have_their_interval_and_status_and_the_figure_is_that_of_retrieval(tmp_path, protocols):
    keep_table(tmp_path, protocols, "continued")
    keep_table(tmp_path, protocols, "adversary", ENCODERS - 1)
    keep_table(tmp_path, protocols, "ratio", 1)
    page = build(tmp_path, protocols, "Of 5 parts, 3 agree")
    lines = answers(page)
    primary, asked = lines["continued"].split("\n  - As asked: in the laboratory, ")
    assert primary.endswith("*Confirmatory.*") and "95 % interval over 4 encoders" in primary
    assert "compared with intermediate training on MNLI" in asked and "As asked" not in lines["adversary"]
    assert lines["adversary"].endswith("*Interim.*") and "(in the laboratory, 3 of 4 encoders)" in lines["adversary"]
    assert lines["ratio"].endswith("no answer yet (1 of 4 encoders is done).")
    assert "Of 5 parts, 3 agree: [What holds?](claims.md)" in page
    assert "](generated/questions/answers.svg)" in page and page.count("![") == 1
    assert "[The grid on real languages]" not in page
    keep_table(tmp_path, protocols, "retrieval")
    keep_table(tmp_path, protocols, GRID)
    page = build(tmp_path, protocols)
    assert "](generated/questions/retrieval.svg)" in page and page.count("![") == 1
    assert "[Retrieval on real languages](questions/retrieval.md): " in page
    (grid,) = (line for line in page.splitlines() if line.startswith("- [The grid on real languages](real.md): "))
    assert "SQuAD 1.1" in grid and "TyDiQA" in grid and grid.endswith(".*")


def test_answer_on_real_languages_follows_that_of_the_laboratory(tmp_path):
    protocols = write_protocols(tmp_path / "protocols")
    for name in ("continued", "adversary"):
        write_real_arm(protocols, name)
        keep_table(tmp_path, protocols, name)
    other = write_real_arm(protocols, "choice")
    other.write_text(other.read_text().replace("typology against placebo, POS", "another contrast", 1))
    for name in ("choice", "choice-real", "continued-real"):
        keep_table(tmp_path, protocols, name)
    chapters = open_all(tmp_path, protocols)
    lines = answers(build(tmp_path, protocols))
    finding = chapters.real["continued"].primary
    number = f"the same contrast is {signed(finding.value)}"
    assert number in lines["continued"] and f"over 3 encoders): {finding.verdict}. *" in lines["continued"]
    assert lines["adversary"].endswith("On real languages: not run yet.")
    opposite = invent_table(read_protocol(protocols / "continued-real.toml"), effect=-3.0)
    write_table(kept_table("continued-real", tmp_path), opposite)
    line, asked = answers(build(tmp_path, protocols))["continued"].split("\n  - As asked: in the laboratory, ")
    assert "same contrast" not in line and "does not raise" in line  # another verdict: the whole sentence
    assert "same contrast" in asked
    line, asked = lines["choice"].split("\n  - As asked: in the laboratory, ")
    assert "same contrast" not in line and line.count("choice by typology") == 2 and "same contrast" in asked
    assert "eal languages" not in lines["latency"]
    kept_table("choice", tmp_path).unlink()
    line = answers(build(tmp_path, protocols))["choice"]
    question = chapters.studies["choice"].protocol.question
    assert line.startswith(
        f"[Choice by typology](questions/choice.md): {question}\n  - In the laboratory: not run yet."
    )
    assert "choice by typology" in line
