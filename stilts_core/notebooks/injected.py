"""The parameters that papermill injects into a notebook, checked inside its kernel.

papermill only warns of a parameter that the notebook does not have, and its default engine starts whatever kernel
`python3` JUPYTER_PATH holds. Both would be another computation than the one that the user asked for.
"""

import ast
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from stilts_core.config import RunConfig
from stilts_core.errors import ConfigError, RunError, suggestion

if TYPE_CHECKING:
    from stilts_core.runs.record import Record

COMMENT = "# Parameters"  # the first line of the cell that papermill injects


def run_with_parameters(namespace: Mapping[str, Any]) -> "Record":
    """Do the run that a notebook's variables describe (its `globals()`), and return its record."""
    config = read_config(namespace)
    from stilts_core.runs.pipeline import run  # imports torch: seconds, which a wrong parameter need not wait for

    return run(config)


def read_config(namespace: Mapping[str, Any]) -> RunConfig:
    """The configuration whose fields are the variables of a notebook.

    Raises ConfigError for an injected parameter that is no field of a run.
    """
    names = [*(field.name for field in fields(RunConfig)), *injected_names(namespace.get("In", ()))]
    return RunConfig.from_dict({name: namespace.get(name) for name in names})


def check_lesson(namespace: Mapping[str, Any]) -> None:
    """Check a lesson in its kernel, given its `globals()`, before anything long begins.

    Raises RunError in another environment than papermill's, and ConfigError for an injected parameter that no earlier
    cell of the lesson assigns.
    """
    if (prefix := os.environ.get("STILTS_PREFIX", sys.prefix)) != sys.prefix:
        raise RunError(
            f"this notebook's kernel runs {sys.executable}, and papermill runs in {prefix}; use `papermill --engine "
            "stilts` or `stilts lessons`, which start the kernel of their own interpreter"
        )
    sources = namespace.get("In", ())
    known = _assigned_names(source for source in sources if not source.startswith(COMMENT))
    for name in injected_names(sources):
        if name not in known:
            raise ConfigError(
                f"unknown parameter {name!r}{suggestion(name, known)}; the cell above lists the parameters of this "
                "notebook"
            )


def injected_names(sources: Sequence[str]) -> list[str]:
    """The variables that papermill's cell assigns, from the sources of the cells that a kernel has executed."""
    return _assigned_names(source for source in sources if source.startswith(COMMENT))


def _assigned_names(sources: Iterable[str]) -> list[str]:
    names: list[str] = []
    for source in sources:
        with suppress(SyntaxError):  # a reader's own cell, with IPython's magic
            assigned = [node for node in ast.parse(source).body if isinstance(node, ast.Assign)]
            names += [target.id for node in assigned for target in node.targets if isinstance(target, ast.Name)]
    return names
