"""The lessons, and the reruns of the book's questions, as pages of the book."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from stilts_core.notebooks.lessons import COST, LESSONS, RERUN, RERUNS, committed_notebook, executed_lesson
from stilts_core.notebooks.reader import READER_SIZES
from stilts_core.report.executed_notebook import Notebook, UnreadableNotebook, build_notebook, read_executed
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.tables.html import format_duration, markdown_table

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


def build_costs(runs_dir: Path, encoders: Sequence[Mapping[str, Any]]) -> str:
    """What every lesson took when it was executed, and pretraining before it, as MyST; a dash where it is not known.

    `encoders` are the records of the laboratory's pretrained encoders.
    """
    seconds = [encoder.get("seconds") for encoder in encoders if encoder.get("name") == "lab"]
    rows: list[list[object]] = [["pretraining of the encoder, once", "–", "–", _format_seconds(*seconds[:1] or [None])]]
    for name in LESSONS:
        source = _text_of(json.loads(committed_notebook(name).read_text(encoding="utf-8")))
        title = source.split("\n", 1)[0].lstrip("# ")
        exercises = len(re.findall(r"^\*\*\d+\. ", source, re.MULTILINE))
        metadata = _read_metadata(executed_lesson(name, runs_dir), runs_dir)
        papermill = metadata.get("papermill")
        wall = papermill.get("duration") if isinstance(papermill, dict) else None
        times = [_format_seconds(value) for value in (metadata.get(COST), wall)]
        rows.append([f"[{title}](lessons/{name}.ipynb)", exercises, *times])
    return markdown_table(["lesson", "exercises", "processor time", "time on the clock"], rows)


def _text_of(content: Notebook) -> str:
    """The text of a committed notebook."""
    return "\n".join("".join(cell["source"]) for cell in content["cells"] if cell["cell_type"] == "markdown")


def _read_metadata(executed: Path, runs_dir: Path) -> dict[str, Any]:
    """The metadata of an executed lesson; nothing if there is none that can be read."""
    try:
        metadata = read_executed(executed, runs_dir).get("metadata") if executed.exists() else None
    except UnreadableNotebook:
        metadata = None
    return metadata if isinstance(metadata, dict) else {}


def _format_seconds(value: object) -> str:
    return format_duration(value) if isinstance(value, int | float) and 0 < value < float("inf") else "–"


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
