"""The pair notebook, executed by papermill on an invented record instead of a run."""

from pathlib import Path

import nbformat
import papermill
import pytest

from stilts_core.config import RunConfig
from stilts_core.notebooks.pair import EXECUTED, UNFINISHED
from stilts_core.notebooks.paths import notebook_path
from stilts_core.runs.record import Record, write_record

NOTEBOOK = notebook_path("pair")


def execute_pair(runs: Path, record: Record) -> Path:
    """Write `record` and its executed notebook under `runs`, as a run does; returns the notebook's path."""
    folder = runs / record.profile / record.run_id
    path = write_record(folder, record)
    source = (
        "from pathlib import Path\n"
        "from stilts_core.runs.record import read_record\n"
        f"record = read_record(Path({str(path)!r}))"
    )
    _execute(source, record.config, folder / EXECUTED)
    return folder / EXECUTED


def fail_pair(runs: Path, intermediate: str, target: str) -> Path:
    """Write the notebook of a laboratory run that failed; returns its path."""
    folder = runs / "lab" / f"{intermediate}-{target}-lab-s0-0123456789"
    with pytest.raises(papermill.PapermillExecutionError):
        _execute("1 / 0", RunConfig(intermediate=intermediate, target=target), folder / UNFINISHED)
    return folder / UNFINISHED


def _execute(source: str, config: RunConfig, output: Path) -> None:
    """Execute the pair notebook with another source of its cell `run`."""
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (cell,) = [cell for cell in notebook.cells if cell.id == "run"]
    cell.source = source
    output.parent.mkdir(parents=True, exist_ok=True)
    prepared = output.with_name("prepared.ipynb")
    nbformat.write(notebook, prepared)
    parameters = {"intermediate": config.intermediate, "target": config.target}
    try:
        papermill.execute_notebook(prepared, output, parameters, progress_bar=False)
    finally:
        prepared.unlink()
