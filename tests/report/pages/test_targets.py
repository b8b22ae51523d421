import csv
import re
from xml.etree import ElementTree

import pytest
from record_fixture import grid_records, with_retrieval, with_values

from stilts_core.laboratory.language.design import LANGUAGES
from stilts_core.report.analysis.distances import sort_by_distance
from stilts_core.report.analysis.grid import Grid
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages import targets
from stilts_core.report.pages.grid_place import GridPlace
from stilts_core.report.tables.titles import short_title
from stilts_core.runs.record import Record
from stilts_core.tasks.facts import read_facts

ROWS = ("none", "qqp", "mnli")


def link(record: Record) -> str:
    return f"../../pairs/{record.run_id}.html"


def build_page(folder, target="xnli", profile="lab", seeds=(0,)) -> tuple[Grid, str]:
    grid = Grid(grid_records(profile, ROWS, (target,), seeds))
    return grid, targets.build_page(grid, target, GridPlace(PageWriter(folder), link))


def test_header_rows_have_name_distance_size_and_n_of_every_language(tmp_path):
    _, page = build_page(tmp_path)
    table = ElementTree.fromstring(re.search(r"<table>.*?</table>", page)[0])
    codes = sort_by_distance(LANGUAGES)
    heads = [["".join(cell.itertext()) for cell in row][1:-1] for row in table.find("thead")]
    assert codes[0] == "en"
    assert heads == [
        [LANGUAGES[code].name for code in codes],
        [f"{LANGUAGES[code].distance:.2f}" for code in codes],
        [f"{LANGUAGES[code].texts:,}" for code in codes],
        ["100"] * len(codes),
    ]


def test_every_row_has_its_score_in_every_language_on_the_page_and_in_the_csv_file(tmp_path):
    grid, page = build_page(tmp_path, seeds=(0, 1))
    table = ElementTree.fromstring(re.search(r"<table>.*?</table>", page)[0])
    codes = sort_by_distance(LANGUAGES)
    rows = {row[0].text: row for body in table.iter("tbody") for row in body}
    with (tmp_path / "generated" / "xnli.csv").open(newline="") as file:
        lines = {(line["row"], line["language"]): line for line in csv.DictReader(file)}
    assert list(rows) == [short_title(row) for row in ("none", "mnli", "qqp")] and len(lines) == len(ROWS) * len(codes)
    for grid_cell in grid.column("xnli"):
        cells = rows[short_title(grid_cell.row)][1:-1]
        for code, cell in zip(codes, cells, strict=True):
            mean = sum(record.scores[code].score for record in grid_cell.records) / 2
            assert float(cell.get("data-value")) == pytest.approx(mean, abs=1e-4)
            assert float(lines[grid_cell.row, code]["score"]) == pytest.approx(mean, abs=1e-4)
            assert cell.find("a").text == f"{mean:.1f}" and cell.find("small").text.startswith("± ")
            assert [a.get("href") for a in cell.findall("small/a")] == [link(record) for record in grid_cell.records]


def test_rows_with_the_same_data_are_marked_and_have_no_colour(tmp_path):
    _, page = build_page(tmp_path)
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", page.split("</thead>")[1])
    assert ["same data" in row for row in rows] == [False, True, False]
    assert ["background" in row for row in rows] == [False, False, True]


def test_page_says_which_differences_are_corrected_together(tmp_path):
    assert "One seed cannot tell an effect from chance" in build_page(tmp_path)[1]
    page = build_page(tmp_path, "udpos", seeds=range(3))[1]
    assert "Holm's correction" in page and "covers 2 differences: those of this figure" in page


def test_single_languages_rows_and_differences_have_no_plural(tmp_path):
    grid = Grid(grid_records("small", ("none", "qqp", "mnli"), ("xnli",), range(3), languages=("de",)))
    page = targets.build_page(grid, "xnli", GridPlace(PageWriter(tmp_path), link))
    assert ": 1 language, 3 rows of the grid" in page
    assert "covers 1 difference: that of this figure without the target's own data." in page


def test_target_on_which_all_rows_agree_is_not_said_to_have_one_seed(tmp_path):
    records = grid_records("lab", ROWS, ("udpos",), (0, 1))
    same = [with_values(record, {f"scores.{code}.score": 50.0 for code in record.scores}) for record in records]
    page = targets.build_page(Grid(same), "udpos", GridPlace(PageWriter(tmp_path), link))
    assert "All rows have the same score in every language" in page and "One seed" not in page


def test_colours_show_differences_of_runs_with_the_same_seed(tmp_path):
    grid = Grid(grid_records("lab", ("none", "qqp"), ("udpos",), (0, 1)))
    lucky = Grid([*grid.records, *grid_records("lab", ("qqp",), ("udpos",), (2,))])
    plain, more = (
        re.findall(r"background: [^;]+", targets.build_page(each, "udpos", GridPlace(PageWriter(tmp_path), link)))
        for each in (grid, lucky)
    )
    assert plain and plain == more


def test_only_retrieval_targets_have_a_figure_by_hidden_state(tmp_path):
    assert "tatoeba-layers.svg" in build_page(tmp_path, "tatoeba")[1]
    assert (tmp_path / "generated/tatoeba-layers.svg").exists()
    assert "layers.svg" not in build_page(tmp_path, "xnli")[1]


def test_only_real_data_are_compared_with_published_scores(tmp_path):
    published = [fact for fact in read_facts("published_scores") if fact["task"] == "xnli"]
    real, generated = build_page(tmp_path, profile="small")[1], build_page(tmp_path, profile="lab")[1]
    assert published and all(f"| {fact['system']} | accuracy | {fact['score']} |" in real for fact in published)
    assert real.count("| this book |") == len(ROWS) and "published" not in generated.lower()
    assert "published ones" not in build_page(tmp_path, "tatoeba", "small")[1]  # no published score was verified


def test_only_languages_of_the_laboratory_link_to_their_pages(tmp_path):
    assert 'href="../languages/qal.html"' in build_page(tmp_path)[1]
    assert "languages/" not in build_page(tmp_path, profile="small")[1]


def test_retrieval_is_shown_raw_and_centred_before_and_after(tmp_path):
    assert "offset of languages" not in build_page(tmp_path, "tatoeba")[1]  # records of an earlier version
    grid = Grid([with_retrieval(record) for record in grid_records("lab", ROWS, ("tatoeba",))])
    page = targets.build_page(grid, "tatoeba", GridPlace(PageWriter(tmp_path), link))
    lines = [line for line in page.splitlines() if line.startswith("| ")]
    assert "| before any phase | 25.0 | 27.0 | 45.0 |" in lines
    assert f"| {short_title('qqp')} | 30.0 | 32.0 | 50.0 |" in lines
