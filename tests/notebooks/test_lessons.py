"""The teaching notebooks: what a class can rely on when it changes them and executes them."""

import ast
import json
import re
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from html import unescape
from threading import Event

import nbformat
import papermill
import pytest
from scipy import stats

from stilts_core.errors import ConfigError, RunError
from stilts_core.notebooks import lessons
from stilts_core.notebooks.injected import check_lesson
from stilts_core.notebooks.lessons import (
    ALONE,
    IDENTITY,
    LESSONS,
    OWN_QUESTION,
    RERUN,
    RERUNS,
    committed_notebook,
    execute_all,
    execute_lesson,
    execute_rerun,
    executed_lesson,
    identify_notebook,
)
from stilts_core.notebooks.paths import notebook_path
from stilts_core.notebooks.reader import READER_SIZES
from stilts_core.pretraining.recipe import PretrainingRecipe
from stilts_core.pretraining.train import pretrain_lab_encoder
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages import lessons as lesson_pages
from stilts_core.report.safe_output import NOT_SHOWN
from stilts_core.studies.conduct import open_study
from stilts_core.studies.inference import describe_p
from stilts_core.studies.registration import read_registration
from stilts_core.studies.results import read_recorded

NOTEBOOKS = (*LESSONS, RERUN)
WIDTH = 80  # characters of code that a page shows without scrolling
# Functions that the first lesson teaches; other code belongs in the package.
TAUGHT = {"three_phases": {"guess", "learn", "scores_of"}}
MISSPELT = {
    "three_phases": ("test_examples", "test_exampels"), "new_language": ("test_examples", "test_exampels"),
    "read_effect": ("target", "tagret"), "own_question": ("seeds", "sedes"), RERUN: ("seeds", "sedes"),
}  # fmt: skip
TOY_RERUN = "question-continued"
TOY_CHANGES = "dev_examples=4 test_examples=4 intermediate_steps=2 target_steps=2 text_examples=8"
TOY = {
    "three_phases": {
        "intermediate_examples": 64, "intermediate_epochs": 2.0, "target_examples": 16, "target_epochs": 1.0,
        "test_examples": 4, "candidates": 10,
    },
    "new_language": {
        "others": "qal,qlu", "texts": 20000, "share": 0.01, "train_examples": 32, "train_epochs": 1.0,
        "test_examples": 5, "order": "VOS", "script": "Arabic",
    },
    "own_question": {"seeds": 3, "steps": 2},
}  # fmt: skip


