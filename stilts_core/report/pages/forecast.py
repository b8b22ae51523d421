"""The section "What the paper's grid costs" of the page "Cost": a forecast for several numbers of GPUs."""

import re
from dataclasses import replace
from pathlib import Path

from stilts_core.config import RunConfig
from stilts_core.report.tables.html import format_power, markdown_table
from stilts_core.workflow.forecast.cost import GridCost, describe_kinds, forecast_grid
from stilts_core.workflow.forecast.description import (
    CHEAPER,
    FEWER_ROWS,
    WORKERS,
    format_bytes,
    format_hours,
)
from stilts_core.workflow.forecast.needs import disk_of, training_memory
from stilts_core.workflow.forecast.rates import ASSUMED_BANDWIDTH, ASSUMED_TFLOPS, Rate, choose_rate
from stilts_core.workflow.plan import ROWS, TARGETS, grid

PROFILE = "paper"
SEEDS = (0, 1, 2)  # an interval over seeds needs three
ONE_SEED = "none: one seed"


def build_section(bench: Path) -> str:
    """The section as MyST; it needs no run and no data. The rate is that of the benchmark, if it has one of a GPU."""
    rate = choose_rate(RunConfig(profile=PROFILE).resolved(), bench=bench)
    if rate is None:
        raise ValueError("the encoder of the paper is planned on GPUs, for which there is always a rate")
    costs = _costs()
    whole, first = costs[ONE_SEED], RunConfig(profile=PROFILE).resolved()
    memory, disk = training_memory(first, whole.sizes, rate.worker), disk_of(whole, [first])
    longest = whole.longest_chain(rate)
    chain = format_hours(sum(rate.seconds(job.work) for job in longest) / 3600)
    return "\n\n".join(
        [
            "## What the paper's grid costs",
            f"This forecast needs no run and no data. The grid of the profile `{PROFILE}` with one seed has "
            f"{describe_kinds(whole)}; an intermediate checkpoint is counted once, however many pairs share it. Its "
            f"arithmetic is {format_power(whole.work.flops)} floating-point operations. The same forecast for any "
            f"grid, with the request to Slurm, is printed by `stilts plan --profile {PROFILE}` and the options of "
            "`stilts sweep`.",
            _explain_rate(rate),
            _table(costs, rate),
            f"In each cell the first time is that of perfect packing, and the second is the most that a scheduler can "
            "take that leaves no GPU idle while a job is ready. No number of GPUs makes a grid faster than its longest "
            f"chain of jobs: with one seed {chain}, for {', then '.join(job.title for job in longest)}. "
            "Waiting in the queue of a cluster is not counted.",
            f"A training step takes at most {format_bytes(memory)} of a GPU's memory. The disk needs at most "
            f"{format_bytes(disk.lasting)}, of which {format_bytes(disk.checkpoints)} are checkpoints, and "
            f"{format_bytes(disk.unfinished)} for each job that is running; the publishers' data are not counted.",
            "\n".join(f"- {_mark_options(note)}" for note in (*whole.work.unknown, *whole.work.assumed)),
        ]
    )


def _mark_options(note: str) -> str:
    """A sentence with its options as code, whose hyphens stay hyphens."""
    return re.sub(r"--[a-z-]+", r"`\g<0>`", note)


def _costs() -> dict[str, GridCost]:
    """The whole grid and smaller ones, by the options that make them."""
    base, one = RunConfig(profile=PROFILE), SEEDS[:1]
    cheaper = {
        options: forecast_grid(grid(replace(base, **values), ROWS, TARGETS, one)) for options, values in CHEAPER.items()
    }
    return {
        f"--seeds {','.join(map(str, SEEDS))}": forecast_grid(grid(base, ROWS, TARGETS, SEEDS)),
        ONE_SEED: forecast_grid(grid(base, ROWS, TARGETS, one)),
        f"--intermediate {','.join(FEWER_ROWS)}": forecast_grid(grid(base, FEWER_ROWS, TARGETS, one)),
    } | cheaper


def _explain_rate(rate: Rate) -> str:
    if rate.measured:
        return f"**The rate is measured:** {rate.text}, from {rate.low / 1e12:.0f} to {rate.high / 1e12:.0f}."
    return (
        f"**The rate is assumed, not measured:** {ASSUMED_TFLOPS:.0f} TFLOP/s a GPU, about a third of the peak that is "
        f"stated for an A100 in bf16, and {1000 * rate.step_seconds:.0f} ms in which a step reads and writes "
        f"all weights and moments at {ASSUMED_BANDWIDTH / 1e12} TB/s. No benchmark of a GPU has been recorded for this "
        "book, and the time in which a GPU waits for the host is not counted; in the paper's steps of four examples it "
        f"may be longer than all the rest. `stilts plan --profile {PROFILE} --tflops 150 --step-ms 30` forecasts with "
        "other rates. `make bench` on a GPU measures them, and this page then uses what was measured."
    )


def _table(costs: dict[str, GridCost], rate: Rate) -> str:
    rows = []
    for options, cost in costs.items():
        walls = [
            " – ".join(format_hours(seconds / 3600) for seconds in cost.wall_seconds(rate, count)) for count in WORKERS
        ]
        walls[0] = walls[0].split(" – ")[0]  # one GPU does one job after the other: both bounds are equal
        name = options if options == ONE_SEED else f"`{options}`"
        rows.append([name, cost.count("pair"), cost.count("intermediate"), *walls])
    columns = [
        "options of the grid",
        "pairs",
        "shared phases",
        *(f"{count} GPU{'s' * (count > 1)}" for count in WORKERS),
    ]
    return markdown_table(columns, rows)
