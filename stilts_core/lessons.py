"""The teaching notebooks: executed by papermill once for the same notebook, code and parameters; pages of the book."""

import hashlib
import json
from pathlib import Path
from typing import TYPE_CHECKING

from stilts_core.cache import written_whole
from stilts_core.notebook_run import START_TIMEOUT, RunError
from stilts_core.pretraining import lab_identity

if TYPE_CHECKING:
    from stilts_core.report.pages import Pages

ROOT = Path(__file__).resolve().parent.parent
LESSONS = ("three_phases", "new_language")
MADE = "stilts"  # the entry of an executed notebook's metadata that says what decided it
UNEXECUTED = (
    ":::{note}\nThis copy was not executed, so that it has neither numbers nor figures: `stilts lessons` makes them, "
    "and `stilts report` puts them here.\n:::\n"
)


def notebook(name: str) -> Path:
    """The committed notebook of a lesson."""
    return ROOT / "notebooks" / f"{name}.ipynb"


def executed(name: str, runs_dir: Path) -> Path:
    """Where a lesson's executed notebook lies."""
    return runs_dir / "lab" / "lessons" / f"{name}.ipynb"


def execute(name: str, runs_dir: Path, **parameters: str | float | bool) -> bool:
    """Execute a lesson, unless its executed notebook is there already and would come out the same; True if it ran.

    Raises RunError where a cell fails; the executed notebook then shows where.
    """
    output, identity = executed(name, runs_dir), _identity(name, parameters)
    if output.exists() and json.loads(output.read_text(encoding="utf-8"))["metadata"].get(MADE) == identity:
        return False
    import papermill

    output.parent.mkdir(parents=True, exist_ok=True)
    try:
        papermill.execute_notebook(
            str(notebook(name)), str(output), parameters=parameters, progress_bar=False, start_timeout=START_TIMEOUT
        )
    except papermill.PapermillExecutionError as error:
        raise RunError(f"{error.ename}: {error.evalue}\nThe executed notebook shows where: {output}") from error
    content = json.loads(output.read_text(encoding="utf-8"))
    content["metadata"][MADE] = identity
    with written_whole(output) as part:
        part.write_text(json.dumps(content, indent=1, ensure_ascii=False), encoding="utf-8")
    return True


def publish(runs_dir: Path, pages: "Pages") -> None:
    """Put every lesson among the book's pages: its executed notebook, or the committed one, which says so."""
    for name in LESSONS:
        source = executed(name, runs_dir)
        content = json.loads((source if source.exists() else notebook(name)).read_text(encoding="utf-8"))
        if not source.exists():
            content["cells"][0]["source"] += "\n\n" + UNEXECUTED
        pages.write(f"lessons/{name}.ipynb", json.dumps(content, indent=1, ensure_ascii=False))


def _identity(name: str, parameters: dict) -> str:
    """The SHA-256 of all that decides a lesson's outputs: its notebook, the parameters, the encoder and all code."""
    digest = hashlib.sha256(json.dumps([parameters, lab_identity(0)], sort_keys=True).encode())
    for path in (notebook(name), *sorted(Path(__file__).parent.rglob("*.py"))):
        digest.update(path.read_bytes())
    return digest.hexdigest()
