"""A forecast in words: what `stilts plan` prints before anything runs."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from stilts_core.config import RunConfig
from stilts_core.tasks.catalogue import get_task
from stilts_core.workflow.forecast.cost import GridCost, describe_kinds, forecast_grid
from stilts_core.workflow.forecast.needs import disk_of, training_memory
from stilts_core.workflow.forecast.rates import BENCH, GPU, GivenRate, Rate, choose_rate, readable_runs
from stilts_core.workflow.resources import REQUESTS
from stilts_core.workflow.sweep import uses_gpu

WORKERS = (1, 8, 64)  # GPUs, or cores, at once
FEWER_EXAMPLES = 10_000  # for each task
# Settings that make any grid cheaper, by their options.
CHEAPER: dict[str, dict[str, Any]] = {
    f"--intermediate-examples {FEWER_EXAMPLES} --target-examples {FEWER_EXAMPLES}": {
        "intermediate_examples": FEWER_EXAMPLES,
        "target_examples": FEWER_EXAMPLES,
    },
    "--batch-size 32": {"batch_size": 32},
}
FEWER_ROWS = ("none", "mnli", "squad", "hellaswag")  # the paper's three best intermediate tasks, and the baseline


def describe_plan(configs: Sequence[RunConfig], given: GivenRate, book_dir: Path) -> str:
    """The forecast of a grid as text, at the rate that `choose_rate` finds in the runs' folder and in the book."""
    first = configs[0].resolved()
    rate = choose_rate(first, given, readable_runs(Path(first.runs_dir), first.profile), book_dir / "results" / BENCH)
    return describe_grid(configs, rate)


def describe_grid(configs: Sequence[RunConfig], rate: Rate | None) -> str:
    """The forecast of a grid as lines of text. Raises what `forecast_grid` raises."""
    cost, first = forecast_grid(configs), configs[0].resolved()
    worker = rate.worker if rate else GPU
    lines = [
        f"Profile {first.profile}, encoder {first.encoder} ({cost.sizes.parameters / 1e6:,.3g} million parameters):",
        f"  jobs          {describe_kinds(cost)}",
        f"  training      {cost.work.steps:,} optimiser steps; {cost.work.tokens:.2e} sub-words with scoring",
        f"  operations    {cost.work.flops:.2e} floating-point operations",
        *_time_lines(cost, rate),
        f"  memory        {format_bytes(training_memory(first, cost.sizes, worker))} at most for a training step"
        + (" of a GPU" if worker == GPU else " of a process"),
        *_disk_lines(cost, configs),
        *(_slurm_lines(cost, first.profile, rate)),
        *_notes(cost),
    ]
    if rate:
        lines += ["", "Smaller grids:", *_reduced_lines(configs, cost, rate)]
    return "\n".join(lines)


def format_hours(value: float) -> str:
    """A number of hours, rounded for a reader; less than one is given in minutes."""
    if value < 1:
        return f"{60 * value:.1f} min" if value < 1 / 6 else f"{60 * value:.0f} min"
    return f"{value:,.1f} h" if value < 100 else f"{value:,.0f} h"


def format_bytes(value: float) -> str:
    """A number of bytes, rounded for a reader."""
    return f"{value / 2**30:,.1f} GiB" if value >= 2**30 else f"{value / 2**20:,.1f} MiB"


def _time_lines(cost: GridCost, rate: Rate | None) -> list[str]:
    if rate is None:
        return ["  time          unknown: no rate was measured on a core with such an encoder; give one with --tflops"]
    total = rate.seconds(cost.work) / 3600
    lines = [f"  rate          {rate.text}"]
    if rate.low != rate.high:
        most, least = (rate._replace(flops=bound).seconds(cost.work) / 3600 for bound in (rate.low, rate.high))
        lines[0] += f", {rate.low / 1e12:.3f} to {rate.high / 1e12:.3f}"
        lines.append(
            f"  {f'{rate.worker}-hours':<13} {format_hours(total)} ({format_hours(least)} to {format_hours(most)})"
        )
    else:
        lines.append(f"  {f'{rate.worker}-hours':<13} {format_hours(total)}")
    for workers in WORKERS:
        least, most = (seconds / 3600 for seconds in cost.wall_seconds(rate, workers))
        name = f"{workers} {rate.worker}{'s' * (workers > 1)}"
        lines.append(f"  {f'on {name}':<13} {format_hours(least)} if packed perfectly, at most {format_hours(most)}")
    chain = cost.longest_chain(rate)
    length = format_hours(sum(rate.seconds(job.work) for job in chain) / 3600)
    lines.append(f"  longest chain {length}: {', then '.join(job.title for job in chain)}")
    return lines