def cells(name: str, kind: str = "code") -> list:
    return [cell for cell in nbformat.read(notebook_path(name), as_version=4).cells if cell.cell_type == kind]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with all lessons, executed at toy size, and one rerun."""
    folder = tmp_path_factory.mktemp("runs")
    sizes = {"pieces": 400, "layers": 2, "hidden_size": 32, "feed_forward": 64, "heads": 2, "batch_size": 16}
    encoder = pretrain_lab_encoder(0, PretrainingRecipe(**sizes, texts=0.01, languages=("en", "qpa")))
    assert execute_lesson("three_phases", folder, encoder=str(encoder), **TOY["three_phases"])
    assert execute_lesson("new_language", folder, **TOY["new_language"])
    assert execute_lesson("read_effect", folder)
    assert execute_lesson("own_question", folder, encoder=str(encoder), **TOY["own_question"])
    assert execute_rerun(TOY_RERUN, folder, changes=f"encoders={encoder} {TOY_CHANGES}")
    return folder


@pytest.fixture(scope="module")
def executed(runs) -> dict[str, dict]:
    """The code cells of each executed lesson by their ids."""
    paths = {name: executed_lesson(name, runs) for name in LESSONS} | {RERUN: executed_lesson(TOY_RERUN, runs)}
    notebooks = {name: nbformat.read(path, as_version=4) for name, path in paths.items()}
    return {
        name: {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}
        for name, notebook in notebooks.items()
    }


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_lessons_are_committed_without_outputs(name):
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells(name))
    assert "papermill" not in nbformat.read(notebook_path(name), as_version=4).metadata


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_papermill_reads_all_parameters_without_a_warning_and_they_are_scalars(name, caplog):
    (cell,) = [cell for cell in cells(name) if "parameters" in cell.metadata.get("tags", [])]
    parameters = {}
    exec(cell.source, {}, parameters)
    assert {type(value) for value in parameters.values()} <= {str, int, float, bool}
    assert set(papermill.inspect_notebook(str(notebook_path(name)))) == set(parameters)
    assert caplog.text == ""
    assert set(TOY.get(name, ())) < set(parameters)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_lessons_define_only_the_functions_that_they_teach(name):
    parsed = [ast.parse(cell.source) for cell in cells(name)]
    defined = [node for tree in parsed for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert {node.name for node in defined} == TAUGHT.get(name, set())
    assert all(node.end_lineno - node.lineno < 12 for node in defined)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_no_line_of_code_is_wider_than_the_page(name):
    assert [line for cell in cells(name) for line in cell.source.splitlines() if len(line) >= WIDTH] == []


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_cell_runs_without_a_warning(name, executed):
    ran = [cell for cell in executed[name].values() if "injected-parameters" not in cell.metadata.tags]
    assert len(ran) == len(cells(name))
    assert all(cell.execution_count for cell in ran)
    assert {output.get("name", "stdout") for cell in ran for output in cell.outputs} == {"stdout"}


@pytest.mark.parametrize("name", LESSONS)
def test_every_exercise_has_a_folded_solution_and_every_solution_has_an_output(name, executed):
    exercises = len(re.findall(r"^\*\*\d\. ", "\n".join(cell.source for cell in cells(name, "markdown")), re.MULTILINE))
    folded = [cell for cell in executed[name].values() if cell.id.startswith("solution-")]
    in_text = sum(cell.source.count("<details><summary>") for cell in cells(name, "markdown"))
    assert len(folded) + in_text == exercises == 5
    assert all("hide-cell" in cell.metadata.tags and cell.outputs for cell in folded)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_commands_in_the_text_name_existing_parameters(name):
    (cell,) = [cell for cell in cells(name) if "parameters" in cell.metadata.get("tags", [])]
    text = "\n".join(cell.source for cell in cells(name, "markdown"))
    named = set(re.findall(r"-p (\w+)", text))
    assert named and named <= set(re.findall(r"^(\w+) =", cell.source, re.MULTILINE))
    assert set(re.findall(r"papermill notebooks/(\w+)\.ipynb", text)) == {name}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_lessons_check_their_parameters_before_anything_else(name):
    _, parameters, setup, *_ = cells(name)  # the first cell installs the package on Colab
    assert "parameters" in parameters.metadata.tags and "\ncheck_lesson(globals())\n" in setup.source
    known, wrong = MISSPELT[name]
    check_lesson({"In": ["", parameters.source, f"# Parameters\n{known} = 3\n", setup.source]})
    with pytest.raises(ConfigError, match=rf"unknown parameter '{wrong}' \(did you mean '{known}'\?\)"):
        check_lesson({"In": ["", parameters.source, f"# Parameters\n{wrong} = 3\n", setup.source]})


def test_lesson_in_another_environment_is_an_error_that_names_it(monkeypatch):
    monkeypatch.setenv("STILTS_PREFIX", "/other/.venv")
    with pytest.raises(RunError, match=r"kernel runs .*, and papermill runs in /other/.venv; use `papermill --engine"):
        check_lesson({})


def test_hand_written_loop_ends_with_the_weights_of_train(executed):
    html = executed["three_phases"]["same"].outputs[0].data["text/html"]
    _, train, loop = (re.findall(r"<td[^>]*>(.*?)</td>", row) for row in html.split("<tr")[1:])
    assert float(train[2]) == 0 <= float(loop[2]) < float(train[1]) / 100
    assert train[3] == loop[3]


def test_invented_language_is_scored_like_the_others(executed):
    html = executed["new_language"]["score"].outputs[0].data["text/html"]
    assert all(name in html for name in ("<b>Tavari</b>", "English", "Aldan", "Lumar"))


def test_lesson_is_reused_and_executed_again_with_another_parameter(runs, executed):
    assert not execute_lesson("new_language", runs, **TOY["new_language"])
    with pytest.raises(RunError, match="order is 'SOVO'; choose one of SVO, SOV, VSO, VOS"):
        execute_lesson("new_language", runs / "wrong", order="SOVO")
    finished = executed_lesson("new_language", runs / "wrong")
    failed = nbformat.read(finished.with_suffix(".unfinished.ipynb"), as_version=4)
    assert any(output.output_type == "error" for cell in failed.cells for output in cell.get("outputs", []))
    assert not finished.exists()  # a failure replaces nothing


def test_only_lessons_that_are_due_are_executed_and_latency_is_measured_last(runs, executed, tmp_path):
    folder = {"folder": str(tmp_path / "questions")}
    for name in (*LESSONS, *RERUNS):
        own = {"study": RERUNS[name]} | folder if name in RERUNS else folder if name == OWN_QUESTION else {}
        path = executed_lesson(name, tmp_path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"metadata": {IDENTITY: identify_notebook(name, own)}}))
    executed_lesson("read_effect", tmp_path).write_text("damaged")
    done = dict(execute_all(tmp_path))
    assert list(done) == [*LESSONS, *(name for name in RERUNS if name != ALONE), ALONE]
    assert [name for name, due in done.items() if due] == ["read_effect"]


def test_book_shows_the_executed_lesson_or_the_committed_one_with_a_note(runs, executed, tmp_path):
    for folder, present in ((tmp_path / "none", ()), (runs, (*LESSONS, TOY_RERUN))):
        writer = PageWriter(tmp_path / "book")
        lesson_pages.write_pages(folder, writer)
        assert sorted(path.stem for path in writer.finish()) == sorted([*LESSONS, *RERUNS])
        for name in (*LESSONS, *RERUNS):
            outputs = name in present
            page = json.loads((tmp_path / "book" / "lessons" / f"{name}.ipynb").read_text())
            assert any(cell.get("outputs") for cell in page["cells"]) is outputs
            assert ("not executed" in "".join(page["cells"][0]["source"])) is not outputs
            assert NOT_SHOWN not in json.dumps(page)
            assert nbformat.validate(page) is None


def test_pages_of_reruns_name_their_study_and_link_to_its_chapter_if_there_is_one(runs, executed, tmp_path):
    (tmp_path / "questions").mkdir()
    (tmp_path / "questions" / "continued.md").write_text("# A chapter")
    lesson_pages.write_pages(runs, PageWriter(tmp_path))
    titles = {}
    for name, study in RERUNS.items():
        page = json.loads((tmp_path / "lessons" / f"{name}.ipynb").read_text())
        titles[study], text = "".join(page["cells"][0]["source"]).split("\n", 1)
        assert (f"(../questions/{study}.md)" in text) is (study == "continued")
        assert "it cannot confirm anything" in text.lower()
    assert len(set(titles.values())) == 5 and titles["latency"] == "# Rerun: latency"


def test_rerun_shows_its_paired_differences_and_is_reused(runs, executed):
    cells = executed[RERUN]
    html = cells["differences"].outputs[0].data["text/html"]
    assert all(name in html for name in ("Aldan", "Merun", "text of unseen languages helps POS there", "3 seeds"))
    assert "<svg" in cells["figure"].outputs[0].data["image/svg+xml"]
    assert "This is exploratory." in cells["answer"].outputs[0].data["text/html"]
    assert len(list((runs / "questions" / "lab").glob("*mlm*/record.json"))) == 3  # and three without text
    (injected,) = [cell for cell in cells.values() if "injected-parameters" in cell.metadata.tags]
    assert 'study = "continued"' in injected.source
    changes = re.search('changes = "(.*)"', injected.source)[1]
    assert not execute_rerun(TOY_RERUN, runs, changes=changes)


def test_reruns_are_executed_again_when_a_protocol_changes(runs, executed, tmp_path, monkeypatch):
    changed = tmp_path / "protocols"
    changed.mkdir()
    (changed / "continued.toml").write_text("name = 'other'")
    before = lessons.identify_notebook(TOY_RERUN, {}), lessons.identify_notebook("new_language", {})
    monkeypatch.setattr(lessons, "PROTOCOLS", (changed,))
    after = lessons.identify_notebook(TOY_RERUN, {}), lessons.identify_notebook("new_language", {})
    assert before[0] != after[0] and before[1] == after[1]


def test_lesson_on_recorded_results_is_executed_again_when_a_table_changes(tmp_path, monkeypatch):
    (tmp_path / "ratio.parquet").write_bytes(b"other")
    before = {name: lessons.identify_notebook(name, {}) for name in LESSONS}
    monkeypatch.setattr(lessons, "TABLES", (tmp_path,))
    after = {name: lessons.identify_notebook(name, {}) for name in LESSONS}
    assert [name for name in LESSONS if before[name] != after[name]] == ["read_effect"]


@pytest.mark.parametrize("name", ["a.py", "encoders/cpu/layer.c", "vectors.h", "tasks/facts/languages.csv"])
def test_lessons_are_executed_again_when_code_or_a_table_of_the_package_changes(tmp_path, monkeypatch, name):
    monkeypatch.setattr(lessons, "PACKAGE", tmp_path)
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("old")
    before = identify_notebook("new_language", {})
    path.write_text("new")
    assert identify_notebook("new_language", {}) != before


def test_notebooks_that_are_not_begun_are_cancelled_when_one_fails(tmp_path, monkeypatch):
    begun, cancelled = [], Event()

    class Pool(ThreadPoolExecutor):
        def __init__(self, *arguments, **options):
            super().__init__(1)

        def shutdown(self, wait=True, *, cancel_futures=False):
            super().shutdown(wait=False, cancel_futures=cancel_futures)
            cancelled.set()
            super().shutdown(wait)

    def execute(name, runs_dir):
        begun.append(name)
        if len(begun) == 1:
            raise RunError("a cell failed")
        assert cancelled.wait(60)

    monkeypatch.setattr(lessons, "ProcessPoolExecutor", Pool)
    monkeypatch.setattr(lessons, "execute_lesson", execute)
    monkeypatch.setattr(lessons, "execute_rerun", execute)
    with pytest.raises(RunError, match="a cell failed"):
        list(execute_all(tmp_path))
    assert len(begun) <= 2  # the one that failed, and one that was begun meanwhile


def test_lesson_on_recorded_results_names_the_studies_whose_results_are_scores():
    (cell,) = [cell for cell in cells("read_effect") if "parameters" in cell.metadata.get("tags", [])]
    named = re.findall(r"\w+", re.search(r"study = .* # (.*)", cell.source)[1])
    measured = {study: open_study(study).protocol.primary.metric for study in READER_SIZES}
    assert {*named} - {"or"} == {study for study, metric in measured.items() if metric == "score"}


def test_effect_read_by_hand_is_that_of_the_package_and_of_scipy(executed):
    """The recorded scores of both arms, through pandas and scipy, give the effect that the page prints."""
    protocol = open_study("continued").protocol
    frame = read_recorded(protocol).frame
    frame = frame[(frame["target"] == "udpos") & (frame["metric"] == "score")]
    frame = frame[frame["language"].isin(["qal", "qes", "qil", "qme"])]
    means = frame.groupby(["arm", "encoder"])["score"].mean()
    test = stats.ttest_rel(means["text-unseen"], means["direct"])
    interval = test.confidence_interval()
    printed = "".join(output.text for output in executed["read_effect"]["package"].outputs)
    mean = (means["text-unseen"] - means["direct"]).mean()
    assert printed == f"{mean:+.2f} [{interval.low:+.2f}, {interval.high:+.2f}]\n{describe_p(test.pvalue)}\n"


def test_lesson_says_how_many_false_alarms_there_are_and_holm_keeps_them_below_one_in_twenty(executed):
    printed = executed["read_effect"]["solution-alarms"].outputs[0].text
    languages, alone, holm = map(float, re.findall(r"([\d.]+)(?= languages|%)", printed))
    assert abs(alone / 100 - (1 - 0.95**languages)) < 0.04  # two thousand simulated studies
    assert holm < 6


def test_own_study_is_registered_before_its_runs_and_its_page_has_its_numbers(runs, executed):
    folder, cells = runs / "questions" / "own", executed["own_question"]
    registration = read_registration(folder / "protocols" / "registered" / "own.json")
    records = [path for path in runs.glob("questions/lab/*-udpos-*/record.json") if "ccg" in str(path)]
    assert len(records) == 6  # two arms with an intermediate phase, three seeds
    starts = [datetime.fromisoformat(json.loads(path.read_text())["started"]) for path in records]
    assert min(starts) >= datetime.fromisoformat(registration.time)
    page = unescape((folder / "own.md").read_text())
    assert page.strip() == cells["page"].outputs[0].text.strip()
    numbers = re.findall(r"[−+]?\d+\.\d\d", cells["verdict"].outputs[0].data["text/html"])
    assert len(numbers) > 9 and "## Limits\n\nOne encoder" in page


def test_protocol_mistakes_of_the_lesson_are_three_different_errors(executed):
    printed = executed["own_question"]["solution-mistakes"].outputs[0].text
    for words in ("there is no 'supertag'; choose one of", "no field 'shuffled_labels'", "key seeds: it must not be"):
        assert words in printed


def test_cost_of_a_lesson_is_recorded_with_it(runs, executed):
    for name in LESSONS:
        metadata = nbformat.read(executed_lesson(name, runs), as_version=4).metadata
        assert 0.5 < metadata[lessons.COST] < 100


def test_table_of_costs_has_the_time_of_every_executed_lesson_and_a_dash_for_what_is_not_known(runs, tmp_path):
    rows = lesson_pages.build_costs(runs, [{"name": "lab", "seconds": 90.0}]).splitlines()
    assert "1 min 30 s" in rows[2]
    assert [re.search(r"lessons/(\w+)\.ipynb", row)[1] for row in rows[3:]] == list(LESSONS)
    assert all(re.search(r"\| 5 \| [\d.]+ (s|min .*) \| [\d.]+ (s|min .*) \|", row) for row in rows[3:])
    foreign = executed_lesson("read_effect", tmp_path)
    foreign.parent.mkdir(parents=True)
    metadata = {lessons.COST: "<b>", "papermill": {"duration": float("inf")}}
    foreign.write_text(json.dumps({"cells": [], "metadata": metadata, "nbformat": 4}))
    assert all(row.endswith("| – | – |") for row in lesson_pages.build_costs(tmp_path, []).splitlines()[3:])


def test_all_reruns_share_one_notebook():
    assert {committed_notebook(name) for name in RERUNS} == {notebook_path(RERUN)}
