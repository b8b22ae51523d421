"""The lessons as pages of the book."""

import json
from pathlib import Path

from stilts_core.notebooks.lessons import LESSONS, executed_lesson
from stilts_core.notebooks.paths import notebook_path
from stilts_core.report.page_writer import PageWriter

NOT_EXECUTED = (
    ":::{note}\nThis copy was not executed, so it has no numbers and no figures. To get them, run `stilts lessons`, "
    "and then `stilts report`.\n:::\n"
)


def write_pages(runs_dir: Path, writer: PageWriter) -> None:
    """Write a page for every lesson: its executed notebook, or the committed one with a note that it lacks outputs."""
    for name in LESSONS:
        executed = executed_lesson(name, runs_dir)
        source = executed if executed.exists() else notebook_path(name)
        content = json.loads(source.read_text(encoding="utf-8"))
        if not executed.exists():
            content["cells"][0]["source"] += "\n\n" + NOT_EXECUTED
        writer.write(f"lessons/{name}.ipynb", json.dumps(content, indent=1, ensure_ascii=False))
