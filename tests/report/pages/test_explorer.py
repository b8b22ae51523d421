"""The data of the explorer: the numbers of the tables, safe in HTML whatever a language is called, and small."""

import csv
import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from record_fixture import ROWS, XTREME, grid_records
from scipy.stats import t

from stilts_core.laboratory.language.design import LANGUAGES
from stilts_core.report.analysis.distances import sort_by_distance
from stilts_core.report.analysis.grid import Grid
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages import explorer, recorded, results, targets
from stilts_core.report.pages.grid_place import GridPlace
from stilts_core.tasks.catalogue import get_task
from stilts_core.tasks.languages import languages

ROOT = Path(__file__).parents[3]
LARGEST = 300_000  # bytes of the page's data
HOSTILE = '</script><img src=x onerror=alert(1)><!-- "quoted" & $x$ \u202eשלום\u2028\n\n# A heading'
GRID = ("none", "mnli", "qqp"), ("xnli", "udpos", "tatoeba"), (0, 1, 2)


def link(record) -> str:
    return f"pairs/{record.run_id}.html"


def build(folder: Path, *grids: Grid, places=("results", "wide")) -> str:
    writer = PageWriter(folder)
    shown = [
        (grid, GridPlace(writer, link, "" if page == "results" else f"{page}-", page))
        for grid, page in zip(grids, places, strict=False)
    ]
    return explorer.build_page(shown, "lab", writer)


def read(page: str) -> dict:
    """The data of a page as its script reads them. Strict: neither NaN nor Infinity."""

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    (text,) = re.findall(r'<script type="application/json" id="stilts-explorer-data">(.*)</script>', page)
    return json.loads(text, parse_constant=refuse)


def flatten(grid: dict) -> dict[tuple[str, str], dict]:
    """The rows of a described grid by target and row, with the codes of their languages."""
    return {
        (target["id"], row["id"]): row | {"codes": [language["code"] for language in target["languages"]]}
        for target in grid["targets"]
        for row in target["rows"]
    }


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def grid() -> Grid:
    return Grid(grid_records("lab", *GRID))


@pytest.fixture(scope="module")
def described(grid, tmp_path_factory) -> dict:
    (content,) = read(build(tmp_path_factory.mktemp("book"), grid))["grids"]
    return content


def test_scores_of_languages_equal_the_csv_files_of_the_targets(grid, described, tmp_path):
    rows = flatten(described)
    for target in GRID[1]:
        targets.build_page(grid, target, GridPlace(PageWriter(tmp_path), link))
        lines = read_csv(tmp_path / "generated" / f"{target}.csv")
        shown = {
            (row, code): values
            for (name, row), content in rows.items()
            if name == target
            for code, values in zip(content["codes"], content["score"]["values"], strict=True)
        }
        assert shown.keys() == {(line["row"], line["language"]) for line in lines}
        for line in lines:
            printed = [float(line[name]) for name in ("score", "low", "high")]
            assert shown[line["row"], line["language"]] == pytest.approx(printed, abs=0.00506)


def test_means_equal_the_tables_without_english(grid, described, tmp_path):
    results.build_page(grid, GridPlace(PageWriter(tmp_path), link))
    lines = read_csv(tmp_path / "generated" / "results-without-english.csv")
    printed = {(line["target"], line["row"]): line for line in lines if line["target"] in GRID[1]}
    rows = flatten(described)
    assert rows.keys() == printed.keys()
    for key, row in rows.items():
        for measure in ("score", "difference"):
            numbers = [printed[key][measure + bound] for bound in ("", "_low", "_high")]
            if row[measure] is None:
                assert numbers == ["", "", ""] and key[1] == "none"
            else:
                assert row[measure]["mean"] == pytest.approx([float(value) for value in numbers], abs=0.00506)


def test_differences_are_students_intervals_of_pairs_of_one_seed(grid, described):
    scores = {(run.target, run.row, run.seed): run.scores for run in grid.records}
    for (target, row), content in flatten(described).items():
        if row == "none":
            continue
        assert content["difference"]["over"] == content["score"]["over"] == "3 seeds"
        for code, shown in zip(content["codes"], content["difference"]["values"], strict=True):
            pairs = [
                scores[target, row, seed][code].score - scores[target, "none", seed][code].score for seed in GRID[2]
            ]
            interval = t.interval(0.95, len(pairs) - 1, np.mean(pairs), np.std(pairs, ddof=1) / len(pairs) ** 0.5)
            assert shown == pytest.approx([np.mean(pairs), *interval], abs=0.00506)


