"""Selection of one row for each target: by English dev scores, as a user must, or by test scores, as an oracle can."""

from collections.abc import Container, Iterable

from stilts_core.report.analysis.grid import BASELINE, Cell, Grid
from stilts_core.report.analysis.replicates import Replicate


def candidates(grid: Grid, target: str) -> list[Cell]:
    """The cells to select from: the target's column without controls and without rows that share its data."""
    return [cell for cell in grid.column(target) if not cell.same_data and not cell.is_control]


def best_on_dev(grid: Grid, target: str, left_out: Container[Replicate] = ()) -> Cell | None:
    """The cell whose row gains most over the baseline on the target's English dev part, over runs with the same seeds.

    For a target without a dev part (Tatoeba, BUCC), the cell whose row gains most over the baseline on the dev parts
    of the other targets. Replicates in `left_out` have no say. None if no cell can be compared.
    """
    cells = candidates(grid, target)
    own = _best((cell, _mean(_dev_gains(grid, cell.row, target, left_out).values())) for cell in cells)
    return own or _best((cell, mean_dev_gain(grid, cell.row, left_out)) for cell in cells)


def best_on_test(grid: Grid, target: str) -> Cell | None:
    """The cell whose row gains most on the test set, over runs with the same seeds.

    Only an oracle can select it, so its score is an upper bound, not a result.
    """
    gains = ((cell, grid.paired(cell.row, target).values()) for cell in candidates(grid, target))
    return _best((cell, _mean(gain.value for gain in pairs)) for cell, pairs in gains)


def mean_dev_gain(grid: Grid, row: str, left_out: Container[Replicate] = ()) -> float | None:
    """The mean gain of a row's dev scores over the baseline's, over the targets that share no data with the row."""
    targets = [target for target in grid.targets if (row, target) in grid.cells]
    counted = [target for target in targets if not grid.cells[row, target].same_data]
    gains = [_mean(_dev_gains(grid, row, target, left_out).values()) for target in counted]
    return _mean(gain for gain in gains if gain is not None)


def _dev_gains(grid: Grid, row: str, target: str, left_out: Container[Replicate]) -> dict[Replicate, float]:
    """The differences of a row's English dev scores from the baseline's with the same seed and encoder."""
    cell, base = grid.cells.get((row, target)), grid.cells.get((BASELINE, target))
    if cell is None or base is None:
        return {}
    earlier = base.dev_scores
    counted = (key for key in cell.dev_scores if key in earlier and key not in left_out)
    return {key: cell.dev_scores[key] - earlier[key] for key in counted}


def _mean(values: Iterable[float]) -> float | None:
    present = list(values)
    return sum(present) / len(present) if present else None


def _best(scored: Iterable[tuple[Cell, float | None]]) -> Cell | None:
    """The first of the cells with the highest score; None if no cell has a score."""
    present = [(cell, score) for cell, score in scored if score is not None]
    return max(present, key=lambda pair: pair[1])[0] if present else None
