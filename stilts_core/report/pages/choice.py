"""The XTREME-style summary: for each target the baseline, the row that dev data select, and the row of an oracle."""

from collections.abc import Sequence
from typing import NamedTuple

from stilts_core.report.analysis import selection
from stilts_core.report.analysis.grid import BASELINE, Cell, Grid
from stilts_core.report.analysis.measurement import Measurement
from stilts_core.report.analysis.replicates import average_parts, compare, summarise
from stilts_core.report.pages.grid_place import GridPlace
from stilts_core.report.tables import grid as grid_table
from stilts_core.report.tables.grid import MISSING_CELL, Link, number_cell
from stilts_core.report.tables.numbers import signed
from stilts_core.report.tables.titles import short_title
from stilts_core.tasks.catalogue import get_task

NO_DIFFERENCE = Measurement(0.0, 0.0)  # of the baseline from itself
HEADINGS = ("target", "none", "chosen on dev", "score", "difference", "oracle", "score", "difference")
EXPLANATION = (
    "A user who wants the best system for a target cannot look at its test set. *Chosen on dev*: the row with the best "
    "score on the target's English dev part; for a target without one (Tatoeba, BUCC), the row that is furthest above "
    "the baseline on the dev parts of the other targets. *Oracle*: the row with the best test score, an upper bound "
    "that a fair choice reaches only by luck. Rows with the target's own data cannot be chosen. The choice was made on "
    "the same runs, which its intervals do not count: none of these differences is called clear."
)


class _Choice(NamedTuple):
    """The cells of one target: the baseline's, the one that dev data select, and the oracle's."""

    baseline: Cell
    on_dev: Cell
    oracle: Cell


def build_sections(grid: Grid, place: GridPlace) -> list[str]:
    """The heading, the explanation and the table, as MyST; empty if there is no baseline to compare with."""
    choices = _choose(grid)
    if not choices:
        return []
    rows, csv_rows = [], []
    for target, choice in choices.items():
        cells = [_score_cell(choice.baseline, place.link)]
        for cell in (choice.on_dev, choice.oracle):
            cells += [f"<td>{short_title(cell.row)}</td>", _score_cell(cell, place.link), _gain_cell(_gain(grid, cell))]
        rows.append(grid_table.table_row(short_title(target), cells))
        base, on_dev, oracle = (f"{_score(cell).value:.4f}" for cell in choice)
        csv_rows.append([target, base, choice.on_dev.row, on_dev, choice.oracle.row, oracle])
    path = place.write_csv("choice", ["target", "none", "chosen", "score", "oracle", "oracle_score"], csv_rows)
    title = "The best row for each target, chosen on dev and by an oracle"
    heads = [[grid_table.header_cell(name) for name in HEADINGS]]
    table = grid_table.build_table(title, heads, [rows], _mean_row(grid, choices))
    return ["## Which intermediate task to choose?", EXPLANATION, f"{table}\n{{download}}`CSV <{path}>`"]


def mean_gain_on_dev(grid: Grid) -> tuple[Measurement | None, int]:
    """The mean gain of the rows that dev data select, over the targets of XTREME, and the number of these targets."""
    chosen = [choice.on_dev for choice in _xtreme_choices(_choose(grid))]
    gain = compare(average_parts([grid.paired(cell.row, cell.target) for cell in chosen]))
    return gain, len(chosen)


def _choose(grid: Grid) -> dict[str, _Choice]:
    """The choice for each target that has a baseline and a row to choose."""
    choices = {}
    for target in grid.targets:
        baseline = grid.cells.get((BASELINE, target))
        on_dev, oracle = selection.best_on_dev(grid, target), selection.best_on_test(grid, target)
        if baseline and on_dev and oracle:
            choices[target] = _Choice(baseline, on_dev, oracle)
    return choices


def _xtreme_choices(choices: dict[str, _Choice]) -> list[_Choice]:
    return [choice for target, choice in choices.items() if "xtreme" in get_task(target).languages]


def _score(cell: Cell) -> Measurement:
    """The mean over all languages, which every run has."""
    score = cell.score()
    if score is None:
        raise ValueError(f"no language was scored in {cell.row} → {cell.target}")
    return score


def _gain(grid: Grid, cell: Cell) -> Measurement:
    return grid.difference(cell.row, cell.target) or NO_DIFFERENCE


def _score_cell(cell: Cell, link: Link) -> str:
    score = _score(cell)
    return number_cell(score, f"{score.value:.1f}", links=grid_table.cell_links(cell, link))


def _mean_score_cell(cells: Sequence[Cell]) -> str:
    score = summarise(average_parts([cell.averages() for cell in cells]))
    return number_cell(score, f"{score.value:.1f}") if score else MISSING_CELL


def _gain_cell(gain: Measurement) -> str:
    return number_cell(gain, signed(gain.value, 1))


def _mean_row(grid: Grid, choices: dict[str, _Choice]) -> str:
    """The last row: means over the targets of XTREME; empty if none of them was run."""
    counted = _xtreme_choices(choices)
    if not counted:
        return ""
    cells = [_mean_score_cell([choice.baseline for choice in counted])]
    for chosen in ([choice.on_dev for choice in counted], [choice.oracle for choice in counted]):
        gain = compare(average_parts([grid.paired(cell.row, cell.target) for cell in chosen]))
        cells.append(f"<td></td>{_mean_score_cell(chosen)}{_gain_cell(gain) if gain else MISSING_CELL}")
    return grid_table.table_row(f"mean of {len(counted)} XTREME targets", cells)