def test_every_number_has_two_decimals(described):
    numbers = [value for row in flatten(described).values() for values in row["score"]["values"] for value in values]
    assert all(value == round(value, 2) for value in numbers) and len(numbers) > 300


def test_single_run_has_the_interval_of_its_test_items_and_links_to_its_page(tmp_path):
    grid = Grid(grid_records("lab", ("none", "qqp"), ("udpos",)))
    row = flatten(read(build(tmp_path, grid))["grids"][0])["udpos", "qqp"]
    (run,) = grid.cells["qqp", "udpos"].records
    for code, shown in zip(row["codes"], row["score"]["values"], strict=True):
        score = run.scores[code]
        assert shown == pytest.approx([score.score, score.low, score.high], abs=0.00501)
    assert row["score"]["over"] == "the test items of one run" and row["links"] == [link(run)]


def test_row_without_a_run_of_the_baseline_with_its_seed_has_scores_only(tmp_path):
    grid = Grid([*grid_records("lab", ("none",), ("udpos",)), *grid_records("lab", ("qqp",), ("udpos",), (1,))])
    row = flatten(read(build(tmp_path, grid))["grids"][0])["udpos", "qqp"]
    assert row["difference"] is None and len(row["score"]["values"]) == len(LANGUAGES)


def test_languages_have_their_facts_in_the_unit_of_their_source(described, tmp_path):
    of_laboratory = described["targets"][0]["languages"]
    assert [language["code"] for language in of_laboratory] == sort_by_distance(LANGUAGES)
    for language in of_laboratory:
        design = LANGUAGES[language["code"]]
        assert language["distance"] == round(design.distance, 2) and language["size"] == design.texts
        assert language["page"] == f"generated/languages/{design.code}.html" and language["n"] == 100
    real = read(build(tmp_path, Grid(grid_records("small", ("none",), ("xnli",)))))["grids"][0]["targets"][0]
    assert real["size"] == "GiB of CC-100" and "page" not in real["languages"][0]
    assert all(language["size"] == languages()[language["code"]].cc100_gib for language in real["languages"])


def test_rows_with_the_same_data_are_marked(described):
    marked = [key for key, row in flatten(described).items() if row["same_data"]]
    assert marked == [("xnli", "mnli")]


def test_names_of_languages_cannot_leave_their_place(monkeypatch, tmp_path):
    monkeypatch.setitem(LANGUAGES, "qal", replace(LANGUAGES["qal"], name=HOSTILE))
    page = build(tmp_path, Grid(grid_records("lab", ("none", "qqp"), ("udpos",))))
    names = {language["code"]: language["name"] for language in read(page)["grids"][0]["targets"][0]["languages"]}
    assert names["qal"] == HOSTILE.replace("\u202e", "\ufffd").replace("\u2028\n\n", " " * 3)
    assert page.count("</script>") == 2 and "<img" not in page and "<!--" not in page
    assert "\n\n" not in page.strip()  # an empty line would end the block of HTML


def test_data_of_a_whole_xtreme_grid_are_small(tmp_path):
    rows = [*ROWS, *(f"{row}+mlm" for row in ROWS if row not in ("none", "mlm"))]
    runs = []
    for target in XTREME:
        runs += grid_records("small", rows, (target,), languages=get_task(target).languages["xtreme"])
    page = build(tmp_path, Grid(runs))
    shown = flatten(read(page)["grids"][0])
    assert len(shown) == len(rows) * len(XTREME) and len(page.encode()) < LARGEST


def test_grid_with_most_runs_comes_first_and_empty_grids_are_left_out(grid, tmp_path):
    small = Grid(grid_records("small", ("none",), ("xnli",)))
    shown = read(build(tmp_path, small, grid))["grids"]
    assert [(content["id"], content["title"]) for content in shown] == [
        ("wide", "Many encoders (profile lab)"),
        ("results", "Results (profile small)"),
    ]
    assert [content["id"] for content in read(build(tmp_path, Grid([]), grid))["grids"]] == ["wide"]


def test_page_without_runs_names_the_command(tmp_path):
    assert "`stilts run --profile lab` does one run" in build(tmp_path, Grid([]))


def test_readers_without_javascript_find_the_tables(grid, tmp_path):
    (sentence,) = re.findall(r"<noscript>(.*?)</noscript>", build(tmp_path, grid, grid))
    assert re.findall(r'href="(.*?)"', sentence) == ["results.html", "wide.html"]


def test_recorded_grids_have_the_titles_of_their_pages():
    assert recorded.TITLES.keys() == recorded.GRIDS.keys()
    for page, title in recorded.TITLES.items():
        assert f"\n# {title}\n" in (ROOT / "book" / f"{page}.md").read_text()
