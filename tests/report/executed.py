"""The pair notebook, executed by papermill on a synthetic record in place of a run."""

from pathlib import Path

import nbformat
import papermill

from stilts_core.records import write_record

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "notebooks" / "pair.ipynb"


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
