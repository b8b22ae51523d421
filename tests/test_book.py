"""The book: it builds without a warning, says what was run, and needs no host but its own."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from browser import CHROMIUM, PHONE, ask, visit
from executed import ROOT, execute, fail
from record_fixture import NOTE, encoder_facts, grid_records, synthetic_record

from stilts_core.catalogue import TASKS
from stilts_core.records import write_record
from stilts_core.report.book import build_pages
from stilts_core.report.kept import keep
from stilts_core.report.reference import CITED
from stilts_core.sources.lab.languages import LANGUAGES

DESKTOP = 1280  # CSS pixels
# Clicks twice on the first target's column of the main table, and tells what its rows are after each click.
SORT = """<!doctype html><title>sorting</title><body><iframe src="PAGE"></iframe><script>
onload = () => {
  const table = document.querySelector("iframe").contentDocument.querySelector(".stilts-grid table");
  const head = table.tHead.rows[0].cells[3];
  const clicks = [1, 2].map(() => {
    head.querySelector("button").click();
    const rows = [...table.tBodies].flatMap((body) => [...body.rows]);
    const values = rows.slice(1).map((row) => Number(row.cells[3].dataset.value));
    return [rows.map((row) => row.cells[0].textContent), values, head.getAttribute("aria-sort")];
  });
  const others = table.querySelectorAll("th[aria-sort]").length - 1;
  document.body.textContent = JSON.stringify({clicks, others});
};
</script>"""

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium: apt-get install chromium")


def build(folder: Path, runs: Path, profile: str) -> Path:
    """The book of a profile as HTML, built in `folder` from the sources at the root; returns the site's folder."""
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, folder)
    made = shutil.ignore_patterns("generated", "lessons", "pairs", "results")
    shutil.copytree(ROOT / "book", folder / "book", ignore=made)
    keep("lab", folder / "kept", folder / "book")  # records that the book keeps, where the caller put some
    build_pages(runs, folder / "book", profile)
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(folder), "-n", "-W", "--keep-going"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "_build" / "html"


@pytest.fixture(scope="module")
def records() -> list[dict]:
    """A miniature grid of the laboratory: three rows, four targets, and one pair with a second seed."""
    return [
        *grid_records("lab", ("none", "mnli", "qqp"), ("xnli", "xquad", "udpos", "tatoeba")),
        *grid_records("lab", ("mnli",), ("xnli",), seeds=(1,)),
    ]


@pytest.fixture(scope="module")
def runs(records, tmp_path_factory) -> Path:
    """The runs as they leave them: one notebook was executed and serves for all of them; one pair failed."""
    folder = tmp_path_factory.mktemp("runs")
    executed = execute(folder, next(record for record in records if "layers" not in record))
    for record in records:
        place = write_record(folder / record["profile"] / record["run_id"], record).parent
        if place != executed.parent:
            shutil.copy(executed, place)
    (folder / "lab" / "encoders").mkdir()
    (folder / "lab" / "encoders" / "lab.json").write_text(json.dumps(encoder_facts()))
    fail(folder, "qqp", "pawsx")
    other = synthetic_record("none", "tatoeba", ("de", "ar", "sw"))
    write_record(folder / "small" / other["run_id"], other)  # of another profile
    return folder


