"""The book's generated pages, as MyST Markdown: what the records of one profile say, and the reference tables."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from stilts_core import lessons
from stilts_core.report import cost, pairs, reference, results, targets, transfer
from stilts_core.report.distances import LABORATORY
from stilts_core.report.failures import Failure, failures_of
from stilts_core.report.grid import Grid
from stilts_core.report.kept import encoders_of, records_of
from stilts_core.report.markup import duration, metric_name, pipe_table
from stilts_core.report.pages import Pages


def build_pages(runs_dir: Path, book_dir: Path, profile: str) -> list[Path]:
    """Write the pages of one profile to `generated`, `pairs` and `lessons` in `book_dir`, and return the files' paths.

    A file that would not change is left alone; what an earlier report wrote and this one does not is removed. Raises
    RecordError for a record that cannot be read.
    """
    records, encoders = records_of(profile, runs_dir, book_dir), encoders_of(profile, runs_dir, book_dir / "results")
    grid, pages = Grid(records), Pages(book_dir)
    failures = failures_of(profile, runs_dir)
    pairs.publish(records, runs_dir, pages)
    pairs.publish_failures(failures, pages)
    lessons.publish(runs_dir, pages)
    texts = {
        "tasks": reference.tasks(),
        "languages": reference.languages(),
        "parameters": reference.parameters(),
        "published": reference.published(),
        "results": _results(grid, profile, pages),
        "transfer": transfer.page(grid, encoders, profile, pages) if records else no_runs(profile),
        "runs": _runs(records, grid, failures, profile),
        "status": _status(records, profile),
        "cost": cost.page(book_dir / "results" / "bench.json", pages),
    }
    texts |= {
        f"targets/{target}": targets.page(grid, target, pages, lambda record: f"../../pairs/{record['run_id']}.html")
        for target in grid.targets
    }
    if profile == LABORATORY:
        from stilts_core.report import laboratory

        made, real = laboratory.overview(), texts["languages"]
        texts["languages"] = f"## The laboratory's languages\n\n{made}\n## The languages of the benchmarks\n\n{real}"
        texts |= {f"languages/{name}": text for name, text in laboratory.pages().items()}
    for name, text in texts.items():
        pages.write(f"generated/{name}.md", text)
    return pages.finish()


def no_runs(profile: str) -> str:
    """What to do where there is nothing to show."""
    return (
        f"No run of profile `{profile}` has been recorded yet: `make book PROFILE={profile}` makes its grid, "
        f"`stilts run --profile {profile}` one run, and `stilts report --profile {profile}` these pages.\n"
    )


def _results(grid: Grid, profile: str, pages: Pages) -> str:
    if not grid.records:
        return no_runs(profile)
    seeds = sorted({record["config"]["seed"] for record in grid.records})
    encoders = _distinct(record["encoder"]["name"] for record in grid.records)
    said = (
        f"Profile `{profile}`, encoder {', '.join(f'`{name}`' for name in encoders)}: {len(grid.records)} runs in "
        f"{len(grid.rows)} rows and {len(grid.targets)} columns, "
    )
    said += f"seed {seeds[0]} alone." if len(seeds) == 1 else f"seeds {', '.join(map(str, seeds))}."
    if len(seeds) == 1:
        said += " One seed cannot tell an effect from the luck of a seed: `stilts sweep --seeds 0,1,2` adds others."
    table = results.page(grid, pages, lambda record: f"pairs/{record['run_id']}.html")
    return "\n\n".join([said, table]) + "\n" + _notes(grid.records)


def _runs(records: Sequence[dict], grid: Grid, failures: Sequence[Failure], profile: str) -> str:
    failed = [[f"[{failure.title}](pairs/{failure.run_id})", failure.reason] for failure in failures]
    failed = f"\n## Runs that failed\n\n{pipe_table(['run', 'error'], failed)}" if failed else ""
    if not records:
        return no_runs(profile) + failed
    rows, apart = [], {record["run_id"] for record in grid.apart}
    titles = pairs.titles_of(records)
    for record in records:
        others = record["averages"]["non_english"]
        rows.append(
            [
                f"[{titles[record['run_id']]}](pairs/{record['run_id']})",
                record["config"]["seed"],
                metric_name(record["metric"]),
                f"{record['scores']['en']['score']:.1f}" if "en" in record["scores"] else "–",
                f"{others['score']:.1f} ({others['low']:.1f} – {others['high']:.1f})" if others else "–",
                others["languages"] if others else 0,
                "yes" if record["same_data"] else "no",
                "no" if record["run_id"] in apart else "yes",
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
    explained = (
        f"\n{len(apart)} of these runs have other parameters or languages than the rest of their column, or were "
        "repeated later: they are not in the tables of [Results](results.md).\n"
    )
    return pipe_table(columns, rows) + explained * bool(apart) + _notes(records) + failed


def _status(records: Sequence[dict], profile: str) -> str:
    if not records:
        return no_runs(profile)
    titles = pairs.titles_of(records)
    runs = [
        [
            titles[record["run_id"]],
            record["finished"],
            duration(record["cost"]["seconds"]),
            f"{record['cost']['peak_memory_bytes'] / 2**30:.2f} GiB",
            record["environment"]["device"],
        ]
        for record in records
    ]
    machines = _distinct(
        f"{machine['cpu']}, {machine['threads']} threads, {machine['device']}, {machine['platform']}"
        for machine in (record["environment"] for record in records)
    )
    versions = _distinct(
        f"{name} {version}"
        for record in records
        for name, version in ({"Python": record["environment"]["python"]} | record["environment"]["packages"]).items()
        if version
    )
    revisions = _distinct(f"`{record['environment']['git_revision']}`" for record in records)
    seconds = sum(record["cost"]["seconds"] for record in records)
    parts = [
        f"Profile `{profile}`: {len(records)} runs, {duration(seconds)} in all.",
        pipe_table(["run", "finished", "time", "peak memory", "device"], runs),
        f"**Machine:** {'; '.join(machines)}.",
        f"**Versions:** {', '.join(versions)}.",
        f"**Revision of this compendium:** {', '.join(revisions)}.",
    ]
    return "\n\n".join(parts) + "\n" + _notes(records)


def _notes(records: Sequence[dict]) -> str:
    return "".join(f"\n- {note}" for note in _distinct(note for record in records for note in record["notes"])) + "\n"


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
