"""Pages of recorded grids: the tables of Results and of its targets, from the table that the book keeps of a study."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from stilts_core.config import RunConfig
from stilts_core.report.analysis.grid import Grid
from stilts_core.report.analysis.kept_runs import read_kept_runs
from stilts_core.report.analysis.learning import PhaseScores, intermediate_scores
from stilts_core.report.escape import code_span, markdown_text
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages import learning, results, targets
from stilts_core.report.pages.grid_place import GridPlace
from stilts_core.report.pages.questions.absence import explain_absence
from stilts_core.report.pages.questions.chapter import Chapter, open_chapter
from stilts_core.report.pages.questions.names import list_words
from stilts_core.report.pages.questions.protocol import describe_registration
from stilts_core.report.pages.questions.wording import answer, explain_power, progress, status_words
from stilts_core.report.tables.html import count
from stilts_core.studies.findings import Finding
from stilts_core.studies.protocol import Contrast
from stilts_core.tasks.catalogue import trains_on_same_data

# From the page of a recorded grid to the study whose table it shows.
GRIDS: Mapping[str, str] = {"real": "grid", "wide": "choice"}
CHAPTERS: Mapping[str, str] = {"choice": "questions/choice.md"}  # of studies that have one
SAME_DATA = " The task is the target's own training set, so this is no transfer between tasks."
TITLES: Mapping[str, str] = {"real": "Real languages", "wide": "Many encoders"}  # of these pages


class RecordedGrid(NamedTuple):
    """A recorded grid with its study, and the dev scores of its intermediate phases.

    The grid is empty if the study has not been run.
    """

    chapter: Chapter
    grid: Grid
    learning: Sequence[PhaseScores] = ()

    @property
    def interim(self) -> bool:
        """Whether runs are missing, so that there is no verdict yet."""
        return self.chapter.is_interim


def read_grids(book_dir: Path, protocols: Path | None = None) -> dict[str, RecordedGrid]:
    """The recorded grids by the name of their page.

    Raises ConfigError for a wrong protocol, in the folder `protocols` if it is given.
    """
    chapters = {page: open_chapter(study, book_dir, protocols) for page, study in GRIDS.items()}
    return {page: _read_grid(chapter) for page, chapter in chapters.items()}


def _read_grid(chapter: Chapter) -> RecordedGrid:
    if chapter.table is None:
        return RecordedGrid(chapter, Grid([]))
    grid = Grid(read_kept_runs(chapter.protocol, chapter.table), designed=True)
    return RecordedGrid(chapter, grid, intermediate_scores(chapter.table, grid.records))


def write_pages(writer: PageWriter, recorded: Mapping[str, RecordedGrid]) -> list[tuple[Grid, GridPlace]]:
    """Write `generated/PAGE.md` for every recorded grid, and its targets to `generated/PAGE-targets`.

    Returns the grids that have runs, with their places.
    """
    shown = []
    for page, entry in recorded.items():
        chapter, grid, _ = entry
        if grid.records:
            place = GridPlace(writer, lambda _: "", prefix=f"{page}-", page=page)
            text = _build(entry, place)
            shown.append((grid, place))
        else:
            text = explain_absence(chapter)
        writer.write(f"generated/{page}.md", f"{text}\n")
    return shown


def _build(recorded: RecordedGrid, place: GridPlace) -> str:
    """The generated part of the page, as MyST; the pages of its targets are written."""
    chapter, grid, scores = recorded
    targets.write_pages(grid, place, _findings_by_target(chapter))
    parts = [
        _introduce(grid, chapter),
        _expectations(chapter),
        learning.build_section(scores),
        results.build_page(grid, place),
        _notes(chapter),
    ]
    return "\n\n".join(part.strip() for part in parts if part)


def _introduce(grid: Grid, chapter: Chapter) -> str:
    """What was run: the encoders, the size of the grid, and how much of it is there."""
    names = list(dict.fromkeys(run.encoder_name for run in grid.records))
    encoders = f"encoder{'s' * (len(names) > 1)} {list_words(map(code_span, names))}"
    interim = f" {progress(chapter).capitalize()}." if chapter.is_interim else ""
    return (
        f"Profile {code_span(grid.records[0].profile)}, {encoders}: {count(len(grid.records), 'run')} in "
        f"{count(len(grid.rows), 'row')} and {count(len(grid.targets), 'column')}, with "
        f"{count(len({run.seed for run in grid.records}), 'seed')}.{interim}"
    )


def _expectations(chapter: Chapter) -> str:
    """What was expected of the grid before its runs, and what came; a grid whose study has a chapter links to it."""
    if chapter.name in CHAPTERS:
        return f"[A chapter of its own]({CHAPTERS[chapter.name]}) says what was asked of these runs, and what came."
    found = [f"- {_describe_finding(chapter, contrast, finding)}" for contrast, finding in chapter.pairs]
    parts = [
        "## What was expected, and what came",
        f"**Hypothesis.** {markdown_text(chapter.protocol.hypothesis)}",
        describe_registration(chapter),
        "\n".join(found) or explain_absence(chapter),
    ]
    if primary := chapter.primary:
        power = explain_power(primary, chapter.protocol.primary.direction, final=not chapter.is_interim)
        parts.append(
            f"The first of these contrasts is the primary one. {markdown_text(power)} The tables below are "
            "corrected over all their differences, so a contrast that is supported here need not be clear there."
        )
    return "\n\n".join(parts)


def _findings_by_target(chapter: Chapter) -> dict[str, list[str]]:
    """The findings of registered contrasts by target, as MyST; none of a grid whose study has a chapter of its own."""
    found: dict[str, list[str]] = {}
    for contrast, finding in chapter.pairs if chapter.name not in CHAPTERS else ():
        found.setdefault(contrast.target, []).append(_describe_finding(chapter, contrast, finding))
    return found


def _describe_finding(chapter: Chapter, contrast: Contrast, finding: Finding) -> str:
    """A finding in a sentence with its status, and a warning where the task is the target's own training set."""
    words = f"{markdown_text(answer(chapter, contrast, finding))} {status_words(chapter, finding)}"
    return words + SAME_DATA * _has_own_data(chapter, contrast)


def _has_own_data(chapter: Chapter, contrast: Contrast) -> bool:
    """Whether a task of the treatment is the target's own training set."""
    cells = chapter.study.design.cells
    config = next(cell.config for cell in cells if (cell.arm, cell.target) == (contrast.treatment, contrast.target))
    return trains_on_same_data(contrast.target, RunConfig.from_dict(dict(config)).resolved().intermediate_tasks)


def _notes(chapter: Chapter) -> str:
    """The sentences that every table of these runs must print, such as what stands in for a set."""
    notes = chapter.require_table().provenance.get("notes", ())
    return "\n".join(f"- {markdown_text(note)}" for note in notes)
