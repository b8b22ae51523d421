"""The book: it builds without a warning, says what was run, and needs no host but its own."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from browser import CHROMIUM, PHONE, visit
from executed import ROOT, execute
from record_fixture import NOTE, synthetic_record

from stilts_core.catalogue import TASKS
from stilts_core.report.book import build_pages
from stilts_core.report.reference import CITED

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs Debian's chromium: apt-get install chromium")


def build(folder: Path, runs: Path) -> Path:
    """The book of `runs` as HTML, built in `folder` from the sources at the root; returns the site's folder."""
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "book", folder / "book", ignore=shutil.ignore_patterns("generated", "pairs"))
    build_pages(runs, folder / "book")
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(folder), "-n", "-W", "--keep-going"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "_build" / "html"


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    execute(folder, synthetic_record())
    execute(folder, synthetic_record("none", "tatoeba", ("de", "ar", "sw")))
    return folder


@pytest.fixture(scope="module")
def site(runs, tmp_path_factory) -> Path:
    return build(tmp_path_factory.mktemp("book"), runs)


def pages(site: Path) -> list[str]:
    return sorted(str(page.relative_to(site)) for page in site.glob("book/**/*.html"))


def test_book_without_runs_builds_and_says_so(tmp_path):
    empty = build(tmp_path, tmp_path / "no-runs")
    assert "No run has been recorded yet" in (empty / "book" / "runs.html").read_text()
    assert "No run has been recorded yet" in (empty / "book" / "status.html").read_text()


def test_every_run_is_a_page_under_its_own_title(site):
    contents = (site / "book" / "runs.html").read_text()
    assert "MultiNLI → XNLI</a>" in contents and "No intermediate task → Tatoeba</a>" in contents
    assert len([page for page in pages(site) if "/pairs/" in page]) == 2


def test_overview_and_status_name_the_stand_ins(site):
    assert all(NOTE in (site / "book" / page).read_text() for page in ("runs.html", "status.html"))


def test_readers_meet_no_code_wall(site):
    page = (site / "book" / "pairs" / f"{synthetic_record()['run_id']}.html").read_text()
    assert "sampling_temperature" not in page
    assert page.count("<details") >= 2


def test_runs_of_the_same_pair_get_titles_of_their_own(tmp_path):
    records = [synthetic_record(), synthetic_record(seed=1)]
    records[1]["run_id"] = records[1]["run_id"].replace("0123456789", "9876543210")
    for record in records:
        execute(tmp_path / "runs", record)
    build_pages(tmp_path / "runs", tmp_path / "book")
    headings = [nbformat.read(page, as_version=4).cells[0].source for page in (tmp_path / "book" / "pairs").iterdir()]
    titles = {heading.splitlines()[0] for heading in headings}
    assert titles == {"# MultiNLI → XNLI (0123456789)", "# MultiNLI → XNLI (9876543210)"}


def test_pages_of_deleted_runs_disappear(runs, tmp_path):
    shutil.copytree(runs, tmp_path / "runs")
    build_pages(tmp_path / "runs", tmp_path / "book")
    shutil.rmtree(next((tmp_path / "runs" / "small").iterdir()))
    build_pages(tmp_path / "runs", tmp_path / "book")
    assert len(list((tmp_path / "book" / "pairs").iterdir())) == 1


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
def test_a_page_that_asks_another_host_or_is_too_wide_would_be_noticed(tmp_path):
    bad = '<script src="https://cdn.example/a.js"></script><div style="width: 800px">wide</div>'
    (tmp_path / "bad.html").write_text(bad)
    widths, hosts = visit(tmp_path, ["bad.html"], tmp_path)
    assert hosts == {"127.0.0.1", "cdn.example"}
    assert widths["bad.html"] > PHONE
