"""The book: it builds without a warning, shows every run, and loads nothing from another host."""

import gzip
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from browser import CHROMIUM, PHONE, measure_widths, run_script
from executed_notebook import execute_pair, fail_pair
from page_faults import find_faults
from record_fixture import NOTE, encoder_facts, grid_records, synthetic_record, with_encoder

from stilts_core.laboratory.language.design import LANGUAGES
from stilts_core.report.book import build_pages
from stilts_core.report.recorded_results import copy_records
from stilts_core.runs.record import Record, write_record
from stilts_core.tasks.catalogue import TASKS

ROOT = Path(__file__).parents[2]
DESKTOP = 1280  # CSS pixels
LARGEST_PAGE = 1e6  # bytes, compressed as web servers send them
# Clicks twice on the first target's column of the main table, and reports the rows after each click.
SORT_PAGE = """<!doctype html><title>sorting</title><body><iframe src="PAGE"></iframe><script>
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


def build_site(folder: Path, runs: Path, profile: str) -> Path:
    """Build the book of a profile as HTML in `folder`, from the sources at the root; returns the site's folder.

    Records under `folder/recorded` become recorded results of the book.
    """
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(ROOT / name, folder)
    generated = shutil.ignore_patterns("generated", "lessons", "pairs", "results")
    shutil.copytree(ROOT / "book", folder / "book", ignore=generated)
    copy_records("lab", folder / "recorded", folder / "book")
    build_pages(runs, folder / "book", profile)
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(folder), "-n", "-W", "--keep-going"]
    completed = subprocess.run(command, capture_output=True, text=True)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return folder / "_build" / "html"


@pytest.fixture(scope="module")
def records() -> list[Record]:
    """Miniature grids of two encoders in the laboratory: three rows, four targets, and one pair with a second seed."""
    return [
        *(with_encoder(record, "other") for record in grid_records("lab", ("none", "mnli"), ("xnli", "panx"))),
        *grid_records("lab", ("none", "mnli", "qqp"), ("xnli", "xquad", "udpos", "tatoeba")),
        *grid_records("lab", ("mnli",), ("xnli",), seeds=(1,)),
    ]


@pytest.fixture(scope="module")
def runs(records, tmp_path_factory) -> Path:
    """The folder of the runs: all have a copy of the same executed notebook; one more run failed."""
    folder = tmp_path_factory.mktemp("runs")
    executed = execute_pair(folder, next(record for record in records if not record.layers))
    for record in records:
        run_folder = write_record(folder / record.profile / record.run_id, record).parent
        if run_folder != executed.parent:
            shutil.copy(executed, run_folder)
    (folder / "lab" / "encoders").mkdir()
    (folder / "lab" / "encoders" / "lab.json").write_text(json.dumps(encoder_facts()))
    fail_pair(folder, "qqp", "pawsx")
    other_profile = synthetic_record("none", "tatoeba", ("de", "ar", "sw"))
    write_record(folder / "small" / other_profile.run_id, other_profile)
    return folder


@pytest.fixture(scope="module")
def site(runs, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("book")
    recorded = grid_records("lab", ("ccg",), ("xnli",))[0]
    write_record(folder / "recorded" / "lab" / recorded.run_id, recorded)
    return build_site(folder, runs, "lab")


def read_text(page: Path) -> str:
    """The text of a page without its tags."""
    return re.sub(r"<[^>]+>", "", page.read_text())


def list_pages(site: Path) -> list[str]:
    return sorted(str(page.relative_to(site)) for page in site.glob("book/**/*.html"))


def test_book_without_runs_builds_and_names_the_command(tmp_path):
    empty = build_site(tmp_path, tmp_path / "no-runs", "small")
    for name in ("results", "transfer", "runs", "status"):
        page = read_text(empty / "book" / f"{name}.html")
        assert "No run of profile small has been recorded yet" in page and "stilts run --profile small" in page
    folders = ("/generated/targets/", "/pairs/")
    assert not [page for page in list_pages(empty) if any(folder in page for folder in folders)]


def test_every_run_has_a_page_with_its_own_title(site, records):
    contents = (site / "book" / "runs.html").read_text()
    titles = ("MultiNLI → XNLI (seed 1)", "MultiNLI → XNLI (seed 0, encoder other)", "Quora Question Pairs → Tatoeba")
    assert all(f"{title}</span></a>" in contents for title in titles)
    run_pages = [page for page in list_pages(site) if "/pairs/" in page]
    assert len(run_pages) == len(records) + 2  # and one recorded result, and one failed run
    titles = [re.search(r"<h1>(.*?)<a", (site / page).read_text())[1] for page in run_pages]
    assert len(set(titles)) == len(titles)


def test_every_encoder_has_a_table_and_pages_of_its_targets(site):
    main, other = read_text(site / "book" / "results.html").split("And with other encoders?")[-2:]
    assert (
        "invented-encoder: 14 runs in 4 rows and 4 columns" in main and "other: 4 runs in 2 rows and 2 columns" in other
    )
    assert "encoder other: " in read_text(site / "book" / "generated" / "encoder-2-targets" / "xnli.html")
    run = next((site / "book" / "pairs").glob("mnli-xnli-other-*.html"))
    assert "/generated/encoder-2-targets/xnli.html" in run.read_text()


def test_runs_of_other_profiles_are_not_in_the_book(site):
    assert not [page for page in list_pages(site) if "none-tatoeba-invented-s0-0123456789" in (site / page).read_text()]


def test_failed_run_is_listed_with_its_error_and_has_a_page(site):
    contents = read_text(site / "book" / "runs.html")
    assert "Quora Question Pairs → PAWS-X (failed)" in contents and "ZeroDivisionError: division by zero" in contents
    assert "ZeroDivisionError" in (site / "book" / "pairs" / "qqp-pawsx-lab-s0-0123456789.html").read_text()


def test_every_link_within_the_book_has_a_target(site):
    for page in list_pages(site):
        for link in re.findall(r'<a\b[^>]*? href="([^"#]+)', (site / page).read_text()):
            if not re.match(r"\w+:", link):
                assert ((site / page).parent / link).resolve().is_file(), f"{page} links to {link}"


def test_every_figure_is_stored_once(site):
    figures = [path.read_bytes() for path in (site / "_images").iterdir()]
    assert figures and len(set(figures)) == len(figures)
    assert not [page for page in list_pages(site) if "data:image" in (site / page).read_text()]
    downloads = [*(site / "_sources").rglob("*.ipynb")]
    assert downloads and not [path for path in downloads if "<svg" in path.read_text()]


def test_every_table_of_a_grid_has_a_download(site):
    names = ("targets/xnli", "targets/tatoeba", "encoder-2-targets/xnli", "encoder-2-targets/panx")
    for name in ("results", "transfer", *(f"generated/{name}" for name in names)):
        page = site / "book" / f"{name}.html"
        content = page.read_text()
        links = re.findall(r'<a class="reference download internal" download="" href="([^"]+\.csv)"', content)
        tables = content.count("stilts-grid")
        assert len(links) >= tables > 0 or (name == "transfer" and len(links) == 2)
        assert all((page.parent / link).resolve().is_file() for link in links)


def test_languages_of_the_laboratory_have_pages_in_their_direction(site):
    languages = {Path(page).stem for page in list_pages(site) if "/languages/" in page}
    assert languages == {"design", *LANGUAGES}
    assert 'dir="rtl"' in (site / "book" / "generated" / "languages" / "qdu.html").read_text()


def test_results_runs_and_status_name_the_stand_ins(site):
    assert all(NOTE in (site / "book" / page).read_text() for page in ("results.html", "runs.html", "status.html"))


def test_pages_of_runs_hide_their_code(site, records):
    page = (site / "book" / "pairs" / f"{records[0].run_id}.html").read_text()
    assert "sampling_temperature" not in page
    assert page.count("<details") >= 2


def test_second_report_of_the_same_records_changes_no_file(site, runs):
    book = site.parents[1] / "book"
    before = {file: file.stat().st_mtime_ns for file in book.rglob("*") if file.is_file()}
    build_pages(runs, book, "lab")
    assert {file: file.stat().st_mtime_ns for file in book.rglob("*") if file.is_file()} == before


def test_pages_of_deleted_runs_disappear(tmp_path):
    for record in grid_records("lab", ("qqp", "ccg"), ("xnli",), languages=("en", "qal")):
        write_record(tmp_path / "runs" / "lab" / record.run_id, record)
    build_pages(tmp_path / "runs", tmp_path / "book", "lab")
    assert len(list((tmp_path / "book" / "pairs").iterdir())) == 2
    shutil.rmtree(next((tmp_path / "runs" / "lab").glob("qqp-*")))
    build_pages(tmp_path / "runs", tmp_path / "book", "lab")
    (page,) = (tmp_path / "book" / "pairs").iterdir()
    assert page.name.startswith("ccg-")


def test_citations_of_all_tasks_are_in_the_bibliography():
    entries = set(re.findall(r"^@\w+\{(\w+),", (ROOT / "book" / "references.bib").read_text(), re.MULTILINE))
    assert {key for task in TASKS.values() for key in task.citations.split(",")} <= entries


def test_published_page_prints_only_numbers_of_the_facts(site):
    source = (ROOT / "book" / "published.md").read_text()
    assert not re.findall(r"\d+\.\d", source)
    facts = [path.read_text() for path in (ROOT / "stilts_core" / "tasks" / "facts").glob("published_*.csv")]
    known = {float(number) for text in facts for number in re.findall(r"-?\d+(?:\.\d+)?", text)}
    known |= {round(100 * number, 1) for number in known}
    page = (site / "book" / "published.html").read_text()
    printed = re.findall(r'<td data-value="[\d.]+"[^>]*>(\d+\.\d)<small>', page)
    assert len(printed) >= 60 and {float(number) for number in printed} <= known


def test_no_page_refers_to_a_script_style_or_picture_of_another_host(site):
    loads = re.compile(r"<(?:script|img|iframe|source)\b[^>]*?\bsrc=\"(https?:)?//|<link\b[^>]*?\bhref=\"(https?:)?//")
    assert [page for page in list_pages(site) if loads.search((site / page).read_text())] == []


def test_no_page_has_faults_for_a_screen_reader(site):
    faults = {page: found for page in list_pages(site) if (found := find_faults((site / page).read_text()))}
    assert faults == {}


def test_pages_with_their_pictures_have_at_most_one_megabyte(site):
    for page in list_pages(site):
        content = (site / page).read_text()
        sources = re.findall(r'<img [^>]*src="([^"]+)"', content)
        pictures = {((site / page).parent / source).resolve() for source in sources}
        size = (site / page).stat().st_size + sum(picture.stat().st_size for picture in pictures)
        assert size <= 1_000_000, f"{page} has {size:,} bytes"


def test_page_with_all_that_it_loads_is_sent_in_less_than_a_megabyte(site):
    run_page = next(page for page in list_pages(site) if "/pairs/mnli-xnli" in page)
    for page in ("book/results.html", "book/explorer.html", "book/method.html", run_page):
        text = (site / page).read_text()
        links = re.findall(r'<(?:script|img|link)\b[^>]*? (?:src|href)="([^"?#]+)', text)
        files = {(site / page).parent.joinpath(link).resolve() for link in links if not link.endswith(".html")}
        fonts = [*(site / "_static/vendor").rglob("*.woff2")]
        sent = len(gzip.compress(text.encode())) + sum(path.stat().st_size for path in fonts)
        assert sent + sum(len(gzip.compress(path.read_bytes())) for path in files) < LARGEST_PAGE, page


@needs_chromium
def test_no_page_requests_another_host_or_is_wider_than_a_phone(site, tmp_path):
    widths, hosts = measure_widths(site, list_pages(site), tmp_path)
    assert hosts == {"127.0.0.1"}
    assert {page: width for page, width in widths.items() if width > PHONE} == {}
    assert len(widths) == len(list_pages(site)) > 10


@needs_chromium
def test_pages_with_wide_tables_fit_a_desktop(site, tmp_path):
    wide = [f"book/{page}.html" for page in ("results", "transfer", "runs", "generated/targets/xnli")]
    widths, _ = measure_widths(site, wide, tmp_path, DESKTOP)
    assert {page: width for page, width in widths.items() if width > DESKTOP} == {}


@needs_chromium
def test_click_on_a_column_sorts_its_rows_and_sets_aria_sort(site, tmp_path):
    result, _ = run_script(site, SORT_PAGE.replace("PAGE", "book/results.html"), tmp_path)
    for names, values, sort in result["clicks"]:
        assert names[0] == "none" and sorted(names[1:]) == ["CCG", "MNLI", "QQP"]  # the baseline stays on top
        assert values == sorted(values, reverse=sort == "descending")
    assert [sort for *_, sort in result["clicks"]] == ["descending", "ascending"]
    assert result["others"] == 0


@needs_chromium
def test_browser_detects_requests_to_other_hosts_and_wide_pages(tmp_path):
    bad = '<script src="https://cdn.example/a.js"></script><div style="width: 800px">wide</div>'
    (tmp_path / "bad.html").write_text(bad)
    widths, hosts = measure_widths(tmp_path, ["bad.html"], tmp_path)
    assert hosts == {"127.0.0.1", "cdn.example"}
    assert widths["bad.html"] > PHONE
