"""Which row to take for a target: chosen as one who cannot see the test set must choose, and by one who can."""

from stilts_core.report.grid import BASELINE, Cell, Grid


def candidates(grid: Grid, target: str) -> list[Cell]:
    """The runs to choose from: the target's column without what shares its data, and without controls."""
    return [cell for cell in grid.column(target) if not cell.same_data and not cell.row.endswith("+sham")]


def by_dev(grid: Grid, target: str) -> Cell | None:
    """The cell with the best English dev score.

    A target without a dev part (Tatoeba, BUCC) takes the row whose dev scores are furthest above the baseline's, on
    average over the other targets. None where nothing can be compared.
    """
    cells = candidates(grid, target)
    if any(cell.dev is not None for cell in cells):
        return max((cell for cell in cells if cell.dev is not None), key=lambda cell: cell.dev)
    gains = {cell.row: dev_gain(grid, cell.row) for cell in cells}
    known = [cell for cell in cells if gains[cell.row] is not None]
    return max(known, key=lambda cell: gains[cell.row], default=None)


def by_test(grid: Grid, target: str) -> Cell | None:
    """The cell with the best test score: what an oracle would take, an upper bound and no result."""
    cells = [cell for cell in candidates(grid, target) if cell.score()]
    return max(cells, key=lambda cell: cell.score().value, default=None)


def dev_gain(grid: Grid, row: str) -> float | None:
    """The mean difference of a row's dev scores from the baseline's, over the targets that it shares no data with."""
    gains = [
        cell.dev - base.dev
        for target in grid.targets
        if (cell := grid.cells.get((row, target))) and (base := grid.cells.get((BASELINE, target)))
        if not cell.same_data and cell.dev is not None and base.dev is not None
    ]
    return sum(gains) / len(gains) if gains else None
