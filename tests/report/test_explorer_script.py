"""The explorer's script in headless Chromium: what it draws, downloads and links to are the numbers of its page."""

import csv
import io
import json
import re
import subprocess
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from browser import CHROMIUM, FLAGS, run_script
from record_fixture import grid_records

from stilts_core.laboratory.language.design import LANGUAGES
from stilts_core.report.analysis.grid import Grid
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages import explorer
from stilts_core.report.pages.grid_place import GridPlace

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium: apt-get install chromium")
HOSTILE = '<img src=x onerror="top.attacked = 1"> "ש, שלום"'
LONGEST = 400  # lines of the script

# Makes choices one after another in the page, and reports after each what it shows.
HARNESS = """<!doctype html><title>exploring</title>
<body><iframe src="book/explorer.html" style="width: 900px; height: 1200px"></iframe><script>
const explore = async () => {
  const page = document.querySelector("iframe").contentWindow, at = (query) => page.document.querySelector(query);
  const wait = () => new Promise((done) => setTimeout(done, 600));
  const errors = [], views = [], address = page.URL.createObjectURL;
  let csv;
  page.URL.createObjectURL = (blob) => { csv = blob.text(); return address.call(page.URL, blob); };
  page.addEventListener("error", (event) => errors.push(String(event.message)));
  const look = async () => {
    await wait();
    const marks = [...page.document.querySelectorAll("[role=option]")];
    at("#stilts-explorer .download").click();
    views.push({
      labels: marks.map((mark) => mark.getAttribute("aria-label")), csv: await csv, hash: page.location.hash,
      heights: marks.map((mark) => Number(mark.querySelector("circle").getAttribute("cy"))),
      summary: at("#stilts-explorer-summary").textContent, panel: at("#stilts-explorer .panel").textContent,
      rows: page.document.querySelectorAll("#stilts-explorer tbody tr").length,
      tabs: marks.filter((mark) => mark.getAttribute("tabindex") === "0").length,
    });
  };
  const choose = (name, value) => {
    const select = at(`#stilts-explorer select[name=${name}]`);
    select.value = value;
    select.dispatchEvent(new page.Event("change", { bubbles: true }));
    return look();
  };
  const press = (key) =>
    page.document.activeElement.dispatchEvent(new page.KeyboardEvent("keydown", { key, bubbles: true }));
  at("#stilts-explorer details").open = true;
  await look();
  await choose("row", "qqp");
  await choose("axis", "name");
  await choose("axis", "size");
  await choose("axis", "script");
  await choose("target", "tatoeba");
  await choose("show", "score");
  at("[role=option][tabindex='0']").focus();
  ["ArrowRight", "ArrowRight", "ArrowLeft"].forEach(press);
  await look();
  page.location.hash = "grid=results&target=xnli&row=mnli&show=difference&axis=distance&language=qal";
  await look();
  const unlabelled = [...page.document.querySelectorAll("#stilts-explorer select")].filter((one) => !one.labels.length);
  const images = page.document.querySelectorAll("img").length;
  const found = { views, errors, unlabelled: unlabelled.length, images, attacked: "attacked" in window };
  document.body.textContent = JSON.stringify(found).replace(
    /[&<>]/g, (active) => `\\\\u00${active.charCodeAt(0).toString(16)}`);
};
onload = () => explore().catch((error) => { document.body.textContent = JSON.stringify({ errors: [error.stack] }); });
</script>"""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """A site with the explorer alone; a language has a hostile name."""
    folder = tmp_path_factory.mktemp("site")
    grid = Grid(grid_records("lab", ("none", "mnli", "qqp"), ("xnli", "udpos", "tatoeba"), (0, 1, 2)))
    writer = PageWriter(folder / "book")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(LANGUAGES, "qal", replace(LANGUAGES["qal"], name=HOSTILE))
        place = GridPlace(writer, lambda run: f"pairs/{run.run_id}.html")
        page = explorer.build_page([(grid, place)], "lab", writer)
    (folder / "book" / "explorer.html").write_text(f'<!doctype html><meta charset="utf-8"><title>x</title>{page}')
    (folder / "book" / "generated" / "static").rename(folder / "_static")
    return folder


@pytest.fixture(scope="module")
def data(site) -> dict:
    text = re.search(r'explorer-data">(.*)</script>', (site / "book" / "explorer.html").read_text())[1]
    return json.loads(text)["grids"][0]


