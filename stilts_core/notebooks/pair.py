"""`stilts run`: the pair notebook, executed into the folder of its run, or the run alone."""

import fcntl
import os
import sys
from contextlib import suppress
from pathlib import Path

from stilts_core.config import ResolvedConfig, RunConfig
from stilts_core.errors import RecordError
from stilts_core.notebooks.paths import notebook_path
from stilts_core.runs.encoders import check_encoder
from stilts_core.runs.inputs import run_checksums, run_folder
from stilts_core.runs.record import REMEDY, Record, finished_record, verify_record
from stilts_core.storage.environment import environment
from stilts_core.storage.locks import lock_on

EXECUTED = "pair.ipynb"  # the executed notebook in the folder of a finished run
UNFINISHED = "unfinished.ipynb"  # the executed notebook of a run that failed or was stopped: it shows where
PROGRESS_VARIABLE = "STILTS_PROGRESS"  # the environment variable that `training.progress` reads


def run_pair(config: RunConfig) -> Record | None:
    """Do one run with its notebook and return its record. Raises RunError as `run_notebook` does.

    Under torchrun all processes do the run together; then the first one executes the notebook, and the others get None.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) > 1 and not run_without_page(config):  # set by torchrun
        return None
    return run_notebook(config)


def run_without_page(config: RunConfig) -> Record | None:
    """Do one run in this process, without a notebook, unless the run is finished, and return its record.

    Under torchrun all processes do the run together, and only the first one returns the record. Raises what
    `pipeline.run` raises.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        resolved = config.resolved()
        check_encoder(resolved)
        folder = run_folder(resolved, run_checksums(resolved))
        if record := finished_record(folder, with_model=resolved.keep_checkpoint):
            return record
        _say_what_is_wrong(folder)
    from stilts_core.runs import pipeline  # imports PyTorch: not for a finished run
    from stilts_core.training import distributed

    with distributed.process_group():
        record = pipeline.run(config)
        return record if distributed.rank() == 0 else None


def run_notebook(config: RunConfig) -> Record:
    """Execute the pair notebook for `config`, unless the run is finished, and return its record.

    The run takes place in the notebook's kernel; this process shows its progress on standard error. Of several
    processes that do the same run, one executes the notebook, and the others wait. Raises RunError where the notebook
    fails; `unfinished.ipynb` then shows where.
    """
    resolved = config.resolved()
    check_encoder(resolved)
    folder = run_folder(resolved, run_checksums(resolved))
    if record := _finished(folder, resolved):
        return record
    with lock_on(folder / EXECUTED):
        if record := _finished(folder, resolved):
            return record
        _say_what_is_wrong(folder)
        unfinished = folder / UNFINISHED
        _execute(config, unfinished)
        unfinished.replace(folder / EXECUTED)  # at once: a killed process leaves one of the two
        return verify_record(folder)


def _finished(folder: Path, config: ResolvedConfig) -> Record | None:
    """The record of a run whose notebook has been executed; None if the run or its notebook is not finished."""
    if not (folder / EXECUTED).exists():
        return None
    return finished_record(folder, with_model=config.keep_checkpoint)


def _say_what_is_wrong(folder: Path) -> None:
    """Say why a run that has a record is done again, if it is."""
    try:
        verify_record(folder)
    except FileNotFoundError:
        return
    except RecordError as error:
        reason = str(error).removesuffix(REMEDY)
        sys.stderr.write(f"The run is done again: {reason}.\n")


def _execute(config: RunConfig, output: Path) -> None:
    from stilts_core.notebooks.execution import execute_notebook  # imports papermill: 0.5 s, not for a finished run

    terminal = None if config.quiet else _progress_file()
    defaults = RunConfig().to_dict() | {"quiet": None}  # the notebook's own default is quiet
    parameters = {name: value for name, value in config.to_dict().items() if value != defaults[name]}
    with environment({PROGRESS_VARIABLE: terminal} if terminal else {}):
        execute_notebook(notebook_path("pair"), output, parameters)


def _progress_file() -> str | None:
    """The file through which a kernel writes to this process's standard error; None where the system has none."""
    if sys.stderr.isatty():
        with suppress(OSError):  # a container may have the terminal without its file
            return os.ttyname(2)
    file = f"/proc/{os.getpid()}/fd/2"
    if not os.path.exists(file):
        return None
    # The kernel appends to a log; without this flag this process would overwrite the kernel's lines.
    fcntl.fcntl(2, fcntl.F_SETFL, fcntl.fcntl(2, fcntl.F_GETFL) | os.O_APPEND)
    return file
