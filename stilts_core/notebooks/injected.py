"""The parameters that papermill injects into a notebook, read inside its kernel."""

import ast
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from stilts_core.config import RunConfig

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

    Raises ConfigError for an injected parameter that is no field of a run: papermill only warns, and the run would be
    another one than the user asked for.
    """
    names = [*(field.name for field in fields(RunConfig)), *injected_names(namespace.get("In", ()))]
    return RunConfig.from_dict({name: namespace.get(name) for name in names})


def injected_names(sources: Sequence[str]) -> list[str]:
    """The variables that papermill's cell assigns, from the sources of the cells that a kernel has executed."""
    names: list[str] = []
    for source in sources:
        if source.startswith(COMMENT):
            with suppress(SyntaxError):  # a reader's own cell, with IPython's magic
                assigned = [node for node in ast.parse(source).body if isinstance(node, ast.Assign)]
                names += [target.id for node in assigned for target in node.targets if isinstance(target, ast.Name)]
    return names
