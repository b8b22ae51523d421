"""Records and notebooks from elsewhere: what cannot be read is left out, and nothing is written outside the book."""

import csv
import json
from collections.abc import Collection
from pathlib import Path

import pytest
from click.testing import CliRunner
from matplotlib.text import Text
from record_fixture import encoder_facts, grid_records, with_values

from stilts_core.cli import main
from stilts_core.config import RunConfig
from stilts_core.errors import ConfigError, RecordError
from stilts_core.laboratory.language.design import LANGUAGES
from stilts_core.notebooks.lessons import LESSONS, execute_lesson, executed_lesson
from stilts_core.notebooks.pair import EXECUTED, UNFINISHED
from stilts_core.report import stamp
from stilts_core.report.book import build_pages
from stilts_core.report.failed_runs import find_failures
from stilts_core.report.figures.run import draw_loss_curves, draw_scores
from stilts_core.report.figures.style import set_rows, set_title, styled_figure, to_svg
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages import cost, lessons, runs
from stilts_core.report.recorded_results import copy_records, read_encoders, read_records
from stilts_core.runs.record import NAME, RECORD, Record, read_record, write_record
from stilts_core.terminal import show_record

BAD_NAMES = (
    "../../x", "/x", "..", "", "x/y", "x\\y", "x y", "<b>", "x\n", "a](b", "x\0", "-x", ".x", "x" * 201, "é", "=1+1",
    "+x", "@x")  # fmt: skip


@pytest.fixture
def record() -> Record:
    return grid_records("lab", ("none",), ("xnli",), languages=("en", "qal", "qbe"))[0]


def write_run(folder: Path, record: Record) -> Path:
    return write_record(folder / "runs" / "lab" / record.run_id, record)


