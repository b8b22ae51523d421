"""The lessons as pages of the book."""

import json
from pathlib import Path

from stilts_core.notebooks.lessons import LESSONS, executed_lesson
from stilts_core.notebooks.paths import notebook_path
from stilts_core.report.executed_notebook import Notebook, UnreadableNotebook, build_notebook, read_executed
from stilts_core.report.page_writer import PageWriter

NOT_EXECUTED = (
    ":::{note}\nThis copy was not executed, so it has no numbers and no figures. To get them, run `stilts lessons`, "
    "and then `stilts report`.\n:::\n"
)


UNREADABLE = (
    ":::{note}\nThe executed copy of this lesson cannot be read, so this page has no numbers and no figures. Run "
    "`stilts lessons` and then `stilts report`; if that does not help, delete `lab/lessons` in the folder of runs "
    "before.\n:::\n"
)


def write_pages(runs_dir: Path, writer: PageWriter) -> None:
    """Write a page for every lesson: its executed notebook, or the committed one with a note that it lacks outputs."""
    for name in LESSONS:
        content = _build_page(name, executed_lesson(name, runs_dir), runs_dir)
        writer.write(f"lessons/{name}.ipynb", json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False))


def _build_page(name: str, executed: Path, runs_dir: Path) -> Notebook:
    note = NOT_EXECUTED
    if executed.exists():
        try:
            return build_notebook(read_executed(executed, runs_dir), name)
        except UnreadableNotebook:
            note = UNREADABLE
    content = json.loads(notebook_path(name).read_text(encoding="utf-8"))
    content["cells"][0]["source"] = "".join(content["cells"][0]["source"]) + "\n\n" + note
    return content
