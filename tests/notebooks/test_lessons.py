"""The teaching notebooks: what a class can rely on when it changes them and executes them."""

import ast
import json
import re

import nbformat
import papermill
import pytest

from stilts_core.errors import ConfigError, RunError
from stilts_core.notebooks import lessons
from stilts_core.notebooks.injected import check_lesson
from stilts_core.notebooks.lessons import (
    LESSONS,
    RERUN,
    RERUNS,
    committed_notebook,
    execute_lesson,
    execute_rerun,
    executed_lesson,
)
from stilts_core.notebooks.paths import notebook_path
from stilts_core.pretraining.recipe import PretrainingRecipe
from stilts_core.pretraining.train import pretrain_lab_encoder
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages import lessons as lesson_pages
from stilts_core.report.safe_output import NOT_SHOWN

NOTEBOOKS = (*LESSONS, RERUN)
WIDTH = 80  # characters of code that a page shows without scrolling
# Functions that the first lesson teaches; other code belongs in the package.
TAUGHT = {"three_phases": {"guess", "learn", "scores_of"}, "new_language": set(), RERUN: set()}
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
}  # fmt: skip


def cells(name: str, kind: str = "code") -> list:
    return [cell for cell in nbformat.read(notebook_path(name), as_version=4).cells if cell.cell_type == kind]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with both lessons, executed at toy size."""
    folder = tmp_path_factory.mktemp("runs")
    sizes = {"pieces": 400, "layers": 2, "hidden_size": 32, "feed_forward": 64, "heads": 2, "batch_size": 16}
    encoder = pretrain_lab_encoder(0, PretrainingRecipe(**sizes, texts=0.01, languages=("en", "qpa")))
    assert execute_lesson("three_phases", folder, encoder=str(encoder), **TOY["three_phases"])
    assert execute_lesson("new_language", folder, **TOY["new_language"])
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
    assert {node.name for node in defined} == TAUGHT[name]
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
    known, wrong = ("seeds", "sedes") if name == RERUN else ("test_examples", "test_exampels")
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
    failed = nbformat.read(executed_lesson("new_language", runs / "wrong"), as_version=4)
    assert any(output.output_type == "error" for cell in failed.cells for output in cell.get("outputs", []))


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
    assert len(list((runs / "questions" / "lab").glob("*/record.json"))) == 6
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


def test_all_reruns_share_one_notebook():
    assert {committed_notebook(name) for name in RERUNS} == {notebook_path(RERUN)}
