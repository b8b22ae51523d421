"""Runs that failed. Their notebooks hold the error, and the page of runs lists them with it."""

import json
from pathlib import Path
from typing import NamedTuple

from stilts_core.config import RunConfig
from stilts_core.notebooks.pair import UNFINISHED
from stilts_core.report.tables.titles import run_title
from stilts_core.runs.record import RECORD


class Failure(NamedTuple):
    """A run without a record: the name of its folder, its title, its notebook up to the error, and the error."""

    run_id: str
    title: str
    notebook: Path
    reason: str


def find_failures(profile: str, runs: Path) -> list[Failure]:
    """The runs of a profile that ended with an error and have not succeeded since, ordered by run id.

    An unfinished notebook without an error belongs to a run that is still working or was killed; it is no failure.
    """
    failures = []
    for notebook in sorted((runs / profile).glob(f"*/{UNFINISHED}")):
        content = json.loads(notebook.read_text(encoding="utf-8"))
        execution = content["metadata"].get("papermill", {})
        if execution.get("exception") and not (notebook.parent / RECORD).exists():
            title = f"{run_title(RunConfig.from_dict(execution['parameters']))} (failed)"
            failures.append(Failure(notebook.parent.name, title, notebook, _read_error(content)))
    return failures


def _read_error(notebook: dict) -> str:
    """The error that ended the notebook."""
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    error = next((output for output in outputs if output["output_type"] == "error"), None)
    return f"{error['ename']}: {error['evalue']}" if error else "the notebook recorded no error"