def write_content(path: Path, content: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def files_of(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("name", BAD_NAMES)
@pytest.mark.parametrize("field", ["run_id", "profile", "config.target", "config.intermediate", "metric"])
def test_names_that_could_leave_a_folder_are_refused_when_a_record_is_read(tmp_path, record, field, name):
    content = json.loads(record.to_json())
    place = content["config"] if field.startswith("config.") else content
    place[field.removeprefix("config.")] = name
    path = write_content(tmp_path / "record.json", content)
    if (field, name) == ("config.intermediate", "x\n"):
        assert read_record(path).config.intermediate == "x"  # a list of names is read without blanks around them
        return
    by_config = {"": "must not", "x\0": "must not"} if field.startswith("config.") else {}
    if field == "config.intermediate":
        by_config["<b>"] = "one of the phases that > joins is empty"
    reason = by_config.get(name, f"has {field} .*, which must be a letter or digit")
    with pytest.raises(RecordError, match=rf"(?s)record.json .*{reason}"):
        read_record(path)


@pytest.mark.parametrize("encoder", ["/models/mine (1)", "../é|<b>", "x" * 300, "intfloat/multilingual-e5-small"])
def test_every_run_id_that_the_package_makes_is_such_a_name(encoder):
    assert NAME.fullmatch(RunConfig(encoder=encoder, intermediate="mnli,squad").resolved().run_id(data="0"))


@pytest.mark.parametrize(
    "change",
    [
        {"config.seed": "<b>"},
        {"config.languages": ["en"]},
        {"config.auxiliary_weight": "much"},
        {"config.target": 3},
        {"averages.all": {"score": float("nan"), "low": 1.0, "high": 2.0, "languages": 3}},
        {"environment.threads": "<b>"},
    ],
)
def test_every_field_of_a_record_has_its_type(tmp_path, record, change):
    content = json.loads(record.to_json())
    for place, value in change.items():
        parent, name = place.split(".")
        content[parent][name] = value
    with pytest.raises(RecordError, match=r"does not fit schema|not a readable record"):
        read_record(write_content(tmp_path / RECORD, content))


def number_places(content: object, place: tuple = ()) -> list[tuple]:
    """The places of all numbers in a record, only the first of each list, without those of the config."""
    if isinstance(content, dict | list):
        parts = content.items() if isinstance(content, dict) else enumerate(content[:1])
        return [found for name, part in parts if name != "config" for found in number_places(part, (*place, name))]
    return [place] if isinstance(content, int | float) and not isinstance(content, bool) else []


def test_number_that_cannot_be_is_refused_with_its_field_and_value(tmp_path, record):
    blind = {"n": 3, "predictions": "x", "cut": {"inputs": 1}}
    text = with_values(record, {"layers": {"en": [1.0]}, "unscored": {"de": blind}}).to_json()
    places = number_places(json.loads(text))
    assert len(places) > 60
    for place in places:
        for value in (10**400, -(10**400), 1e300):
            content = json.loads(text)
            parent = content
            for name in place[:-1]:
                parent = parent[name]
            parent[place[-1]] = value
            write_content(tmp_path / RECORD, content)
            with pytest.raises(RecordError) as caught:
                read_record(tmp_path / RECORD)
            message = str(caught.value).removeprefix(str(tmp_path))
            assert str(place[-1]) in message and (repr(value)[:20] in message or "inf" in message), message


def test_extreme_numbers_that_can_be_stop_no_page(tmp_path, record, capsys):
    content = json.loads(record.to_json()) | {"run_id": "other"}
    for place in number_places(content):
        parent = content
        for name in place[:-1]:
            parent = parent[name]
        if place[0] not in ("schema", "layers") and place[-1] not in ("score", "low", "high", "padding_share"):
            parent[place[-1]] = 2**63 - 1 if isinstance(parent[place[-1]], int) else 100.0
    write_run(tmp_path, record)
    write_content(tmp_path / "runs" / "lab" / "other" / RECORD, content)
    build_pages(tmp_path / "runs", tmp_path / "book", "lab")
    assert capsys.readouterr().err == ""
    assert "9,223,372,036,854,775,807" in (tmp_path / "book" / "pairs" / "other.md").read_text()


@pytest.mark.parametrize(
    "content",
    [
        "", "{", "[]", "null", "3", '"x"', "{}", '{"schema": 2}', "[" * 9999, '{"schema": 1, "x": ' + "9" * 5000 + "}",
        '{"schema": 1, "\\u001b[2J": 1}', '{"schema": "' + "x" * 10_000 + '"}',
    ],
)  # fmt: skip
def test_damaged_record_is_skipped_with_one_line_that_names_file_and_remedy(tmp_path, record, capsys, content):
    write_run(tmp_path, record)
    other = write_content(tmp_path / "runs" / "lab" / "other" / RECORD, content)
    kept = write_content(tmp_path / "book" / "results" / "lab" / "kept.json", content)
    assert [run.run_id for run in read_records("lab", tmp_path / "runs", tmp_path / "book")] == [record.run_id]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and all(len(line) < 700 and line.isprintable() for line in lines)
    assert str(kept) in lines[0] and "restore this file, or delete it alone" in lines[0]
    assert str(other) in lines[1] and "delete its folder and run again" in lines[1]


def retrieval(state: int, raw: dict) -> dict:
    return {"state": state, "before": {"raw": raw}, "after": {"raw": {}}}


@pytest.mark.parametrize(
    "change",
    [
        {"config.target": "mnli"},
        {"config.target": "unknown"},
        {"config.intermediate": "unknown"},
        {"config.profile": "unknown"},
        {"layers": {"en": [1.0], "qal": [1.0, 2.0]}},
        {"scores": {}, "layers": {"xx": [1.0]}},
        {"unscored": {"de": {"n": 1, "predictions": "x", "cut": {}}}},
        {"unscored": {"xx": {"n": 1, "predictions": "x", "cut": {}}}},
        {"retrieval": retrieval(9, {"de": [1.0] * 3})},
        {"retrieval": retrieval(1, {"de": [1.0] * 2})},
        {"retrieval": retrieval(1, {"xx": [1.0] * 3})},
    ],
)
def test_record_that_no_table_can_show_is_skipped(tmp_path, record, capsys, change):
    write_run(tmp_path, record)
    write_run(tmp_path, with_values(record, {"run_id": "other"} | change))
    assert len(read_records("lab", tmp_path / "runs", tmp_path / "book")) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert "other/record.json cannot be shown" in line


def blind_in(record: Record, languages: Collection[str]) -> Record:
    """A copy of a record whose test parts have no labels in these languages."""
    content = json.loads(record.to_json())
    blind = {code: content["scores"].pop(code) for code in languages if code in content["scores"]}
    content["unscored"] = {
        code: {name: own[name] for name in ("n", "predictions", "cut")} for code, own in blind.items()
    }
    content["layers"] = {code: own for code, own in content.get("layers", {}).items() if code not in languages}
    content["errors"] = [mistake for mistake in content["errors"] if mistake["language"] not in languages]
    foreign = content["scores"].keys() - {"en"}
    content["averages"] |= {} if content["scores"] else {"all": None}
    content["averages"] |= {} if foreign else {"non_english": None}
    return Record.model_validate(content)


BLIND = [("en", "qal", "qbe"), ("qal", "qbe"), ("en",)]


@pytest.mark.parametrize("rows", [("none",), ("mnli",), ("none", "mnli")])
@pytest.mark.parametrize("languages", BLIND, ids=["all", "foreign", "English"])
def test_runs_without_scores_stop_no_page(tmp_path, capsys, languages, rows):
    layers = {code: [1.0, 2.0] for code in ("en", "qal", "qbe")}
    for record in grid_records("lab", ("none", "mnli"), ("xnli", "tatoeba"), languages=tuple(layers)):
        record = with_values(record, {"layers": layers if record.target == "tatoeba" else {}})
        blind = blind_in(record, languages) if record.row in rows else record
        write_run(tmp_path, blind)
        show_record(blind)
        draw_scores(blind)
    build_pages(tmp_path / "runs", tmp_path / "book", "lab")
    shown = capsys.readouterr()
    assert shown.err == "" and "– │" in shown.out
    pages = [path.read_text() for path in (tmp_path / "book" / "pairs").glob(f"{rows[0]}-xnli-*.md")]
    assert pages and all(">–</td>" in text for text in pages)
    for target in ("xnli", "tatoeba"):
        assert (tmp_path / "book" / "generated" / "targets" / f"{target}.md").exists()


def test_record_without_some_of_its_metrics_has_a_dash_in_every_table(tmp_path, record, capsys):
    lacking = with_values(record, {"metrics": ["accuracy", "f1"], "scores.qal.metrics": {}, "phases": []})
    write_run(tmp_path, lacking)
    build_pages(tmp_path / "runs", tmp_path / "book", "lab")
    assert ">–</td>" in (tmp_path / "book" / "pairs" / f"{record.run_id}.md").read_text()
    show_record(lacking)
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("│ qal")]
    assert lines[0].count(" – ") >= 2


@pytest.mark.parametrize("content", ["", "{", "[]", "null", {"cells": []}, {"nbformat": 4, "cells": 3}, "[" * 10_000,
    {"nbformat": 4, "cells": [3]}, {"nbformat": 4, "cells": [{"cell_type": "code"}]}, "\udcff",
    {"nbformat": 4, "cells": [], "metadata": {"papermill": {"exception": True, "parameters": [1]}}},
    {"nbformat": 4, "cells": [{"outputs": 1}], "metadata": {"papermill": {"exception": True}}},
    {"nbformat": 4, "cells": [3], "metadata": {"papermill": 3}},
])  # fmt: skip
def test_notebook_that_cannot_be_read_does_not_stop_a_report(tmp_path, record, content):
    text = content if isinstance(content, str) else json.dumps(content)
    write_run(tmp_path, record)
    write_run(tmp_path, other := with_values(record, {"run_id": "other"}))
    places = [
        tmp_path / "runs" / "lab" / record.run_id / EXECUTED,
        tmp_path / "runs" / "lab" / "failed" / UNFINISHED,
        *(executed_lesson(name, tmp_path / "runs") for name in LESSONS),
    ]
    for path in places:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text.encode(errors="surrogateescape"))
    writer = PageWriter(tmp_path / "book")
    runs.write_pages([record, other], tmp_path / "runs", writer)
    runs.write_failure_pages(find_failures("lab", tmp_path / "runs"), writer)
    lessons.write_pages(tmp_path / "runs", writer)
    pages = {path.stem: path.read_text() for path in (tmp_path / "book" / "pairs").iterdir()}
    assert other.run_id in pages
    if content == "" or content == {"cells": []} or "[" in text[:1]:
        assert "The notebook of this run cannot be read" in pages[record.run_id]
        lesson = (tmp_path / "book" / "lessons" / f"{LESSONS[0]}.ipynb").read_text()
        assert "executed copy of this lesson cannot be read" in lesson


