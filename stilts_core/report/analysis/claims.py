"""The claims of the paper, and what a grid says about each: an estimate with its interval, and whether it agrees."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from stilts_core.report.analysis.grid import Grid
from stilts_core.report.analysis.measurement import Measurement
from stilts_core.report.analysis.multiplicity import correct
from stilts_core.report.analysis.replicates import Replicates, average_parts, compare
from stilts_core.report.analysis.selection import best_on_dev
from stilts_core.tasks.catalogue import INTERMEDIATE_TASKS, get_task

Verdict = Literal["agrees", "disagrees", "cannot tell", "not tested", "pending"]
Measure = Callable[[Grid], Replicates]
NEGLIGIBLE = 1.0  # points: a claim of no benefit agrees with an interval that ends below this


@dataclass(frozen=True)
class ClaimPart:
    """One number that a claim is about: what it is, in words, and its paired differences in a grid.

    `paper` is the paper's own number in points, as its abstract states it (None: it states none). `benefit` is what
    the claim says: True for a gain, False for none. `rows` are the rows of the grid that it is about.
    `targets` are those of a mean over the nine tasks, which one task could dominate.
    """

    claim: int
    words: str
    measure: Measure
    paper: float | None = None
    benefit: bool = True
    rows: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()


@dataclass(frozen=True)
class ClaimEstimate:
    """What a grid says about a part; no value where it was not tested; pending while runs of it are missing."""

    value: Measurement | None
    verdict: Verdict


def average_gain(row: str) -> Measure:
    """The mean difference of a row from the baseline, over its counted targets, by replicate."""
    return lambda grid: _mean([grid.paired(row, target) for target in grid.counted_targets(row)])


def gain_on(target: str, tasks: Collection[str] = INTERMEDIATE_TASKS) -> Measure:
    """The mean difference of the paper's nine tasks, or of some, from the baseline on one target, by replicate."""

    def measure(grid: Grid) -> Replicates:
        cells = [cell for row in tasks if (cell := grid.cells.get((row, target))) and not cell.same_data]
        return _mean([grid.paired(cell.row, target) for cell in cells])

    return measure


def mean_gain_on(*targets: str, tasks: Collection[str] = INTERMEDIATE_TASKS) -> Measure:
    """The mean of `gain_on` over those targets that a grid has."""
    return lambda grid: _mean([part for target in targets if (part := gain_on(target, tasks)(grid))])


def without_most_influential(grid: Grid, *targets: str) -> tuple[str, Measurement] | None:
    """The task without which `mean_gain_on` changes most, and its value without it; None if a grid cannot tell."""
    whole = compare(mean_gain_on(*targets)(grid))
    others = {
        left_out: compare(mean_gain_on(*targets, tasks=[task for task in INTERMEDIATE_TASKS if task != left_out])(grid))
        for left_out in INTERMEDIATE_TASKS
    }
    known = {task: value for task, value in others.items() if value}
    if whole is None or not known:
        return None
    task = max(known, key=lambda task: abs(known[task].value - whole.value))
    return task, known[task]


def gain_of_choice(grid: Grid) -> Replicates:
    """The mean over XTREME's targets of the gain of the row that English dev scores choose, by replicate.

    The other encoders (or the other seeds of a single one) choose the row for a replicate: if its own runs did, their
    luck would count as a gain of the choice.
    """
    targets = [name for name in grid.targets if "xtreme" in get_task(name).languages]
    parts = [_gain_of_choice_on(grid, target) for target in targets]
    return _mean(parts)


def _gain_of_choice_on(grid: Grid, target: str) -> Replicates:
    replicates = {key for row in grid.rows if (row, target) in grid.cells for key in grid.paired(row, target)}
    several = len({encoder for _, encoder in replicates}) > 1
    gains = {}
    for key in sorted(replicates):
        left_out = [other for other in replicates if other[several] == key[several]]
        cell = best_on_dev(grid, target, left_out)
        if cell and key in (paired := grid.paired(cell.row, target)):
            gains[key] = paired[key]
    return gains


def row_minus_row(treatment: str, control: str) -> Measure:
    """The mean difference between two rows over the targets that count for both, by replicate."""

    def measure(grid: Grid) -> Replicates:
        both = [name for name in grid.counted_targets(treatment) if name in grid.counted_targets(control)]
        ours, theirs = ([grid.paired(row, target) for target in both] for row in (treatment, control))
        if not both:
            return {}
        first, second = average_parts(ours), average_parts(theirs)
        return {key: first[key] - second[key] for key in first.keys() & second.keys()}

    return measure


def judge_claims(
    parts: Sequence[ClaimPart], grids: Mapping[str, Grid], interim: Collection[str] = ()
) -> dict[tuple[str, ClaimPart], ClaimEstimate]:
    """Return what each grid says about each part, with Holm's correction over all of them together.

    The estimates of grids in `interim`, whose runs are not complete, are pending: they are in no test.
    """
    values = {(name, part): compare(part.measure(grid)) for name, grid in grids.items() for part in parts}
    family = correct({key: value for key, value in values.items() if value and key[0] not in interim})
    return {
        (name, part): ClaimEstimate(
            value, "pending" if value and name in interim else _judge(part, value, clear=family.is_clear((name, part)))
        )
        for (name, part), value in values.items()
    }


def _judge(part: ClaimPart, value: Measurement | None, *, clear: bool) -> Verdict:
    """A gain agrees if it is clearly positive; no benefit agrees if the interval ends below NEGLIGIBLE."""
    if value is None:
        return "not tested"
    if value.p is None:  # a single replicate
        return "cannot tell"
    if part.benefit:
        return ("agrees" if value.value > 0 else "disagrees") if clear else "cannot tell"
    if clear and value.value > 0:
        return "disagrees"
    return "agrees" if value.interval[1] < NEGLIGIBLE else "cannot tell"


def _mean(parts: Sequence[Replicates]) -> Replicates:
    present = [part for part in parts if part]
    return average_parts(present) if present else {}
