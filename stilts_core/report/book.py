"""The book's generated pages, as MyST Markdown: the results of one profile, and the reference tables."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from stilts_core.config import PROFILES
from stilts_core.report.analysis.grid import Grid, grids_by_encoder
from stilts_core.report.failed_runs import find_failures
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages import (
    abstract,
    claims,
    cost,
    explorer,
    laboratory,
    lessons,
    overview,
    published,
    recorded,
    reference,
    runs,
    targets,
    transfer,
)
from stilts_core.report.pages.grid_place import GridPlace
from stilts_core.report.pages.questions import build as questions
from stilts_core.report.readable_records import alike
from stilts_core.report.recorded_results import read_encoders, read_records
from stilts_core.runs.record import Record


def build_pages(runs_dir: Path, book_dir: Path, profile: str, protocols: Path | None = None) -> list[Path]:
    """Write the pages of one profile to `generated`, `pairs` and `lessons` in `book_dir`, and return the files' paths.

    The chapters on the five questions show the studies of the protocols in `protocols` (default: as `stilts study`
    finds them) with the tables that the book keeps, whatever the profile. Unchanged files are left alone. Files of
    earlier reports that this report does not write are removed. Records that cannot be read are left out, with a line
    on standard error. Raises ConfigError for a wrong protocol, and if a symbolic link leads out of the book.
    """
    records = read_records(profile, runs_dir, book_dir)
    encoders = alike(read_encoders(profile, runs_dir, book_dir / "results"))
    failures = find_failures(profile, runs_dir)
    writer, source = PageWriter(book_dir), _find_source(records, profile)
    grids = _place_grids(records, writer)
    grid = grids[0][0] if grids else Grid([])
    target_pages = {
        run.run_id: place.target_page(run.target)
        for grid, place in grids
        for run in (*grid.records, *grid.incomparable)
    }
    runs.write_pages(records, runs_dir, writer, target_pages)
    runs.write_failure_pages(failures, writer)
    lessons.write_pages(runs_dir, writer)
    kept = recorded.read_grids(book_dir, protocols)
    pages = {
        "tasks": reference.build_tasks(),
        # Grids that the book keeps lead to the laboratory's languages, whatever the profile.
        "languages": f"## The laboratory's languages\n\n{laboratory.build_overview()}\n"
        f"## The languages of the benchmarks\n\n{reference.build_languages()}",
        **{f"languages/{name}": page for name, page in laboratory.build_pages().items()},
        "parameters": reference.build_parameters(),
        "published": published.build_page(_name_grids(profile, grids, kept), writer),
        "results": overview.build_results(grids, profile),
        "transfer": (
            transfer.build_page(grid, encoders, source, writer) if records else overview.explain_no_runs(profile)
        ),
        "runs": overview.build_runs(records, [grid for grid, _ in grids], failures, profile),
        "status": overview.build_status(records, profile),
        "teaching": lessons.build_costs(runs_dir, alike(read_encoders("lab", runs_dir, book_dir / "results"))),
        "cost": cost.build_page(book_dir / "results" / "bench.json", writer),
    }
    for name, page in pages.items():
        writer.write(f"generated/{name}.md", page)
    for placed in grids:
        targets.write_pages(*placed)
    chapters = questions.write_chapters(writer, protocols)
    grids += recorded.write_pages(writer, kept)
    writer.write("generated/explorer.md", explorer.build_page(grids, profile, writer))
    finding = claims.write_page(writer, kept)
    writer.write("generated/abstract.md", abstract.build_abstract(chapters, kept["real"].chapter, finding))
    return writer.finish()


def _place_grids(records: Sequence[Record], writer: PageWriter) -> list[tuple[Grid, GridPlace]]:
    """The grid of each encoder, the largest first, with its place on the page of the results."""
    grids = grids_by_encoder(records)
    return [
        (
            grid,
            GridPlace(
                writer,
                link=lambda run: f"pairs/{run.run_id}.html",
                prefix=f"encoder-{number}-" if number > 1 else "",
                encoder=grid.records[0].encoder_name if len(grids) > 1 else "",
            ),
        )
        for number, grid in enumerate(grids, 1)
    ]


def _name_grids(
    profile: str, grids: Sequence[tuple[Grid, GridPlace]], kept: Mapping[str, recorded.RecordedGrid]
) -> dict[str, Grid]:
    """The grids of the profile and those that the book keeps, by what the table of published results calls them."""
    own = {", ".join(filter(None, [f"profile {profile}", place.encoder])): grid for grid, place in grids}
    return own | {f"recorded grid {page}": entry.grid for page, entry in kept.items()}


def _find_source(records: Sequence[Record], profile: str) -> str:
    """The source of the data: that of the records, else that of the profile."""
    return records[0].config.data_source if records else PROFILES[profile]["source"]