def test_notebook_that_is_a_link_to_a_file_elsewhere_is_not_shown(tmp_path, record):
    secret = write_content(tmp_path / "secret.ipynb", {"nbformat": 4, "metadata": {}, "cells": [], "SECRET": 1})
    (write_run(tmp_path, record).parent / EXECUTED).symlink_to(secret)
    build_pages(tmp_path / "runs", tmp_path / "book", "lab")
    assert "it is a link to a file elsewhere" in (tmp_path / "book" / "pairs" / f"{record.run_id}.md").read_text()


def test_runs_of_both_sources_in_one_profile_stop_no_page(tmp_path, record):
    write_run(tmp_path, record)
    (real,) = grid_records("small", ("none",), ("xquad",), languages=("en", "de", "sw"))
    write_run(tmp_path, with_values(real, {"profile": "lab", "config.profile": "lab", "config.source": "publishers"}))
    build_pages(tmp_path / "runs", tmp_path / "book", "lab")
    assert "German" in (tmp_path / "book" / "generated" / "targets" / "xquad.md").read_text()
    assert "German" not in (tmp_path / "book" / "generated" / "transfer.md").read_text()


@pytest.mark.parametrize("part", ["record.json", "."])
def test_record_that_is_a_link_to_a_place_elsewhere_is_not_read(tmp_path, record, capsys, part):
    elsewhere = write_run(tmp_path / "elsewhere", with_values(record, {"run_id": "other"})).parent
    write_run(tmp_path, record)
    link = tmp_path / "runs" / "lab" / "other" / part
    link.parent.mkdir(exist_ok=True, parents=True)
    link.symlink_to(elsewhere / part)
    kept = tmp_path / "book" / "results" / "lab" / "kept.json"
    kept.parent.mkdir(parents=True)
    kept.symlink_to(elsewhere / RECORD)
    assert [run.run_id for run in read_records("lab", tmp_path / "runs", tmp_path / "book")] == [record.run_id]
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and all("is a link to" in line and str(elsewhere.resolve()) in line for line in lines)
    (tmp_path / "book").rename(tmp_path / "real")
    (tmp_path / "book").symlink_to(tmp_path / "real")  # the folders themselves may be links
    (tmp_path / "runs").rename(tmp_path / "disk")
    (tmp_path / "runs").symlink_to(tmp_path / "disk")
    assert [run.run_id for run in read_records("lab", tmp_path / "runs", tmp_path / "book")] == [record.run_id]


