"""Executing a notebook through papermill with our engine, into an output file that is always whole."""

from collections.abc import Mapping
from pathlib import Path

import papermill
from nbclient.exceptions import DeadKernelError
from papermill.iorw import papermill_io

from stilts_core.errors import LESS_MEMORY, RunError, explain, peak_memory
from stilts_core.storage.atomic import write_whole

SCHEME = "whole://"
ENGINE = "stilts"  # the name of IpcEngine in pyproject.toml's entry points
START_TIMEOUT = 600  # seconds until a kernel must answer: on a busy file system papermill's 60 were too few

Parameter = str | int | float | bool | None


class WholeFileHandler:
    """papermill's handler for output paths that begin with `whole://`: a reader never sees a part of a notebook.

    papermill saves the notebook before and after each cell, at its end and once more where a cell failed.
    """

    def write(self, text: str, path: str) -> None:
        """Write a notebook to `path`."""
        # A pair notebook is saved some 45 times: 0.7 ms each, and 8.7 ms each if every save waited for the disk.
        write_whole(Path(path.removeprefix(SCHEME)), text, durable=False)

    def pretty_path(self, path: str) -> str:
        """Return the path as papermill's log shows it."""
        return path.removeprefix(SCHEME)


# A scheme is papermill's own way to add a kind of output. Paths without the scheme keep papermill's handlers.
papermill_io.register(SCHEME, WholeFileHandler())


def execute_notebook(source: Path, output: Path, parameters: Mapping[str, Parameter]) -> None:
    """Execute the notebook `source` with these parameters; `output` shows each cell as soon as it has run.

    Raises RunError where a cell fails or the kernel dies; `output` then shows where.
    """
    shown = f"\nThe executed notebook shows where: {output}"
    try:
        papermill.execute_notebook(
            _literal(source),
            f"{SCHEME}{_literal(output.absolute())}",
            parameters=dict(parameters),
            engine_name=ENGINE,
            progress_bar=False,
            start_timeout=START_TIMEOUT,
        )
    except papermill.PapermillExecutionError as error:
        raise RunError(explain(error.ename, error.evalue) + shown) from error
    except DeadKernelError as error:
        raise RunError(
            f"the notebook's kernel was killed{peak_memory()}, usually because memory ran out. {LESS_MEMORY}{shown}"
        ) from error


def _literal(path: Path) -> str:
    """The path as papermill reads it: papermill formats paths with the parameters, so braces are doubled."""
    return str(path).replace("{", "{{").replace("}", "}}")
