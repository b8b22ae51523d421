"""The pair notebook, executed by papermill on a synthetic record in place of a run."""

from pathlib import Path

import nbformat
import papermill
import pytest

from stilts_core.notebook_run import UNFINISHED
from stilts_core.records import write_record

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "notebooks" / "pair.ipynb"


def fail(runs: Path, intermediate: str, target: str) -> Path:
    """Leave what a run of the laboratory leaves that fails; returns the path of its notebook."""
    folder = runs / "lab" / f"{intermediate}-{target}-lab-s0-0123456789"
    folder.mkdir(parents=True)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    notebook.cells = [cell for cell in notebook.cells if cell.id != "run"]
    notebook.cells.insert(2, nbformat.v4.new_code_cell("1 / 0"))
    prepared = folder / "prepared.ipynb"
    nbformat.write(notebook, prepared)
    with pytest.raises(papermill.PapermillExecutionError):
        config = {"intermediate": intermediate, "target": target}
        papermill.execute_notebook(prepared, folder / UNFINISHED, config, progress_bar=False)
    prepared.unlink()
    return folder / UNFINISHED


def execute(runs: Path, record: dict) -> Path:
    """Leave `record` and its executed notebook under `runs` as a run would; returns the notebook's path."""
    folder = runs / record["profile"] / record["run_id"]
    write_record(folder, record)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    (cell,) = [cell for cell in notebook.cells if cell.id == "run"]
    cell.source = (
        "from pathlib import Path\n"
        "from stilts_core.records import read_record\n"
        f"record = read_record(Path({str(folder / 'record.json')!r}))"
    )
    prepared = folder / "prepared.ipynb"
    nbformat.write(notebook, prepared)
    config = {name: record["config"][name] for name in ("intermediate", "target")}
    papermill.execute_notebook(prepared, folder / "pair.ipynb", config, progress_bar=False)
    prepared.unlink()
    return folder / "pair.ipynb"
