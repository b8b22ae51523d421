"""The page of results: what its tables print, read back from their HTML, against the CSV files and the records."""

import csv
import re
from xml.etree import ElementTree

import pytest
from record_fixture import ROWS, XTREME, grid_records

from stilts_core.report import results
from stilts_core.report.cards import short_title
from stilts_core.report.grid import BASELINE, Grid
from stilts_core.report.pages import Pages


def link(record: dict) -> str:
    return f"pairs/{record['run_id']}.html"


@pytest.fixture(scope="module")
def grid() -> Grid:
    return Grid(grid_records(rows=[*ROWS, "qqp+mlm"]))


@pytest.fixture(scope="module")
def book(grid, tmp_path_factory):
    """The folder that the page's files went to, and the page."""
    folder = tmp_path_factory.mktemp("book")
    return folder, results.page(grid, Pages(folder), link)


def tables(page: str) -> list[ElementTree.Element]:
    return [ElementTree.fromstring(found) for found in re.findall(r"<table>.*?</table>", page)]


def lines(folder, name: str) -> list[dict[str, str]]:
    with (folder / "generated" / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def shown(cell: ElementTree.Element) -> float | None:
    """The number that a cell prints above its small print."""
    text = "".join(text for part in cell for text in part.itertext() if part.tag != "small") or (cell.text or "")
    return None if text == "–" else float(text.replace("−", "-"))


@pytest.mark.parametrize("index, name", [(0, "results"), (2, "results-without-english")])
def test_csv_file_equals_the_table(book, index, name):
    folder, page = book
    table, written = tables(page)[index], {(line["row"], line["target"]): line for line in lines(folder, name)}
    heads = [head.text or head[0].text for head in table.find("thead")[0]]
    assert heads == ["learnt first", "average", "of", *map(short_title, XTREME)]
    rows = {row[0].text: row for row in table.iter("tr")}
    printed = 0
    for row in [*ROWS, "qqp+mlm"]:
        for target, cell in zip(
            ["average", *XTREME], [rows[short_title(row)][1], *rows[short_title(row)][3:]], strict=True
        ):
            line = written.pop((row, target))
            number = line["score" if row == BASELINE else "difference"]
            low, high = (
                float(line[f"{'score' if row == BASELINE else 'difference'}_{end}"]) for end in ("low", "high")
            )
            assert shown(cell) == pytest.approx(float(number), abs=0.0501)
            assert float(cell.get("data-value")) == pytest.approx(float(number), abs=1e-4)
            width = cell.find("small").text
            if target == "average" or line["same_data"] == "no":
                assert float(width.removeprefix("± ")) == pytest.approx((high - low) / 2, abs=0.0501)
            else:
                assert cell.get("class") == "same" and width == "same" and line["counted"] == "no"
            printed += 1
    assert printed == 13 * 10 and not written


def test_every_number_of_a_run_leads_to_its_page(book, grid):
    _, page = book
    linked = set(re.findall(r'href="(pairs/[^"]+)"', page))
    assert linked == {link(record) for record in grid.records}


def test_numbers_of_several_runs_lead_to_each_of_them(tmp_path):
    grid = Grid(grid_records(rows=("none", "qqp"), targets=("xnli",), seeds=range(3)))
    page = results.page(grid, Pages(tmp_path), link)
    for record in grid.records:
        assert f'href="{link(record)}"' in page
    assert page.count('aria-label="run 3"') >= 2


def test_missing_cells_are_shown_as_missing(tmp_path):
    records = [r for r in grid_records(rows=("none", "qqp"), targets=("xnli", "mlqa"))][:3]
    page = results.page(Grid(records), Pages(tmp_path), link)
    row = next(row for row in tables(page)[0].iter("tr") if row[0].text == "QQP")
    assert shown(row[3]) is not None and row[4].get("class") == "missing" and shown(row[4]) is None
    assert row[2].text == "1"


def test_rows_without_a_baseline_compare_with_nothing(tmp_path):
    page = results.page(Grid(grid_records(rows=("qqp",), targets=("xnli",))), Pages(tmp_path), link)
    row = next(row for row in tables(page)[0].iter("tr") if row[0].text == "QQP")
    assert [cell.get("class") for cell in row[1:]] == ["missing", "fact", "missing"]
    assert "heat-map" not in page and "Which one to take" not in page


def test_tables_name_their_rows_and_columns_for_those_who_hear_them(book):
    for table in tables(book[1]):
        assert table.find("caption").text
        assert all(head.get("scope") == "col" for head in table.iter("th") if head in list(table.find("thead")[0]))
        bodies = [*table.iter("tbody"), *table.iter("tfoot")]
        assert all(row[0].tag == "th" and row[0].get("scope") == "row" for body in bodies for row in body)


def test_the_baseline_has_a_body_of_its_own_which_no_sorting_leaves(book):
    bodies = [[row[0].text for row in body] for body in tables(book[1])[0].iter("tbody")]
    assert bodies == [["none"], [short_title(row) for row in ROWS[1:]], ["QQP + MLM"]]


def test_choice_prints_what_dev_chose_and_the_oracle(book, grid):
    folder, page = book
    for line in lines(folder, "choice"):
        scores = {cell.row: cell.score().value for cell in grid.column(line["target"])}
        assert float(line["score"]) == pytest.approx(scores[line["chosen"]], abs=1e-4)
        assert float(line["oracle_score"]) == pytest.approx(scores[line["oracle"]], abs=1e-4)
        assert float(line["oracle_score"]) >= float(line["score"])
    table = tables(page)[1]
    bottom = [shown(cell) for cell in table.find("tfoot")[0] if cell.get("data-value")]
    means = [
        sum(float(line[name]) for line in lines(folder, "choice")) / 9 for name in ("none", "score", "oracle_score")
    ]
    assert bottom == pytest.approx([means[0], means[1], means[1] - means[0], means[2], means[2] - means[0]], abs=0.0501)


def test_published_gains_stand_beside_ours_and_enter_no_mean(book, grid):
    section = book[1].split("## Beside the paper")[1]
    assert section.count("\n| average target-task gain") == 4 and "never averaged" in section
    gains = [float(line["score"]) - float(line["none"]) for line in lines(book[0], "choice")]
    assert f"| +5.4 | +{sum(gains) / 9:.1f} (" in section
    for row in ("squad", "mnli", "hellaswag", "all"):
        assert f"{grid.average(row).value:+.1f}".replace("-", "−") in section