@pytest.fixture(scope="module")
def site(runs, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("book")
    kept = grid_records("lab", ("ccg",), ("xnli",))[0]
    write_record(folder / "kept" / "lab" / kept["run_id"], kept)
    return build(folder, runs, "lab")


def text(page: Path) -> str:
    """What a page says, without its markup."""
    return re.sub(r"<[^>]+>", "", page.read_text())


def pages(site: Path) -> list[str]:
    return sorted(str(page.relative_to(site)) for page in site.glob("book/**/*.html"))


def test_book_without_runs_builds_and_says_what_to_do(tmp_path):
    empty = build(tmp_path, tmp_path / "no-runs", "small")
    for page in ("results", "transfer", "runs", "status"):
        said = text(empty / "book" / f"{page}.html")
        assert "No run of profile small has been recorded yet" in said and "stilts run --profile small" in said
    assert not [page for page in pages(empty) if "/languages/" in page or "/targets/" in page or "/pairs/" in page]


def test_every_run_is_a_page_under_its_own_title(site, records):
    contents = (site / "book" / "runs.html").read_text()
    assert "MultiNLI → XNLI (seed 1)</span></a>" in contents and "No intermediate task → Tatoeba</span></a>" in contents
    built = [page for page in pages(site) if "/pairs/" in page]
    assert len(built) == len(records) + 2  # one kept record, one run that failed
    titles = [re.search(r"<h1>(.*?)<a", (site / page).read_text())[1] for page in built]
    assert len(set(titles)) == len(titles)


def test_nothing_of_another_profile_is_in_the_book(site):
    assert not [page for page in pages(site) if "none-tatoeba-invented-s0-0123456789" in (site / page).read_text()]


def test_a_run_that_failed_is_named_with_its_error_and_its_notebook(site):
    contents = text(site / "book" / "runs.html")
    assert "Quora Question Pairs → PAWS-X (failed)" in contents and "ZeroDivisionError: division by zero" in contents
    assert "ZeroDivisionError" in (site / "book" / "pairs" / "qqp-pawsx-lab-s0-0123456789.html").read_text()


def test_every_link_within_the_book_leads_somewhere(site):
    for page in pages(site):
        for link in re.findall(r'<a\b[^>]*? href="([^"#]+)', (site / page).read_text()):
            if not re.match(r"\w+:", link):
                assert ((site / page).parent / link).resolve().is_file(), f"{page} links to {link}"


def test_every_table_of_a_grid_has_a_download_that_is_there(site):
    for page in ("results", "transfer", "generated/targets/xnli", "generated/targets/tatoeba"):
        text = (site / "book" / f"{page}.html").read_text()
        links = re.findall(r'<a class="reference download internal" download="" href="([^"]+\.csv)"', text)
        tables = text.count("stilts-grid")
        assert len(links) >= tables > 0 or (page == "transfer" and len(links) == 2)
        assert all(((site / "book" / page).parent / link).resolve().is_file() for link in links)


def test_languages_of_the_laboratory_have_pages_in_their_direction(site):
    built = {Path(page).stem for page in pages(site) if "/languages/" in page}
    assert built == {"design", *LANGUAGES}
    assert 'dir="rtl"' in (site / "book" / "generated" / "languages" / "qdu.html").read_text()


def test_overview_and_status_name_the_stand_ins(site):
    assert all(NOTE in (site / "book" / page).read_text() for page in ("results.html", "runs.html", "status.html"))


def test_readers_meet_no_code_wall(site, records):
    page = (site / "book" / "pairs" / f"{records[0]['run_id']}.html").read_text()
    assert "sampling_temperature" not in page
    assert page.count("<details") >= 2


def test_a_report_of_the_same_records_changes_no_file(site, runs):
    book = site.parents[1] / "book"
    before = {file: file.stat().st_mtime_ns for file in book.rglob("*") if file.is_file()}
    build_pages(runs, book, "lab")
    assert {file: file.stat().st_mtime_ns for file in book.rglob("*") if file.is_file()} == before


def test_pages_of_deleted_runs_disappear(tmp_path):
    for record in grid_records("lab", ("qqp", "ccg"), ("xnli",), languages=("en", "qal")):
        write_record(tmp_path / "runs" / "lab" / record["run_id"], record)
    build_pages(tmp_path / "runs", tmp_path / "book", "lab")
    assert len(list((tmp_path / "book" / "pairs").iterdir())) == 2
    shutil.rmtree(next((tmp_path / "runs" / "lab").glob("qqp-*")))
    build_pages(tmp_path / "runs", tmp_path / "book", "lab")
    (left,) = (tmp_path / "book" / "pairs").iterdir()
    assert left.name.startswith("ccg-")


def test_every_task_is_cited_and_every_citation_is_in_the_bibliography():
    entries = set(re.findall(r"^@\w+\{(\w+),", (ROOT / "book" / "references.bib").read_text(), re.MULTILINE))
    assert set(CITED) == set(TASKS)
    assert {key for keys in CITED.values() for key in keys.split(",")} <= entries


def test_published_page_prints_the_facts_and_no_other_numbers(site):
    source = (ROOT / "book" / "published.md").read_text()
    assert not re.findall(r"\d+\.\d", source)
    facts = [path.read_text() for path in (ROOT / "stilts_core" / "facts").glob("published_*.csv")]
    known = {float(number) for text in facts for number in re.findall(r"-?\d+(?:\.\d+)?", text)}
    known |= {round(100 * number, 1) for number in known}
    printed = re.findall(r"<td><p>(-?\d+\.\d+)</p></td>", (site / "book" / "published.html").read_text())
    assert len(printed) > 60 and {float(number) for number in printed} <= known


def test_no_page_names_a_script_style_or_picture_of_another_host(site):
    loads = re.compile(r"<(?:script|img|iframe|source)\b[^>]*?\bsrc=\"(https?:)?//|<link\b[^>]*?\bhref=\"(https?:)?//")
    assert [page for page in pages(site) if loads.search((site / page).read_text())] == []


@needs_chromium
def test_no_request_leaves_the_page_s_own_host_and_no_page_overflows_a_phone(site, tmp_path):
    widths, hosts = visit(site, pages(site), tmp_path)
    assert hosts == {"127.0.0.1"}
    assert {page: width for page, width in widths.items() if width > PHONE} == {}
    assert len(widths) == len(pages(site)) > 10


@needs_chromium
def test_pages_of_wide_tables_overflow_no_desktop(site, tmp_path):
    wide = [f"book/{page}.html" for page in ("results", "transfer", "runs", "generated/targets/xnli")]
    widths, _ = visit(site, wide, tmp_path, DESKTOP)
    assert {page: width for page, width in widths.items() if width > DESKTOP} == {}


@needs_chromium
def test_a_click_on_a_column_sorts_its_rows_and_says_so(site, tmp_path):
    question = SORT.replace("PAGE", "book/results.html")
    answer, _ = ask(site, question, tmp_path)
    for names, values, sort in answer["clicks"]:
        assert names[0] == "none" and sorted(names[1:]) == ["CCG", "MNLI", "QQP"]  # the baseline stays on top
        assert values == sorted(values, reverse=sort == "descending")
    assert [sort for *_, sort in answer["clicks"]] == ["descending", "ascending"]
    assert answer["others"] == 0


@needs_chromium
def test_a_page_that_asks_another_host_or_is_too_wide_would_be_noticed(tmp_path):
    bad = '<script src="https://cdn.example/a.js"></script><div style="width: 800px">wide</div>'
    (tmp_path / "bad.html").write_text(bad)
    widths, hosts = visit(tmp_path, ["bad.html"], tmp_path)
    assert hosts == {"127.0.0.1", "cdn.example"}
    assert widths["bad.html"] > PHONE
