"""The lessons, and the reruns of the book's questions, as pages of the book."""

import json
from pathlib import Path

from stilts_core.notebooks.lessons import LESSONS, RERUN, RERUNS, committed_notebook, executed_lesson
from stilts_core.notebooks.reader import READER_SIZES
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
    """Write a page for every lesson and rerun: the executed notebook, or the committed one with a note."""
    for name in (*LESSONS, *RERUNS):
        content = _build_page(name, executed_lesson(name, runs_dir), runs_dir)
        if name in RERUNS:
            chapter = writer.folder / "questions" / f"{RERUNS[name]}.md"
            _set_title(content, RERUNS[name], link=chapter.is_file())
        writer.write(f"lessons/{name}.ipynb", json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False))


def _build_page(name: str, executed: Path, runs_dir: Path) -> Notebook:
    note = NOT_EXECUTED
    if executed.exists():
        try:
            return build_notebook(read_executed(executed, runs_dir), RERUN if name in RERUNS else name)
        except UnreadableNotebook:
            note = UNREADABLE
    content = json.loads(committed_notebook(name).read_text(encoding="utf-8"))
    content["cells"][0]["source"] = "".join(content["cells"][0]["source"]) + "\n\n" + note
    return content


def _set_title(content: Notebook, study: str, *, link: bool) -> None:
    """Name the study in the title of a rerun's page, and link to its chapter."""
    committed = json.loads(committed_notebook(RERUN).read_text(encoding="utf-8"))["cells"][0]["source"]
    title = "".join(committed)
    for cell in content["cells"][:1]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown" and source.startswith(title):
            heading, text = source.split("\n", 1)
            chapter = f"\n\nThe chapter with the recorded results: [{study}](../questions/{study}.md)." * link
            cell["source"] = f"{heading.partition(' ')[0]} Rerun: {READER_SIZES[study].title}\n{text}{chapter}"
