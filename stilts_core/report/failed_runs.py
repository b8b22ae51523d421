"""Runs that failed. Their notebooks hold the error, and the page of runs lists them with it."""

from pathlib import Path
from typing import Any, NamedTuple

from stilts_core.config import RunConfig
from stilts_core.notebooks.pair import UNFINISHED
from stilts_core.report.executed_notebook import Notebook, UnreadableNotebook, read_executed
from stilts_core.report.tables.titles import run_title
from stilts_core.runs.record import NAME, RECORD

LONGEST_ERROR = 500  # characters of an error in the list of runs; its notebook has all of it


class Failure(NamedTuple):
    """A run without a record: the name of its folder, its title, its notebook up to the error, and the error."""

    run_id: str
    title: str
    notebook: Notebook
    reason: str


def find_failures(profile: str, runs: Path) -> list[Failure]:
    """The runs of a profile that ended with an error and have not succeeded since, ordered by run id.

    An unfinished notebook without an error belongs to a run that is still working or was killed; it is no failure.
    Neither is a notebook that cannot be read: it was cut off, or is none.
    """
    failures = []
    for path in sorted((runs / profile).glob(f"*/{UNFINISHED}")):
        run_id = path.parent.name
        if not NAME.fullmatch(run_id) or (path.parent / RECORD).exists():
            continue
        try:
            content = read_executed(path, runs)
            execution = content["metadata"].get("papermill", {})
            if execution.get("exception"):
                title = f"{_title(execution.get('parameters'), run_id)} (failed)"
                failures.append(Failure(run_id, title, content, _read_error(content)))
        except (UnreadableNotebook, KeyError, TypeError, AttributeError):
            continue
    return failures


def _title(parameters: Any, run_id: str) -> str:
    """The title of the run that these parameters describe; its id if they describe none."""
    try:
        return run_title(RunConfig.from_dict(parameters))
    except (ValueError, TypeError, AttributeError):
        return run_id


def _read_error(notebook: Notebook) -> str:
    """The error that ended the notebook."""
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    error = next((output for output in outputs if output["output_type"] == "error"), None)
    return f"{error['ename']}: {error['evalue']}"[:LONGEST_ERROR] if error else "the notebook recorded no error"
