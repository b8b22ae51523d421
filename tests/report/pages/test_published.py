"""The page of published results: every number has its source, and only comparable ones of ours have a colour."""

import csv
import re

import pytest
from bs4 import BeautifulSoup
from record_fixture import grid_records, with_values

from stilts_core.report.analysis.grid import Grid
from stilts_core.report.analysis.published import Column, own_score, stated_gains
from stilts_core.report.colours import difference_colour, to_css
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages import published
from stilts_core.tasks.catalogue import get_task
from stilts_core.tasks.facts import read_facts

ROWS = ("none", "mnli")
TARGETS = ("xnli", "pawsx", "tatoeba")
SCORES = read_facts("published_scores")


def records(profile: str = "small", limit: int = 0, every_language: bool = True, rows=ROWS) -> list:
    """A grid of three targets; with every language of XTREME, and without a limit of test items, it is comparable."""
    made = []
    for target in TARGETS:
        codes = tuple(get_task(target).languages["xtreme"]) if every_language else ("en", "de", "zh")
        made += grid_records(profile, rows, (target,), (0, 1), codes if profile == "small" else None)
    return [with_values(run, {"config.test_examples": limit}) for run in made]


def build(folder, **grids: Grid) -> tuple[list[BeautifulSoup], str]:
    """The tables of the page, and its text."""
    page = published.build_page(grids, PageWriter(folder))
    return BeautifulSoup(page, "html.parser").find_all("table"), page


def rows_of(table) -> dict[str, list]:
    """The cells of each row by the first words of its header."""
    return {
        row.find("th").find(string=True): row.find_all("td") for body in table.find_all("tbody") for row in body("tr")
    }


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    folder, grid = tmp_path_factory.mktemp("published"), Grid(records())
    return folder, grid, *build(folder, small=grid)


def test_every_published_number_is_printed_in_its_row_and_leads_to_its_source(compared):
    _, _, tables, page = compared
    sources = {item["id"]: item.get_text() for item in BeautifulSoup(page, "html.parser").find_all("li", id=True)}
    rows = rows_of(tables[0])
    tasks = list(dict.fromkeys(fact["task"] for fact in SCORES))
    heads = [head.find(string=True) for head in tables[0].thead("th")][1:]
    assert heads == [get_task(task).short_title for task in sorted(tasks, key=list(published.TARGET_TASKS).index)]
    for fact in SCORES:
        cell = rows[fact["system"]][heads.index(get_task(fact["task"]).short_title)]
        assert cell.find(string=True) == fact["score"]
        assert sources[cell.find("a")["href"].removeprefix("#")] == f"{fact['source']}."
    assert "arxiv.org/abs/2005.13013" in page and "github.com/google-research/multilingual-t5" in page


def test_retrieval_has_every_language_of_the_facts_as_percentages(compared):
    folder, *_ = compared
    for task, target in (("tatoeba", "tatoeba"), ("bucc2018_dev", "bucc2018")):
        rows = [fact for fact in read_facts("published_retrieval_xlmr_large") if fact["task"] == task]
        facts = {fact["lang"]: float(fact["score"]) for fact in rows}
        with (folder / f"generated/published-{target}.csv").open(newline="") as file:
            lines = [line for line in csv.DictReader(file) if line["system"] == "XLM-R Large"]
        printed = {line["language"]: float(line["score"]) for line in lines}
        mean = next(code for code in facts if code.startswith("avg"))
        assert printed.pop("") == pytest.approx(100 * facts.pop(mean), abs=0.01)
        assert printed == pytest.approx({code: 100 * value for code, value in facts.items()}, abs=0.01)


def test_own_rows_are_below_and_coloured_by_their_difference_from_the_reference(compared):
    _, grid, tables, _ = compared
    bodies = tables[0].find_all("tbody")
    assert len(bodies) == 2 and "XLM-R Large" in bodies[0].get_text() and "XLM-R" not in bodies[1].get_text()
    own = [grid.cells[row, "pawsx"].score().value for row in ROWS]
    base, others = 86.4, [87.7, 81.9]
    limit = max(abs(value - base) for value in others + own)
    cells = [row.find_all("td")[1] for row in bodies[1]("tr")]
    for cell, value in zip(cells, own, strict=True):
        assert float(cell["data-value"]) == pytest.approx(value, abs=1e-4)
        assert f"background: {to_css(difference_colour(value - base, limit))}" in cell["style"]
    scale = tables[0].tfoot.find_all("td")[1].get_text()
    assert f"+{limit:.1f}" in scale and f"−{limit:.1f}" in scale


@pytest.mark.parametrize(
    "options, words", [({"every_language": False}, "of 7 languages"), ({"limit": 50}, "at most 50 items")]
)
def test_scores_that_differ_in_more_than_the_encoder_say_so_and_have_no_colour(tmp_path, options, words):
    tables, _ = build(tmp_path, small=Grid(records(**options)))
    cells = [row.find_all("td")[1] for row in tables[0].find_all("tbody")[1]("tr")]
    assert all(words in cell.get_text() and not cell.get("style") for cell in cells)


def test_cells_with_the_target_s_own_training_set_are_marked(compared):
    own = compared[2][0].find_all("tbody")[1]("tr")
    marked = [["same data" in cell.get_text() for cell in row.find_all("td")[:2]] for row in own]
    assert marked == [[False, False], [True, False]]  # MNLI is XNLI's training set


def test_laboratory_rows_are_never_beside_published_ones(tmp_path):
    tables, page = build(tmp_path, lab=Grid(records("lab", rows=("none",))))
    assert all(len(table.find_all("tbody")) == 1 for table in tables) and "no run on real data yet" in page
    tables, page = build(tmp_path, lab=Grid(records("lab")), small=Grid(records()))
    assert "<small>lab</small>" not in page and "<small>small</small>" in page and "never in these tables" in page


def test_another_metric_is_not_shown_and_a_secondary_one_is_the_mean_of_the_runs():
    (run,) = grid_records("small", ("none",), ("xquad",))
    assert own_score(Grid([run]).cells["none", "xquad"], Column("xquad", "invented")) is None
    metrics = {f"scores.{code}.metrics": {"em_f1": 1.0, "f1": float(place)} for place, code in enumerate(run.scores)}
    scored = with_values(run, metrics | {"metrics": ["em_f1", "f1"]})
    found = own_score(Grid([scored]).cells["none", "xquad"], Column("xquad", "f1"))
    assert found.measured.value == pytest.approx((len(run.scores) - 1) / 2) and not found.has_interval


def test_stated_gains_are_all_claims_in_points():
    facts = [fact for fact in read_facts("published_claims") if fact["unit"] == "points"]
    assert {claim: gain.value for claim, gain in stated_gains().items()} == {
        fact["claim"]: float(fact["value"]) for fact in facts
    }
    assert not re.search(r"\d\.\d", published.COMPARABLE + published.COLOURS + published.THRESHOLD)
