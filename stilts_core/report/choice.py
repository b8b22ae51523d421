"""The XTREME-style summary: for each target the row that dev data would choose, beside the baseline and an oracle."""

from stilts_core.catalogue import task
from stilts_core.report import grid_table, selection
from stilts_core.report.cards import short_title
from stilts_core.report.grid import BASELINE, Cell, Grid
from stilts_core.report.grid_table import Link
from stilts_core.report.measured import Measured, mean
from stilts_core.report.pages import Pages

NOTHING = Measured(0.0, 0.0)  # the difference of the baseline from itself
HEADS = ("target", "none", "chosen on dev", "score", "difference", "oracle", "score", "difference")
EXPLAINED = (
    "One who wants the best system for a target cannot look at its test set. *Chosen on dev*: the row with the best "
    "score on the target's English dev part; for a target without one (Tatoeba, BUCC) the row that is furthest above "
    "the baseline on the other targets' dev parts. *Oracle*: the row with the best test score, an upper bound that "
    "nobody can reach but by luck. Rows with the target's own data are not among them."
)


def sections(grid: Grid, pages: Pages, link: Link) -> list[str]:
    """The table with its heading, as MyST; nothing where there is no baseline to compare with."""
    chosen = _chosen(grid)
    if not chosen:
        return []
    rows, lines = [], []
    for target, cells in chosen.items():
        base, by_dev, by_test = cells
        shown = [_scored(base, link)]
        for cell in (by_dev, by_test):
            difference = _difference(grid, cell)
            gained = grid_table.number(difference, grid_table.signed(difference.value))
            shown += [f"<td>{short_title(cell.row)}</td>", _scored(cell, link), gained]
        rows.append(grid_table.row(short_title(target), shown))
        scores = [f"{cell.score().value:.4f}" for cell in cells]
        lines.append([target, scores[0], by_dev.row, scores[1], by_test.row, scores[2]])
    path = pages.table("choice", ["target", "none", "chosen", "score", "oracle", "oracle_score"], lines)
    title = "The best row for each target, chosen on dev and by an oracle"
    heads = [[grid_table.column(name) for name in HEADS]]
    table = grid_table.grid_table(title, heads, [rows], _means(grid, chosen))
    return ["## Which one to take?", EXPLAINED, f"{table}\n{{download}}`CSV <{path}>`"]


def gain(grid: Grid) -> tuple[Measured | None, int]:
    """The mean difference from the baseline of what dev data would choose, over XTREME's targets, and their number."""
    found = [_difference(grid, by_dev) for _, by_dev, _ in _in_xtreme(_chosen(grid))]
    return (mean(found) if found else None), len(found)


def _chosen(grid: Grid) -> dict[str, tuple[Cell, Cell, Cell]]:
    """For each target the baseline, the cell that dev data would choose, and that of the best test score."""
    found = {
        target: (grid.cells.get((BASELINE, target)), selection.by_dev(grid, target), selection.by_test(grid, target))
        for target in grid.targets
    }
    return {target: cells for target, cells in found.items() if None not in cells}


def _in_xtreme(chosen: dict[str, tuple[Cell, Cell, Cell]]) -> list[tuple[Cell, Cell, Cell]]:
    return [cells for target, cells in chosen.items() if "xtreme" in task(target).languages]


def _difference(grid: Grid, cell: Cell) -> Measured:
    return grid.difference(cell.row, cell.target) or NOTHING


def _scored(cell: Cell, link: Link) -> str:
    score = cell.score()
    return grid_table.number(score, f"{score.value:.1f}", links=[link(record) for record in cell.records])


def _means(grid: Grid, chosen: dict[str, tuple[Cell, Cell, Cell]]) -> str:
    """The last row: means over XTREME's targets; empty where none of them was run."""
    counted = _in_xtreme(chosen)
    if not counted:
        return ""
    shown = []
    for place in range(3):
        score = mean([cells[place].score() for cells in counted])
        number = grid_table.number(score, f"{score.value:.1f}")
        if place:
            difference = mean([_difference(grid, cells[place]) for cells in counted])
            number = f"<td></td>{number}{grid_table.number(difference, grid_table.signed(difference.value))}"
        shown.append(number)
    return grid_table.row(f"mean of {len(counted)} XTREME targets", shown)