def _disk_lines(cost: GridCost, configs: Sequence[RunConfig]) -> list[str]:
    disk = disk_of(cost, [config.resolved() for config in configs])
    parts = {
        "checkpoints": disk.checkpoints, "the encoder": disk.encoder, "records, predictions and pages": disk.runs,
    }  # fmt: skip
    listed = ", ".join(f"{name} {format_bytes(size)}" for name, size in parts.items() if size)
    return [
        f"  disk          {format_bytes(disk.lasting)} at most: {listed}, features {format_bytes(disk.features)}",
        f"                and {format_bytes(disk.unfinished)} for each running job, from which it resumes",
    ]


def _slurm_lines(cost: GridCost, profile: str, rate: Rate | None) -> list[str]:
    """The request of each kind of job, and a warning for a kind whose longest job would not end in time."""
    lines: list[str] = []
    for kind, request in REQUESTS.items():
        if not (count := cost.count(kind)):
            continue
        gpu = "1 GPU, " * (request.gpu and uses_gpu(profile))
        limit = format_hours(request.runtime / 60)
        text = f"{count} {kind} jobs: {gpu}{request.cpus} cores, {request.mem_mb:,} MB, {limit} each"
        if rate and rate.worker == GPU and (longest := cost.longest_job(kind, rate)):
            needed = rate.seconds(longest.work) / 3600
            text += f"; the longest needs {format_hours(needed)}"
            if needed > request.runtime / 60:
                text += f": pass --set-resources {kind}:runtime={round(90 * needed)} after --"
        lines.append(f"  {'' if lines else 'Slurm':<13} {text}")
    return lines


def _notes(cost: GridCost) -> list[str]:
    data = "Data: the publishers' files are not counted in the disk; their sizes are not known here."
    notes = [*cost.work.unknown, *cost.work.assumed, data]
    return ["", *(f"- {note}" for note in notes)]


def _reduced_lines(configs: Sequence[RunConfig], whole: GridCost, rate: Rate) -> list[str]:
    """One line for each smaller grid: the options that make it, and its cost."""
    lines = []
    for options, smaller in reduced_grids(configs, whole, rate):
        cost = forecast_grid(smaller)
        share = rate.seconds(cost.work) / rate.seconds(whole.work)
        if share < 1:
            spent = f"{format_hours(rate.seconds(cost.work) / 3600)} of a {rate.worker}"
            lines.append(f"  {options}\n      {cost.count('pair')} runs, {spent} ({100 * share:.0f} %)")
    return lines


def reduced_grids(configs: Sequence[RunConfig], whole: GridCost, rate: Rate) -> list[tuple[str, Sequence[RunConfig]]]:
    """Cheaper grids by the options that make them: one seed, fewer rows or targets, fewer examples, larger batches."""
    rows, targets = (list(dict.fromkeys(getattr(config, side) for config in configs)) for side in ("row", "target"))
    seeds = sorted({config.seed for config in configs})
    found: list[tuple[str, Sequence[RunConfig]]] = []
    if len(seeds) > 1:
        found.append((f"--seeds {seeds[0]}", [config for config in configs if config.seed == seeds[0]]))
    without = [row for row in rows if row != _dearest_row(whole, rate)]
    few = [row for row in FEWER_ROWS if row in rows]
    for kept in (without, few):
        if 1 < len(kept) < len(rows):
            found.append((f"--intermediate {','.join(kept)}", [config for config in configs if config.row in kept]))
    cheap = [target for target in targets if not get_task(target).trained_on]
    if 0 < len(cheap) < len(targets):
        found.append((f"--target {','.join(cheap)}", [config for config in configs if config.target in cheap]))
    for options, values in CHEAPER.items():
        found.append((options, [replace(config, **values) for config in configs]))
    return found


def _dearest_row(cost: GridCost, rate: Rate) -> str | None:
    """The row whose shared phase takes the most time."""
    longest = cost.longest_job("intermediate", rate)
    return longest.title.rsplit(", seed ", 1)[0] if longest else None
