"""`stilts run`: the notebook of a pair, executed by papermill into the folder of its run."""

import os
import sys
from pathlib import Path

from stilts_core.config import RunConfig
from stilts_core.gathering import files_of, run_folder
from stilts_core.records import RECORD, read_record

UNFINISHED = "unfinished.ipynb"  # the executed notebook of a run that failed or was stopped: it shows where
NOTEBOOK = Path(__file__).resolve().parent.parent / "notebooks" / "pair.ipynb"
START_TIMEOUT = 600  # seconds until a kernel answers: a busy file system has held one up for more than papermill's 60


class RunError(RuntimeError):
    """A run that failed in its notebook; the message names the error and the notebook that shows where."""


def run_notebook(config: RunConfig) -> dict:
    """Execute the pair notebook for `config`, unless its record is there already, and return the record.

    The run itself takes place in the notebook's kernel; its progress is shown on this process's standard error.
    Raises RunError where the notebook fails; the executed notebook then holds the error where it happened.
    """
    resolved = config.resolved()
    folder = run_folder(resolved, files_of(resolved))
    if not ((folder / RECORD).exists() and (folder / NOTEBOOK.name).exists()):
        folder.mkdir(parents=True, exist_ok=True)
        _execute(config, folder / UNFINISHED)
        (folder / UNFINISHED).replace(folder / NOTEBOOK.name)
    return read_record(folder / RECORD)


def _execute(config: RunConfig, output: Path) -> None:
    import papermill

    if not config.quiet:
        os.environ["STILTS_PROGRESS"] = os.ttyname(2) if sys.stderr.isatty() else f"/proc/{os.getpid()}/fd/2"
    defaults = RunConfig().to_dict() | {"quiet": None}  # the notebook's own default is quiet
    chosen = {name: value for name, value in config.to_dict().items() if value != defaults[name]}
    try:
        papermill.execute_notebook(
            str(NOTEBOOK), str(output), parameters=chosen, progress_bar=False, start_timeout=START_TIMEOUT
        )
    except papermill.PapermillExecutionError as error:
        raise RunError(f"{error.ename}: {error.evalue}\nThe executed notebook shows where: {output}") from error
