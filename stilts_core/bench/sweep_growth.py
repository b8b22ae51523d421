"""How the cost of a sweep grows with its runs: planning, locking, computing, and the report over the records."""

import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from stilts_core.bench.figures import Entry, MeasuredFigures, fit_exponent
from stilts_core.bench.measurement import Options, report_progress
from stilts_core.bench.startup import STILTS, run_command
from stilts_core.bench.workloads import ALONE, MEASURES, Workload
from stilts_core.runs.encoders import resolve_encoder
from stilts_core.runs.record import Record, find_records, write_record
from stilts_core.storage.locks import lock_on

PROFILE = "lab"
PLANNED = 5  # planned runs for each one that is computed
ROWS = ("none", "ccg")  # of the grid, which has a run in each of them for each seed
RUNS = ["--profile", PROFILE, "--intermediate", ",".join(ROWS), "--target", "udpos", "--languages", "en"]
SMALLEST = [
    *("--intermediate-examples", "64", "--target-examples", "64", "--dev-examples", "16", "--test-examples", "16"),
    *("--device", "cpu"),
]

Points = Sequence[tuple[int, float]]  # (runs, processor seconds)


def measure_sweep(workload: Workload, options: Options) -> MeasuredFigures:
    """The points and the exponent of every curve, and what a further run costs at its end, as a multiple of its start.

    `workload.examples` is the largest number of runs that are computed, each time from nothing, and of records that are
    reported; PLANNED times as many are planned and locked. Commands are measured as a user gives them, with their
    start, in processor seconds, which do not depend on what else the machine does.
    """
    resolve_encoder(PROFILE)  # its pretraining is no part of the sweep
    computed = split_in_four(workload.examples)
    planned = [PLANNED * runs for runs in computed]
    with tempfile.TemporaryDirectory(prefix="stilts-bench-") as name:
        folder = Path(name)
        curves = {
            "planning": _measure("planning", planned, lambda runs: plan_runs(runs, folder / "planned")),
            "locking": _measure("locking", planned, lambda runs: lock_runs(runs, folder / "locked")),
            "computing": _measure("computing", computed, lambda runs: sweep_runs(runs, folder / f"computed-{runs}")),
        }
        records = find_records(folder / f"computed-{computed[-1]}", PROFILE)
        for runs in computed:
            copy_records(records, runs, folder / f"records-{runs}")
        curves["reporting"] = _measure(
            "reporting", computed, lambda runs: report_runs(folder / f"records-{runs}", folder / f"book-{runs}")
        )
    return build_figures(curves)


def split_in_four(runs: int) -> list[int]:
    """A quarter, a half and all of the runs, each of them a whole number of seeds."""
    return [len(ROWS) * max(1, runs // part // len(ROWS)) for part in (4, 2, 1)]


def build_figures(curves: dict[str, Points]) -> MeasuredFigures:
    """The figures of the curves. The cost of a further run needs three points."""
    result: MeasuredFigures = {}
    for name, points in curves.items():
        if not all(seconds > 0 for _, seconds in points):  # too small to be measured
            report_progress(
                f"sweep: {name} is left out; its processor seconds are {[seconds for _, seconds in points]}"
            )
            continue
        curve: list[list[float]] = [[runs, seconds] for runs, seconds in points]
        entry: Entry = {"unit": MEASURES[name].unit, "points": curve, "exponent": fit_exponent(curve)}
        result[name] = {ALONE: entry}
        if ratio := compare_increments(points):
            result[f"{name}_increment"] = {ALONE: {"unit": MEASURES[f"{name}_increment"].unit, "ours": [ratio]}}
    return result


def compare_increments(points: Points) -> float | None:
    """The seconds of a further run between the last two points, divided by those between the first two.

    It is 1 for a cost that grows linearly, whatever its start costs. None if the first ones cannot be measured.
    """
    (first, a), (second, b), (third, c) = points
    early, late = (b - a) / (second - first), (c - b) / (third - second)
    return late / early if early > 0 else None


def plan_runs(runs: int, folder: Path) -> None:
    """Plan so many runs of a grid, and let Snakemake check the plan."""
    run_command([*STILTS, "sweep", "--dry-run", *RUNS, *_seeds(runs), "--runs-dir", str(folder)])


def sweep_runs(runs: int, folder: Path) -> None:
    """Do so many runs of a grid, with records only."""
    run_command([*STILTS, "sweep", "--no-page", *RUNS, *SMALLEST, *_seeds(runs), "--runs-dir", str(folder)])


def lock_runs(runs: int, folder: Path) -> None:
    """Take and release the lock of so many runs in one folder."""
    for number in range(runs):
        with lock_on(folder / f"{runs}-{number}"):
            pass


def report_runs(runs_dir: Path, book: Path) -> None:
    """Write the pages of all records in `runs_dir` to a new book."""
    book.mkdir()
    run_command([*STILTS, "report", "--profile", PROFILE, "--runs-dir", str(runs_dir), "--book-dir", str(book)])


def copy_records(records: Sequence[Record], runs: int, runs_dir: Path) -> None:
    """Write the records of so many runs: those of `records` in turn, each time with another seed and name."""
    for number in range(runs):
        record, seed = records[number % len(records)], number // len(records)
        name = f"{record.run_id}-{seed}"
        config = record.config.from_dict(record.config.to_dict() | {"seed": 1000 * seed + record.seed})
        write_record(runs_dir / PROFILE / name, record.model_copy(update={"run_id": name, "config": config}))


def _seeds(runs: int) -> list[str]:
    return ["--seeds", ",".join(map(str, range(runs // len(ROWS))))]


def _measure(name: str, sizes: Sequence[int], call: Callable[[int], None]) -> Points:
    """The processor seconds of `call`, and of the commands that it starts, by number of runs."""
    points: list[tuple[int, float]] = []
    for runs in sizes:
        before = sum(os.times()[:4])
        call(runs)
        points.append((runs, sum(os.times()[:4]) - before))
        report_progress(f"{name}, {runs} runs: {points[-1][1]:.2f} s")
    return points
