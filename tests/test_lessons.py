"""The teaching notebooks: what a class can rely on when it changes and runs them."""

import ast
import json
import re

import nbformat
import papermill
import pytest

from stilts_core import lessons
from stilts_core.notebook_run import RunError
from stilts_core.pretraining import Recipe, lab_folder
from stilts_core.report.pages import Pages

WIDTH = 80  # characters of code that a page shows without scrolling
# What the first lesson exists to show; all else belongs into the package.
SHOWN = {"three_phases": {"guesses", "learn", "scores_of"}, "new_language": set()}
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
    return [cell for cell in nbformat.read(lessons.notebook(name), as_version=4).cells if cell.cell_type == kind]


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with both lessons, executed at toy size."""
    folder = tmp_path_factory.mktemp("runs")
    sizes = {"pieces": 400, "layers": 2, "hidden_size": 32, "feed_forward": 64, "heads": 2, "batch_size": 16}
    encoder = lab_folder(0, Recipe(**sizes, texts=0.01, languages=("en", "qpa")))
    assert lessons.execute("three_phases", folder, encoder=str(encoder), **TOY["three_phases"])
    assert lessons.execute("new_language", folder, **TOY["new_language"])
    return folder


@pytest.fixture(scope="module")
def executed(runs) -> dict[str, dict]:
    """The code cells of each executed lesson by their ids."""
    notebooks = {name: nbformat.read(lessons.executed(name, runs), as_version=4) for name in lessons.LESSONS}
    return {n: {cell.id: cell for cell in made.cells if cell.cell_type == "code"} for n, made in notebooks.items()}


@pytest.mark.parametrize("name", lessons.LESSONS)
def test_lessons_are_committed_without_outputs(name):
    assert all(cell.outputs == [] and cell.execution_count is None for cell in cells(name))
    assert "papermill" not in nbformat.read(lessons.notebook(name), as_version=4).metadata


@pytest.mark.parametrize("name", lessons.LESSONS)
def test_parameters_are_scalars_that_papermill_reads_without_complaint(name, caplog):
    (cell,) = [cell for cell in cells(name) if "parameters" in cell.metadata.get("tags", [])]
    given = {}
    exec(cell.source, {}, given)
    assert {type(value) for value in given.values()} <= {str, int, float, bool}
    assert set(papermill.inspect_notebook(str(lessons.notebook(name)))) == set(given)
    assert caplog.text == ""
    assert set(TOY[name]) < set(given)


@pytest.mark.parametrize("name", lessons.LESSONS)
def test_lessons_hold_no_logic_but_what_they_show(name):
    parsed = [ast.parse(cell.source) for cell in cells(name)]
    defined = [node for tree in parsed for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.ClassDef)]
    assert {node.name for node in defined} == SHOWN[name]
    assert all(node.end_lineno - node.lineno < 12 for node in defined)


@pytest.mark.parametrize("name", lessons.LESSONS)
def test_code_is_shown_whole(name):
    assert [line for cell in cells(name) for line in cell.source.splitlines() if len(line) >= WIDTH] == []


@pytest.mark.parametrize("name", lessons.LESSONS)
def test_every_cell_runs_and_warns_of_nothing(name, executed):
    ran = [cell for cell in executed[name].values() if "injected-parameters" not in cell.metadata.tags]
    assert len(ran) == len(cells(name))
    assert all(cell.execution_count for cell in ran)
    assert {output.get("name", "stdout") for cell in ran for output in cell.outputs} == {"stdout"}


@pytest.mark.parametrize("name", lessons.LESSONS)
def test_every_exercise_has_a_folded_solution_and_every_solution_shows_something(name, executed):
    exercises = len(re.findall(r"^\*\*\d\. ", "\n".join(cell.source for cell in cells(name, "markdown")), re.MULTILINE))
    folded = [cell for cell in executed[name].values() if cell.id.startswith("solution-")]
    told = sum(cell.source.count("<details><summary>") for cell in cells(name, "markdown"))
    assert len(folded) + told == exercises == 5
    assert all("hide-cell" in cell.metadata.tags and cell.outputs for cell in folded)


@pytest.mark.parametrize("name", lessons.LESSONS)
def test_commands_of_the_text_name_parameters_that_there_are(name):
    (cell,) = [cell for cell in cells(name) if "parameters" in cell.metadata.get("tags", [])]
    said = "\n".join(cell.source for cell in cells(name, "markdown"))
    named = set(re.findall(r"-p (\w+)", said))
    assert named and named <= set(re.findall(r"^(\w+) =", cell.source, re.MULTILINE))
    assert set(re.findall(r"papermill notebooks/(\w+)\.ipynb", said)) == {name}


def test_loop_written_by_hand_ends_where_train_does(executed):
    html = executed["three_phases"]["same"].outputs[0].data["text/html"]
    _, train, loop = (re.findall(r"<td[^>]*>(.*?)</td>", row) for row in html.split("<tr")[1:])
    assert float(train[2]) == 0 <= float(loop[2]) < float(train[1]) / 100
    assert train[3] == loop[3]


def test_invented_language_is_scored_with_the_others(executed):
    html = executed["new_language"]["score"].outputs[0].data["text/html"]
    assert all(name in html for name in ("<b>Tavari</b>", "English", "Aldan", "Lumar"))


def test_lesson_that_is_done_is_found_and_one_with_another_parameter_is_not(runs, executed):
    assert not lessons.execute("new_language", runs, **TOY["new_language"])
    with pytest.raises(RunError, match="order is 'SOVO'; choose one of SVO, SOV, VSO, VOS"):
        lessons.execute("new_language", runs / "wrong", order="SOVO")
    shown = nbformat.read(lessons.executed("new_language", runs / "wrong"), as_version=4)
    assert any(output.output_type == "error" for cell in shown.cells for output in cell.get("outputs", []))


def test_book_gets_the_executed_lesson_and_else_the_committed_one_which_says_so(runs, executed, tmp_path):
    for folder, outputs in ((tmp_path / "none", False), (runs, True)):
        pages = Pages(tmp_path / "book")
        lessons.publish(folder, pages)
        assert sorted(path.stem for path in pages.finish()) == sorted(lessons.LESSONS)
        for name in lessons.LESSONS:
            page = json.loads((tmp_path / "book" / "lessons" / f"{name}.ipynb").read_text())
            assert any(cell.get("outputs") for cell in page["cells"]) is outputs
            assert ("not executed" in "".join(page["cells"][0]["source"])) is not outputs
            assert nbformat.validate(page) is None
