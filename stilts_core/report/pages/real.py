"""The page "Real languages": the recorded grid on real data, read from the table of the study `grid`."""

from pathlib import Path

from stilts_core.report.analysis.grid import Grid
from stilts_core.report.analysis.kept_runs import read_kept_runs
from stilts_core.report.escape import code_span, markdown_text
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages import results, targets
from stilts_core.report.pages.grid_place import GridPlace
from stilts_core.report.pages.questions.absence import explain_absence
from stilts_core.report.pages.questions.chapter import Chapter, open_chapter
from stilts_core.report.pages.questions.protocol import build_protocol
from stilts_core.report.pages.questions.rerun import build_rerun
from stilts_core.report.pages.questions.wording import count, progress

STUDY = "grid"


def write_pages(writer: PageWriter, protocols: Path | None = None) -> None:
    """Write `generated/real.md` and a page for each target to `generated/real-targets`.

    Raises ConfigError for a wrong protocol, in the folder `protocols` if it is given.
    """
    chapter = open_chapter(STUDY, writer.folder, protocols)
    if chapter.table is None:
        writer.write("generated/real.md", f"{explain_absence(chapter)}\n")
        return
    grid = Grid(read_kept_runs(chapter.protocol, chapter.table))
    place = GridPlace(writer, lambda _: "", prefix="real-", page="real")
    for target in grid.targets:
        writer.write(f"{place.target_page(target)}.md", targets.build_page(grid, target, place.below_targets()))
    parts = [
        _introduce(grid, chapter),
        results.build_page(grid, place),
        "## How was this grid made?",
        build_protocol(chapter, {}),
        build_rerun(chapter),
        _notes(chapter),
    ]
    writer.write("generated/real.md", "\n\n".join(part.strip() for part in parts if part) + "\n")


def _introduce(grid: Grid, chapter: Chapter) -> str:
    """What was run: the encoder, the size of the grid, and how much of it is there."""
    protocol = chapter.protocol
    interim = f" {progress(chapter).capitalize()}." if chapter.is_interim else ""
    return (
        f"Encoder {', '.join(map(code_span, protocol.encoders))}: {count(len(grid.records), 'run')} in "
        f"{count(len(grid.rows), 'row')} and {count(len(grid.targets), 'column')}, with "
        f"{count(len({run.seed for run in grid.records}), 'seed')}.{interim}"
    )


def _notes(chapter: Chapter) -> str:
    """The sentences that every table of these runs must print, such as what stands in for a set."""
    notes = chapter.require_table().provenance.get("notes", ())
    return "\n".join(f"- {markdown_text(note)}" for note in notes)
