"""The page of results: the numbers of its HTML tables against its CSV files and against the records."""

import csv
import re
from xml.etree import ElementTree

import pytest
from record_fixture import ROWS, XTREME, grid_records, with_retrieval, with_values

from stilts_core.report.analysis.grid import BASELINE, Grid
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages import results
from stilts_core.report.pages.grid_place import GridPlace
from stilts_core.report.tables.titles import short_title
from stilts_core.runs.record import Record


def link(record: Record) -> str:
    return f"pairs/{record.run_id}.html"


@pytest.fixture(scope="module")
def grid() -> Grid:
    return Grid(grid_records(rows=[*ROWS, "qqp+mlm"]))


@pytest.fixture(scope="module")
def book(grid, tmp_path_factory):
    """The folder with the page's files, and the page."""
    folder = tmp_path_factory.mktemp("book")
    return folder, results.build_page(grid, GridPlace(PageWriter(folder), link))


def parse_tables(page: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(table) for table in re.findall(r"<table>.*?</table>", page)]


def find_row(table: ElementTree.Element, name: str) -> ElementTree.Element:
    return next(row for row in table.iter("tr") if row[0].text == name)


def read_csv(folder, name: str) -> list[dict[str, str]]:
    with (folder / "generated" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def printed_number(cell: ElementTree.Element) -> float | None:
    """The number of a cell without its small print; None for a missing one."""
    text = "".join(text for part in cell for text in part.itertext() if part.tag != "small") or (cell.text or "")
    return None if text == "–" else float(text.replace("−", "-"))


@pytest.mark.parametrize("index, name", [(0, "results"), (2, "results-without-english")])
def test_csv_file_equals_the_table(book, index, name):
    folder, page = book
    table = parse_tables(page)[index]
    lines = {(line["row"], line["target"]): line for line in read_csv(folder, name)}
    heads = [head.text or head[0].text for head in table.find("thead")[0]]
    assert heads == ["intermediate task", "average", "of", *map(short_title, XTREME)]
    compared = 0
    for row in [*ROWS, "qqp+mlm"]:
        _, average, _, *cells = find_row(table, short_title(row))
        for target, cell in zip(["average", *XTREME], [average, *cells], strict=True):
            assert_cell_equals_line(cell, lines.pop((row, target)), "score" if row == BASELINE else "difference")
            compared += 1
    assert compared == 13 * 10 and not lines


def assert_cell_equals_line(cell: ElementTree.Element, line: dict[str, str], column: str):
    value, low, high = (float(line[f"{column}{bound}"]) for bound in ("", "_low", "_high"))
    assert printed_number(cell) == pytest.approx(value, abs=0.0501)
    assert float(cell.get("data-value")) == pytest.approx(value, abs=1e-4)
    small_print = cell.find("small").text
    if line["target"] == "average" or line["same_data"] == "no":
        assert float(small_print.removeprefix("± ")) == pytest.approx((high - low) / 2, abs=0.0501)
    else:
        assert cell.get("class") == "same" and small_print == "same" and line["counted"] == "no"


def test_every_run_of_the_grid_is_linked(book, grid):
    _, page = book
    linked = set(re.findall(r'href="(pairs/[^"]+)"', page))
    assert linked == {link(record) for record in grid.records}


def test_number_of_several_runs_links_to_each_of_them(tmp_path):
    grid = Grid(grid_records(rows=("none", "qqp"), targets=("xnli",), seeds=range(3)))
    page = results.build_page(grid, GridPlace(PageWriter(tmp_path), link))
    for record in grid.records:
        assert f'href="{link(record)}"' in page
    assert page.count('aria-label="run 3"') >= 2


def test_bold_numbers_are_those_that_the_csv_file_has_below_the_level(tmp_path):
    grid = Grid(grid_records(rows=("none", "qqp", "ccg", "mnli"), targets=("xnli", "udpos"), seeds=range(5)))
    page = results.build_page(grid, GridPlace(PageWriter(tmp_path), link))
    lines = [*read_csv(tmp_path, "results"), *read_csv(tmp_path, "results-without-english")]
    tested = [line for line in lines if line["p_holm"]]
    first, _, second = parse_tables(page)
    bold = sum(cell.tag == "b" for table in (first, second) for cell in table.iter())
    assert 0 < bold == sum(float(line["p_holm"]) <= 0.05 for line in tested) < len(tested)
    assert f"covers {len(tested)} differences: those of both tables" in page
    assert len(tested) == 2 * (5 + 3)  # without MNLI → XNLI, the same data
    assert all(float(line["p_holm"]) >= float(line["p"]) for line in tested)


def test_one_seed_has_no_bold_number_and_the_page_says_why(book):
    folder, page = book
    assert "<b>" not in page and "One seed cannot tell an effect from chance" in page
    assert not any(line["p"] or line["p_holm"] for line in read_csv(folder, "results"))


def test_runs_without_a_baseline_of_their_seed_show_their_score(tmp_path):
    other = grid_records(rows=("qqp",), targets=("xnli",), seeds=[1])
    grid = Grid(grid_records(rows=("none",), targets=("xnli",)) + other)
    page = results.build_page(grid, GridPlace(PageWriter(tmp_path), link))
    row = find_row(parse_tables(page)[0], "QQP")
    assert printed_number(row[3]) == pytest.approx(grid.cells["qqp", "xnli"].score().value, abs=0.0501)
    assert row[3].find("small").text.startswith("score ± ") and row[3].get("style") is None
    assert "no run of the baseline has the same seed" in page


def test_target_that_no_run_learnt_is_named(tmp_path):
    learnt = grid_records(rows=("none", "qqp", "ccg"), targets=("xnli", "pawsx"), seeds=range(2))
    first = {(run.target, run.seed): run.model_dump(by_alias=True, exclude_unset=True) for run in reversed(learnt)}

    def build(records: list[Record]) -> str:
        return results.build_page(Grid(records), GridPlace(PageWriter(tmp_path), link))

    def level(run: Record, target: str) -> Record:
        same = first[run.target, run.seed]
        equal = {name: same[name] for name in ("scores", "averages")}
        return with_values(run, equal if run.target == target else {})

    assert "Not learnt" not in build(learnt)
    level_one = [level(run, "pawsx") for run in learnt]
    assert "**Not learnt: PAWS-X.**" in build(level_one)
    assert "Not learnt" not in build([run for run in level_one if run.row != "ccg"])  # two rows may agree by chance
    assert "Not learnt" not in build([*level_one[:-1], learnt[-1]])


def test_missing_cells_are_shown_as_missing(tmp_path):
    records = grid_records(rows=("none", "qqp"), targets=("xnli", "mlqa"))[:3]
    page = results.build_page(Grid(records), GridPlace(PageWriter(tmp_path), link))
    row = find_row(parse_tables(page)[0], "QQP")
    assert printed_number(row[3]) is not None and row[4].get("class") == "missing" and printed_number(row[4]) is None
    assert row[2].text == "1"


@pytest.mark.parametrize("seeds", [(0,), (0, 1, 2)])
def test_page_without_a_baseline_shows_scores_and_not_dashes(tmp_path, seeds):
    grid = Grid(grid_records(rows=("qqp", "ccg", "squad"), targets=XTREME, seeds=seeds))
    page = results.build_page(grid, GridPlace(PageWriter(tmp_path), link))
    for index, average, name in ((0, "all", "results"), (1, "non_english", "results-without-english")):
        table = parse_tables(page)[index]
        lines = {(line["row"], line["target"]): line for line in read_csv(tmp_path, name)}
        for row in ("qqp", "ccg", "squad"):
            _, mean, of, *cells = find_row(table, short_title(row))
            shown = dict(zip(("average", *XTREME), (mean, *cells), strict=True))
            expected = {target: grid.cells[row, target].score(average).value for target in XTREME}
            counted = [expected[target] for target in XTREME if not grid.cells[row, target].same_data]
            expected["average"] = sum(counted) / len(counted)
            for target, cell in shown.items():
                assert printed_number(cell) == pytest.approx(expected[target], abs=0.0501)
                assert float(lines[row, target]["score"]) == pytest.approx(expected[target], abs=1e-3)
                assert lines[row, target]["difference"] == "" and cell.get("style") is None
                same = target != "average" and grid.cells[row, target].same_data
                assert cell.find("small").text.startswith("same, score ±" if same else "score ±")
            assert of.text == str(len(counted))
    assert (
        "–</td>" not in page
        and "Colour:" not in page
        and "A difference is" not in page
        and "differences from them" not in page
    )
    assert "heat-map" not in page and "Which intermediate task to choose" not in page


def test_baseline_of_one_target_leaves_the_scores_of_the_others(tmp_path):
    records = grid_records(rows=("qqp",), targets=("xnli", "mlqa")) + grid_records(rows=("none",), targets=("mlqa",))
    grid = Grid(records)
    page = results.build_page(grid, GridPlace(PageWriter(tmp_path), link))
    _, mean, of, xnli, mlqa = find_row(parse_tables(page)[0], "QQP")
    assert printed_number(xnli) == pytest.approx(grid.cells["qqp", "xnli"].score().value, abs=0.0501)
    assert (
        printed_number(mlqa) == printed_number(mean) == pytest.approx(grid.difference("qqp", "mlqa").value, abs=0.0501)
    )
    assert of.text == "1"


def test_tables_have_captions_and_header_cells_for_screen_readers(book):
    for table in parse_tables(book[1]):
        assert "".join(table.find("caption").itertext())
        assert all(head.get("scope") == "col" for head in table.iter("th") if head in list(table.find("thead")[0]))
        bodies = [*table.iter("tbody"), *table.iter("tfoot")]
        assert all(row[0].tag == "th" and row[0].get("scope") == "row" for body in bodies for row in body)


def test_baseline_has_its_own_table_body_so_that_sorting_leaves_it_on_top(book):
    bodies = [[row[0].text for row in body] for body in parse_tables(book[1])[0].iter("tbody")]
    assert bodies == [["none"], [short_title(row) for row in ROWS[1:]], ["QQP + MLM"]]


def test_choice_prints_the_row_chosen_on_dev_and_the_oracle(book, grid):
    folder, page = book
    lines = read_csv(folder, "choice")
    for line in lines:
        scores = {cell.row: cell.score().value for cell in grid.column(line["target"])}
        assert float(line["score"]) == pytest.approx(scores[line["chosen"]], abs=1e-4)
        assert float(line["oracle_score"]) == pytest.approx(scores[line["oracle"]], abs=1e-4)
        assert float(line["oracle_score"]) >= float(line["score"])
    foot = parse_tables(page)[1].find("tfoot")[0]
    base, chosen, oracle = (
        sum(float(line[name]) for line in lines) / len(XTREME) for name in ("none", "score", "oracle_score")
    )
    means = [printed_number(cell) for cell in foot if cell.get("data-value")]
    assert means == pytest.approx([base, chosen, chosen - base, oracle, oracle - base], abs=0.0501)


def test_published_gains_are_beside_ours_and_in_no_mean(book, grid):
    section = book[1].split("## Does the grid agree with the paper?")[1]
    assert section.count("\n| average target-task gain") == 4 and "never averaged" in section
    gains = [float(line["score"]) - float(line["none"]) for line in read_csv(book[0], "choice")]
    assert f"| +5.4 | +{sum(gains) / len(XTREME):.1f} [" in section
    for row in ("squad", "mnli", "hellaswag", "all"):
        assert f"{grid.average(row).value:+.1f}".replace("-", "−") in section


def test_retrieval_is_shown_centred_beside_raw_for_every_target_that_has_it(book, tmp_path):
    assert "offset of languages" not in book[1]  # records of an earlier version
    records = grid_records(rows=("none", "qqp"), targets=("xnli", "tatoeba", "bucc2018"))
    grid = Grid([with_retrieval(record) if record.layers else record for record in records])
    page = results.build_page(grid, GridPlace(PageWriter(tmp_path), link))
    section = page.split("## Does retrieval change by alignment, or by an offset of languages?")[1].split("\n## ")[0]
    assert section.count("| before any phase | 25.0 | 27.0 | 45.0 |") == 2
    assert "**Tatoeba**" in section and "**BUCC 2018**" in section and "XNLI" not in section
