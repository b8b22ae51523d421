import csv
import re
from xml.etree import ElementTree

import pytest
from record_fixture import grid_records

from stilts_core.report import targets
from stilts_core.report.cards import short_title
from stilts_core.report.distances import by_distance
from stilts_core.report.grid import Grid
from stilts_core.report.pages import Pages
from stilts_core.report.reference import facts
from stilts_core.sources.lab.languages import LANGUAGES

ROWS = ("none", "qqp", "mnli")


def link(record: dict) -> str:
    return f"../../pairs/{record['run_id']}.html"


def page(folder, target="xnli", profile="lab", seeds=(0,)) -> tuple[Grid, str]:
    grid = Grid(grid_records(profile, ROWS, (target,), seeds))
    return grid, targets.page(grid, target, Pages(folder), link)


def test_every_row_has_its_score_in_every_language_with_n_distance_and_size(tmp_path):
    grid, text = page(tmp_path, seeds=(0, 1))
    table = ElementTree.fromstring(re.search(r"<table>.*?</table>", text)[0])
    codes = by_distance(LANGUAGES)
    heads = [["".join(cell.itertext()) for cell in row] for row in table.find("thead")]
    assert heads[0][1:-1] == [LANGUAGES[code].name for code in codes] and codes[0] == "en"
    assert heads[1][1:-1] == [f"{LANGUAGES[code].distance:.2f}" for code in codes]
    assert heads[2][1:-1] == [f"{LANGUAGES[code].texts:,}" for code in codes]
    assert heads[3][1:-1] == ["100"] * len(codes)
    rows = {row[0].text: row for body in table.iter("tbody") for row in body}
    with (tmp_path / "generated" / "xnli.csv").open(newline="") as file:
        written = {(line["row"], line["language"]): line for line in csv.DictReader(file)}
    assert rows.keys() == {short_title(row) for row in ROWS} and len(written) == len(ROWS) * len(codes)
    for cell in grid.column("xnli"):
        for code, shown in zip(codes, rows[short_title(cell.row)][1:], strict=False):
            plain = sum(record["scores"][code]["score"] for record in cell.records) / 2
            assert float(shown.get("data-value")) == pytest.approx(plain, abs=1e-4)
            assert float(written[cell.row, code]["score"]) == pytest.approx(plain, abs=1e-4)
            assert shown.find("a").text == f"{plain:.1f}" and shown.find("small").text.startswith("± ")
            assert [a.get("href") for a in shown.findall("small/a")] == [link(record) for record in cell.records]


def test_rows_with_the_same_data_are_marked_and_not_coloured(tmp_path):
    _, text = page(tmp_path)
    rows = re.findall(r"<tr><th scope=\"row\">.*?</tr>", text.split("</thead>")[1])
    assert ["same data" in row for row in rows] == [False, True, False]
    assert ["background" in row for row in rows] == [False, False, True]


def test_retrieval_is_drawn_by_layer_and_nothing_else_is(tmp_path):
    assert "tatoeba-layers.svg" in page(tmp_path, "tatoeba")[1] and (tmp_path / "generated/tatoeba-layers.svg").exists()
    assert "layers.svg" not in page(tmp_path, "xnli")[1]


def test_published_scores_stand_beside_ours_on_real_data_alone(tmp_path):
    published = [row for row in facts("published_scores") if row["task"] == "xnli"]
    real, invented = page(tmp_path, profile="small")[1], page(tmp_path, profile="lab")[1]
    assert published and all(f"| {row['system']} | accuracy | {row['score']} |" in real for row in published)
    assert real.count("| this book |") == len(ROWS) and "published" not in invented.lower()
    assert "Beside published numbers" not in page(tmp_path, "tatoeba", "small")[1]  # of which none were verified


def test_languages_of_the_laboratory_have_pages_and_real_ones_have_none(tmp_path):
    assert 'href="../languages/qal.html"' in page(tmp_path)[1]
    assert "languages/" not in page(tmp_path, profile="small")[1]