@pytest.fixture(scope="module")
def report(site, tmp_path_factory) -> dict:
    result, hosts = run_script(site, HARNESS, tmp_path_factory.mktemp("scratch"))
    assert hosts == {"127.0.0.1"} and result["errors"] == []
    return result


def read_csv(view: dict) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(view["csv"])))


def read_address(view: dict) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(view["hash"].removeprefix("#")).items()}


def numbers_of(data: dict, line: dict[str, str]) -> dict[str, list[float]]:
    """The value and the interval of each language of the target, row and measure that a line of CSV names."""
    target = next(target for target in data["targets"] if target["id"] == line["target"])
    row = next(row for row in target["rows"] if row["id"] == line["intermediate"])
    codes = [language["code"] for language in target["languages"]]
    return dict(zip(codes, row[line["measure"]]["values"], strict=True))


@needs_chromium
def test_every_view_has_a_mark_and_a_line_of_the_table_and_of_the_csv_for_each_language(report, data):
    for view in report["views"]:
        lines = read_csv(view)
        numbers = numbers_of(data, lines[0])
        assert len(view["labels"]) == len(lines) == view["rows"] == len(numbers) and view["tabs"] == 1
        assert {line["language"]: [float(line[name]) for name in ("value", "low", "high")] for line in lines} == numbers
    assert [len(view["labels"]) for view in report["views"][4:6]] == [17, 16]  # Tatoeba has no English


@needs_chromium
def test_marks_are_drawn_at_the_height_of_their_values_and_say_them(report):
    for view in report["views"]:
        values = [float(line["value"]) for line in read_csv(view)]
        order = sorted(range(len(values)), key=lambda index: -values[index])
        heights = [view["heights"][index] for index in order]
        assert heights == sorted(heights) and heights[0] < heights[-1]
        for value, label in zip(values, view["labels"], strict=True):
            assert f"{abs(value):.2f} [" in label


@needs_chromium
def test_choices_change_what_is_drawn_and_its_order(report):
    views = report["views"]
    assert views[0]["labels"] != views[1]["labels"] and "no transfer" in views[0]["summary"] + views[8]["summary"]
    columns = ("distance", "name", "pretraining", "script")
    orders = [[line[name] for line in read_csv(view)] for view, name in zip(views[1:5], columns, strict=True)]
    assert [float(value) for value in orders[0]] == sorted(map(float, orders[0]))
    assert orders[1][1:] == sorted(orders[1][1:]) and orders[1][0] == HOSTILE
    assert [float(value) for value in orders[2]] == sorted(map(float, orders[2]))
    assert orders[3] == sorted(orders[3])


@needs_chromium
def test_arrow_keys_move_between_languages_and_the_panel_shows_the_chosen_one(report):
    before, moved = report["views"][6:8]
    assert "Point at a language" in before["panel"]
    lines = read_csv(moved)
    assert read_address(moved)["language"] == lines[1]["language"] and lines[1]["name"] in moved["panel"]
    assert f"{float(lines[1]['value']):.2f}" in moved["panel"]


@needs_chromium
def test_address_holds_the_view(report):
    names = {"grid": "grid", "target": "target", "row": "intermediate", "show": "measure"}
    for view in report["views"][1:]:
        address, line = read_address(view), read_csv(view)[0]
        assert {name: address[name] for name in names} == {name: line[column] for name, column in names.items()}
    first, last = report["views"][0], report["views"][8]
    assert last["summary"] == first["summary"] and HOSTILE in last["panel"] and HOSTILE not in first["panel"]


@needs_chromium
def test_names_stay_text_and_every_control_has_a_label(report):
    assert (report["images"], report["attacked"], report["unlabelled"]) == (0, False, 0)
    assert any(HOSTILE in label for label in report["views"][0]["labels"])


@needs_chromium
def test_page_works_from_a_file(site, tmp_path):
    command = [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path}", "--dump-dom", f"file://{site}/book/explorer.html"]
    page = subprocess.run(command, capture_output=True, text=True, check=True, timeout=120).stdout
    assert len(re.findall(r'<g role="option"', page)) == len(LANGUAGES)


def test_script_is_short_and_loads_nothing():
    script = (explorer.STATIC / "explorer.js").read_text()
    assert len(script.splitlines()) <= LONGEST
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "fetch(", "import", "eval"):
        assert word not in script
    assert set(re.findall(r"\w+://[^\"' ]+", script)) == {"http://www.w3.org/2000/svg"}
