"""The teaching notebooks: each is executed once for the same notebook, code, encoder and parameters."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from stilts_core.notebooks.paths import notebook_path
from stilts_core.pretraining.recipe import lab_identity
from stilts_core.storage.atomic import write_whole

if TYPE_CHECKING:
    from stilts_core.notebooks.execution import Parameter

PACKAGE = Path(__file__).resolve().parents[1]
LESSONS = ("three_phases", "new_language")
IDENTITY = "stilts"  # the metadata entry of an executed lesson that holds the hash of all that decides its outputs


def executed_lesson(name: str, runs_dir: Path) -> Path:
    """Return the path of a lesson's executed notebook, whether or not it exists."""
    return runs_dir / "lab" / "lessons" / f"{name}.ipynb"


def execute_lesson(name: str, runs_dir: Path, **parameters: "Parameter") -> bool:
    """Execute a lesson, unless its executed notebook is up to date; True if the lesson was executed.

    Raises RunError where a cell fails; the executed notebook then shows where.
    """
    output, identity = executed_lesson(name, runs_dir), _identity(name, parameters)
    if output.exists() and _recorded_identity(output) == identity:
        return False
    from stilts_core.notebooks.execution import execute_notebook  # imports papermill: 0.5 s

    execute_notebook(notebook_path(name), output, parameters)
    content = _read(output)
    content["metadata"][IDENTITY] = identity
    write_whole(output, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False))
    return True


def _recorded_identity(notebook: Path) -> str | None:
    """The identity in an executed lesson; None for one that is damaged, which is executed again."""
    try:
        return _read(notebook)["metadata"].get(IDENTITY)
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
        return None


def _read(notebook: Path) -> dict:
    return json.loads(notebook.read_text(encoding="utf-8"))


def _identity(name: str, parameters: Mapping[str, "Parameter"]) -> str:
    """The SHA-256 of all that decides a lesson's outputs: its notebook, the parameters, the encoder and all code."""
    digest = hashlib.sha256(json.dumps([parameters, lab_identity(0)], sort_keys=True, allow_nan=False).encode())
    for path in (notebook_path(name), *sorted(PACKAGE.rglob("*.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()