def test_no_cell_of_a_csv_file_can_be_a_formula(tmp_path):
    rows, targets = ("none", "mnli", "mnli,squad", "mnli+mlm", "mnli+sham", "all"), ("xnli", "tatoeba")
    for record in grid_records("lab", rows, targets, languages=tuple(LANGUAGES)[:5]):
        write_run(tmp_path, record)
    write_content(tmp_path / "runs" / "lab" / "encoders" / "lab.json", encoder_facts())
    build_pages(tmp_path / "runs", tmp_path / "book", "lab")
    files = sorted((tmp_path / "book").rglob("*.csv"))
    assert {file.stem for file in files} >= {"results", "choice", "transfer", "xnli", "pretraining"}
    for file in files:
        for cell in (cell for row in csv.reader(file.open()) for cell in row):
            number = cell.replace(".", "").removeprefix("-").isdigit()
            assert number or not cell.startswith(("=", "+", "-", "@", "\t", "\r")), (file, cell)


@pytest.mark.parametrize(
    "name", ["../x", "pairs/../../x", "/x", "results/x", "generated/../results/x", "x", "generated"]
)
def test_page_writer_refuses_to_write_outside_its_folders(tmp_path, name):
    book = tmp_path / "book"
    with pytest.raises(ConfigError, match=r"outside|none of the folders"):
        PageWriter(book).write(name, "text")
    assert files_of(tmp_path) == {}


@pytest.mark.parametrize("link", ["generated", "pairs", "lessons", "generated/targets", "generated/tasks.md"])
def test_links_that_lead_out_of_the_book_are_refused_and_nothing_there_is_touched(tmp_path, record, link):
    write_run(tmp_path, record)
    outside = tmp_path / "outside"
    write_content(outside / "xnli.md", "mine")
    (tmp_path / "book" / link).parent.mkdir(parents=True)
    (tmp_path / "book" / link).symlink_to(outside / "xnli.md" if link.endswith(".md") else outside)
    with pytest.raises(ConfigError, match=r"outside .*remove the symbolic link"):
        build_pages(tmp_path / "runs", tmp_path / "book", "lab")
    assert files_of(outside) == {outside / "xnli.md": b"mine"}


