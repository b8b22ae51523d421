"""Runs that failed: their notebooks show where, and the page of runs names them and why."""

import json
from pathlib import Path
from typing import NamedTuple

from stilts_core.config import RunConfig
from stilts_core.notebook_run import UNFINISHED
from stilts_core.records import RECORD
from stilts_core.report.cards import title


class Failure(NamedTuple):
    """A run without a record: its folder's name, its title, the notebook up to the error, and the error."""

    run_id: str
    title: str
    notebook: Path
    reason: str


def failures_of(profile: str, runs: Path) -> list[Failure]:
    """The runs of a profile that ended with an error and were not repeated with success, in the order of run ids.

    A notebook that is still at work, or was killed, holds no error and is none of them.
    """
    found = []
    for notebook in sorted((runs / profile).glob(f"*/{UNFINISHED}")):
        content = json.loads(notebook.read_text(encoding="utf-8"))
        executed = content["metadata"].get("papermill", {})
        if executed.get("exception") and not (notebook.parent / RECORD).exists():
            config = RunConfig.from_dict(executed["parameters"]).to_dict()
            found.append(
                Failure(notebook.parent.name, f"{title({'config': config})} (failed)", notebook, _reason(content))
            )
    return found


def _reason(content: dict) -> str:
    """The error that ended the notebook."""
    outputs = [output for cell in content["cells"] for output in cell.get("outputs", ())]
    error = next((output for output in outputs if output["output_type"] == "error"), None)
    return f"{error['ename']}: {error['evalue']}" if error else "it left no error"
