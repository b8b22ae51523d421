"""Overview pages of a profile, as MyST: "Results" with its introduction, the list of runs, and "Status"."""

from collections.abc import Iterable, Sequence

from stilts_core.report.analysis.grid import Grid
from stilts_core.report.analysis.grid_run import GridRun
from stilts_core.report.escape import code_span, markdown_text
from stilts_core.report.failed_runs import Failure
from stilts_core.report.pages import results
from stilts_core.report.pages.grid_place import GridPlace
from stilts_core.report.pages.runs import unique_titles
from stilts_core.report.tables.html import count, format_duration, markdown_table, metric_name, minute
from stilts_core.runs.record import Record


def explain_no_runs(profile: str) -> str:
    """The content of a page without any record: the commands that make records."""
    return (
        f"No run of profile `{profile}` has been recorded yet. `stilts run --profile {profile}` does one run, `stilts "
        f"sweep --profile {profile}` the whole grid, and `stilts report --profile {profile}` then fills this page.\n"
    )


def build_results(grids: Sequence[tuple[Grid, GridPlace]], profile: str) -> str:
    """The page "Results": the first grid with its tables and figures, then the main table of every other encoder."""
    if not grids:
        return explain_no_runs(profile)
    (grid, place), *others = grids
    parts = [_introduce(grid, profile), results.build_page(grid, place)]
    if others:
        parts.append("## And with other encoders?")
    for grid, place in others:
        parts += [f"**{code_span(place.encoder)}**", _introduce(grid, profile), results.build_main_table(grid, place)]
    return "\n\n".join([*parts, _notes(record for grid, _ in grids for record in grid.records)])


def _introduce(grid: Grid, profile: str) -> str:
    """The encoders, and the number of runs and seeds."""
    seeds = sorted({record.seed for record in grid.records})
    encoders = _distinct(code_span(record.encoder_name) for record in grid.records)
    introduction = (
        f"Profile `{profile}`, encoder {', '.join(encoders)}: {len(grid.records)} runs in {len(grid.rows)} rows and "
        f"{len(grid.targets)} columns, "
    )
    if len(seeds) == 1:
        return introduction + (
            f"seed {seeds[0]} only. One seed cannot distinguish an effect from chance: `stilts sweep --profile "
            f"{profile} --seeds 0,1,2` adds other seeds."
        )
    return f"{introduction}seeds {', '.join(map(str, seeds))}."


def build_runs(records: Sequence[Record], grids: Iterable[Grid], failures: Sequence[Failure], profile: str) -> str:
    """The list of runs with links to their pages, and the runs that failed."""
    failed = _failed_runs(failures)
    if not records:
        return explain_no_runs(profile) + failed
    titles = unique_titles(records)
    incomparable = {record.run_id for grid in grids for record in grid.incomparable}
    rows = []
    for record in records:
        others = record.averages.non_english
        rows.append(
            [
                f"[{markdown_text(titles[record.run_id])}](pairs/{record.run_id})",
                record.seed,
                markdown_text(metric_name(record.metric)),
                f"{record.scores['en'].score:.1f}" if "en" in record.scores else "–",
                f"{others.score:.1f} ({others.low:.1f} – {others.high:.1f})" if others else "–",
                others.languages if others else 0,
                "yes" if record.same_data else "no",
                "no" if record.run_id in incomparable else "yes",
            ]
        )
    columns = [
        "run",
        "seed",
        "metric",
        "English",
        "mean without English (95 %)",
        "languages",
        "same data",
        "in Results",
    ]
    explanation = (
        f"\n{len(incomparable)} of these runs have other parameters or languages than the rest of their column, or "
        "were repeated later. They are not in the tables of [Results](results.md).\n"
    )
    return markdown_table(columns, rows) + explanation * bool(incomparable) + _notes(records) + failed


def build_status(records: Sequence[Record], profile: str) -> str:
    """The page "Status": the runs with their cost, and the machines, versions and revisions behind them."""
    if not records:
        return explain_no_runs(profile)
    titles = unique_titles(records)
    rows = [
        [
            markdown_text(titles[record.run_id]),
            markdown_text(minute(record.finished)),
            format_duration(record.cost.seconds),
            f"{record.cost.peak_memory_bytes / 2**30:.2f} GiB",
            markdown_text(record.environment.device),
        ]
        for record in records
    ]
    environments = [record.environment for record in records]
    machines = _distinct(
        markdown_text(f"{machine.cpu}, {count(machine.threads, 'thread')}, {machine.device}, {machine.platform}")
        for machine in environments
    )
    versions = _distinct(
        markdown_text(f"{name} {version}")
        for environment in environments
        for name, version in ({"Python": environment.python} | environment.packages).items()
        if version
    )
    revisions = _distinct(code_span(environment.git_revision) for environment in environments)
    seconds = sum(record.cost.seconds for record in records)
    parts = [
        f"Profile `{profile}`: {len(records)} runs, {format_duration(seconds)} in all.",
        markdown_table(["run", "finished (UTC)", "time", "peak memory", "device"], rows),
        f"**Machine:** {'; '.join(machines)}.",
        f"**Versions:** {', '.join(versions)}.",
        f"**Revision of this compendium:** {', '.join(revisions)}.",
    ]
    return "\n\n".join(parts) + "\n" + _notes(records)


def _failed_runs(failures: Sequence[Failure]) -> str:
    if not failures:
        return ""
    rows = [
        [f"[{markdown_text(failure.title)}](pairs/{failure.run_id})", markdown_text(failure.reason)]
        for failure in failures
    ]
    return f"\n## Runs that failed\n\n{markdown_table(['run', 'error'], rows)}"


def _notes(records: Iterable[GridRun]) -> str:
    """The notes of all records, each once, as a list."""
    return (
        "".join(f"\n- {markdown_text(note)}" for note in _distinct(note for record in records for note in record.notes))
        + "\n"
    )


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