def test_kept_results_stay_when_their_run_is_damaged_or_linked_elsewhere(tmp_path, record):
    path = write_run(tmp_path, record)
    (kept,) = copy_records("lab", tmp_path / "runs", tmp_path / "book")
    before = kept.read_bytes()
    path.write_text("{")
    write_run(tmp_path, with_values(record, {"run_id": "another"}))
    folders = ["--profile", "lab", "--runs-dir", str(tmp_path / "runs"), "--book-dir", str(tmp_path / "book")]
    result = CliRunner().invoke(main, ["report", "--keep", *folders])
    assert result.exit_code == 0 and "1 records copied" in result.output
    assert kept.read_bytes() == before and kept.with_name("another.json").exists()
    assert {page.stem for page in (tmp_path / "book" / "pairs").iterdir()} == {record.run_id, "another"}
    kept.unlink()
    kept.with_name("another.json").unlink()
    kept.parent.rmdir()
    (tmp_path / "outside").mkdir()
    kept.parent.symlink_to(tmp_path / "outside")
    with pytest.raises(ConfigError, match="remove the symbolic link"):
        copy_records("lab", tmp_path / "runs", tmp_path / "book")
    assert files_of(tmp_path / "outside") == {}


@pytest.mark.parametrize(
    "change",
    [
        {"name": "../../lab"}, {"name": "lab\n"}, {"languages": {}}, {"languages": {"xx": {}}}, {"tokens": "<b>"},
        {"languages": {"qal": {"texts": 1, "distance": 0.1, "mlm_loss": 1.0, "retrieval": []}}}, {"candidates": None},
        {"x": float("nan")},
    ],
)  # fmt: skip
def test_record_of_an_encoder_that_no_figure_can_show_is_skipped(tmp_path, capsys, change):
    write_content(tmp_path / "runs" / "lab" / "encoders" / "lab.json", encoder_facts())
    write_content(tmp_path / "runs" / "lab" / "encoders" / "lab-1.json", encoder_facts() | change)
    assert read_encoders("lab", tmp_path / "runs") == [encoder_facts()]
    copy_records("lab", tmp_path / "runs", tmp_path / "book")
    assert {path.name for path in files_of(tmp_path / "book")} == {"lab.json"}
    (line,) = capsys.readouterr().err.splitlines()
    assert "lab-1.json" in line and "restore this file, or delete it alone" in line


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"provenance": 3}', '{"provenance": {"a": {"reduced": 1}}}', "[" * 9999]
)
def test_damaged_benchmark_does_not_stop_a_report(tmp_path, content):
    write_content(tmp_path / "book" / "results" / "bench.json", content)
    page = cost.build_page(tmp_path / "book" / "results" / "bench.json", PageWriter(tmp_path / "book"))
    assert "cannot be read: it is damaged" in page


@pytest.mark.parametrize("content", ["", "{", "[]", '{"metadata": 3}'])
def test_damaged_executed_lesson_is_executed_again(tmp_path, monkeypatch, content):
    def execute(source: Path, output: Path, parameters: dict) -> None:
        output.write_bytes(source.read_bytes())

    monkeypatch.setattr("stilts_core.notebooks.execution.execute_notebook", execute)
    write_content(executed_lesson(LESSONS[0], tmp_path), content)
    assert execute_lesson(LESSONS[0], tmp_path)
    assert not execute_lesson(LESSONS[0], tmp_path)


@pytest.mark.parametrize("name", ["$\\frac{", "$x$", "a_$b"])
def test_names_with_dollar_signs_are_no_formulas_in_figures(name):
    curve = [{"step": step, "task": name, "loss": 1.0, "lr": 0.1, "tokens": 1, "seconds": 1.0} for step in (1, 2)]
    with styled_figure(2) as figure:
        axes = figure.add_subplot(title=name, xlabel=name)
        set_title(figure, name)
        set_rows(axes, [name])
        assert "svg" in to_svg(figure)
        assert not any(text.get_parse_math() for text in figure.findobj(Text))
    assert "svg" in draw_loss_curves({"target": curve}).data


def test_damaged_stamp_makes_a_report_out_of_date(tmp_path):
    path = write_content(tmp_path / "book" / stamp.NAME, "")
    path.write_bytes(b"\xff\xfe")
    assert not stamp.is_up_to_date("lab", tmp_path / "runs", tmp_path / "book")
