"""Selection of one row for each target: by English dev scores, as a user must, or by test scores, as an oracle can."""

from collections.abc import Iterable

from stilts_core.report.analysis.grid import BASELINE, Cell, Grid


def candidates(grid: Grid, target: str) -> list[Cell]:
    """The cells to select from: the target's column without controls and without rows that share its data."""
    return [cell for cell in grid.column(target) if not cell.same_data and not cell.is_control]


def best_on_dev(grid: Grid, target: str) -> Cell | None:
    """The cell with the best English dev score.

    For a target without a dev part (Tatoeba, BUCC), the cell whose row gains most over the baseline on the dev parts
    of the other targets. None if no cell can be compared.
    """
    cells = candidates(grid, target)
    own = _best((cell, cell.dev_score) for cell in cells)
    return own or _best((cell, mean_dev_gain(grid, cell.row)) for cell in cells)


def best_on_test(grid: Grid, target: str) -> Cell | None:
    """The cell with the best test score. Only an oracle can select it, so its score is an upper bound, not a result."""
    scores = ((cell, cell.score()) for cell in candidates(grid, target))
    return _best((cell, score.value if score else None) for cell, score in scores)


def mean_dev_gain(grid: Grid, row: str) -> float | None:
    """The mean gain of a row's dev scores over the baseline's, over the targets that share no data with the row."""
    gains = []
    for target in grid.targets:
        cell, base = grid.cells.get((row, target)), grid.cells.get((BASELINE, target))
        if cell is None or base is None or cell.same_data:
            continue
        if cell.dev_score is not None and base.dev_score is not None:
            gains.append(cell.dev_score - base.dev_score)
    return sum(gains) / len(gains) if gains else None


def _best(scored: Iterable[tuple[Cell, float | None]]) -> Cell | None:
    """The first of the cells with the highest score; None if no cell has a score."""
    present = [(cell, score) for cell, score in scored if score is not None]
    return max(present, key=lambda pair: pair[1])[0] if present else None
