"""Figures of a grid as SVG: its heat map, and for one target the gain of each row and the score by hidden state."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap

from stilts_core.config import GridRow
from stilts_core.report.analysis.grid import BASELINE, Cell, Grid
from stilts_core.report.analysis.grid_run import GridRun
from stilts_core.report.analysis.measurement import Measurement
from stilts_core.report.analysis.multiplicity import CorrectedFamily, correct
from stilts_core.report.colours import colour_limit, difference_colour
from stilts_core.report.figures.style import (
    COLOURS,
    FEW_ROWS,
    GREY,
    HIDDEN_STATE,
    LIGHT_GREY,
    error_lengths,
    mark_value,
    set_rows,
    set_title,
    styled_figure,
    to_svg,
)
from stilts_core.report.tables.html import count, metric_name
from stilts_core.report.tables.numbers import interval, signed
from stilts_core.report.tables.titles import row_title, short_title
from stilts_core.tasks.catalogue import get_task

Differences = Mapping[tuple[str, str], Measurement]  # from the baseline, by row and target
ONE_SEED = "One seed shows no clear difference"
DIGITS, SMALL_DIGITS = 11, 8.5  # points: the size of the numbers in a heat map, with few columns and with many
FEW_TARGETS = 7  # up to this number of columns, the larger digits fit
HEAT_MAP_WIDTH, FITTING_TARGETS, COLUMN_WIDTH = 6.2, 8, 0.4  # inches; each column beyond those that fit makes it wider
TITLE_CHARACTERS = 9.3  # characters of a title's line that fit an inch of the heat map


def draw_heat_map(grid: Grid, clear: Collection[tuple[str, str]] | None = None) -> str | None:
    """Draw all differences from the baseline, the row with the best average on top; None without any difference.

    `clear` has the row and target of every clear difference; None means that none could be tested.
    """
    averages = _average_gains(grid)
    if not averages:
        return None
    rows = sorted(averages, key=lambda row: -averages[row].value)
    differences = _differences(grid, rows)
    transfer = {key: value for key, value in differences.items() if not grid.cells[key].same_data}
    limit = colour_limit(value.value for value in transfer.values())
    digits = DIGITS if len(grid.targets) <= FEW_TARGETS else SMALL_DIGITS
    width = HEAT_MAP_WIDTH + COLUMN_WIDTH * max(0, len(grid.targets) - FITTING_TARGETS)

    def tabulate(entry: Callable[[tuple[str, str]], float | str], missing: float | str) -> pd.DataFrame:
        """A table of entries by row and target; `missing` where there is no difference."""
        return pd.DataFrame(
            [
                [entry((row, target)) if (row, target) in differences else missing for target in grid.targets]
                for row in rows
            ],
            [f"{short_title(row)}  {signed(averages[row].value, 1)}" for row in rows],
            [short_title(target) for target in grid.targets],
        )

    with styled_figure(1.6 + 0.34 * len(rows), width) as figure:
        axes = figure.add_subplot()
        axes.grid(False)
        seaborn.heatmap(
            tabulate(lambda key: transfer[key].value if key in transfer else 0.0, np.nan),
            annot=tabulate(lambda key: signed(differences[key].value, 1), ""),
            fmt="", annot_kws={"fontsize": digits}, vmin=-limit, vmax=limit, cbar=False, ax=axes,
            cmap=ListedColormap([np.array(difference_colour(value, 1)) / 255 for value in np.linspace(-1, 1, 201)]),
        )  # fmt: skip
        _style_numbers(axes, differences, transfer, clear or ())
        axes.set_xticklabels(axes.get_xticklabels(), rotation=35, ha="right")
        axes.set_yticklabels(axes.get_yticklabels(), rotation=0)
        axes.tick_params(length=0)
        if len(rows) > FEW_ROWS:
            axes.set_ylabel("intermediate task, with its average")
        set_title(figure, heat_map_finding(grid, clear), int(TITLE_CHARACTERS * width))
        return to_svg(figure)


def heat_map_finding(grid: Grid, clear: Collection[tuple[str, str]] | None = None) -> str:
    """The finding of a heat map: how many pairs gain or lose clearly, and the highest average with its interval.

    Where a row of permuted labels has the highest average, the best row with true labels follows. With one seed, the
    best row is one of permuted labels only if there is no other.
    """
    averages = _average_gains(grid)
    highest = max(averages, key=lambda row: averages[row].value)
    best = max(averages, key=lambda row: (not GridRow.parse(row).sham, averages[row].value))
    if clear is None:
        return f"{row_title(best)}: {signed(averages[best].value, 1)} on average. {ONE_SEED}"
    differences = _differences(grid, averages)
    transfer = {key: value for key, value in differences.items() if not grid.cells[key].same_data}
    gains = sum(key in clear and value.value > 0 for key, value in transfer.items())
    losses = sum(key in clear and value.value < 0 for key, value in transfer.items())
    verbs = f"{gains} gain{'s' * (gains == 1)} and {losses} lose{'s' * (losses == 1)} clearly"
    named = "; with true labels: ".join(
        f"{short_title(row)} {signed(averages[row].value, 1)} {interval(*averages[row].interval, 1)}"
        for row in dict.fromkeys((highest, best))
    )
    return f"Of {count(len(transfer), 'pair')} {verbs}. Highest average: {named}"


def correct_column(grid: Grid, target: str) -> CorrectedFamily[str]:
    """The rows' differences from the baseline on one target, corrected together; without those on the same data."""
    return correct({cell.row: gain for cell, gain in gains_on(grid, target) if not cell.same_data})


def draw_gains(grid: Grid, target: str) -> str | None:
    """Draw each row's difference from the baseline on one target, the best on top; None without any difference."""
    gains, family = gains_on(grid, target), correct_column(grid, target)
    if not gains:
        return None
    with styled_figure(1.5 + 0.27 * len(gains)) as figure:
        axes = figure.add_subplot()
        for place, (cell, gain) in enumerate(gains):
            colour = GREY if cell.same_data else COLOURS[0]
            axes.errorbar(
                [gain.value],
                [place],
                xerr=error_lengths([gain.value], [gain.interval]),
                fmt="o",
                color=colour,
                markerfacecolor=colour if family.is_clear(cell.row) else "white",
                elinewidth=1.5,
            )
        mark_value(axes, 0)
        set_rows(axes, [short_title(cell.row) + " (same data)" * cell.same_data for cell, _ in gains])
        axes.set_xlabel(f"difference in {metric_name(get_task(target).metric)}, with 95 % interval")
        set_title(figure, gains_finding(grid, target))
        return to_svg(figure)


def gains_finding(grid: Grid, target: str) -> str:
    """The finding for one target in one sentence: how many rows help and harm clearly, and the best if one helps."""
    every = gains_on(grid, target)
    gains = [(cell, gain) for cell, gain in every if not cell.same_data]
    title = get_task(target).title
    if not gains:
        return f"{title}: every row that was run shares the target's data"
    if grid.is_flat(target):
        return f"{title}: all rows have the scores of the baseline"
    best_cell, best_gain = gains[0]
    family = correct_column(grid, target)
    place = "best row" if len(gains) > 1 else "only row" + " with other data" * (len(every) > 1)
    best = f"{title}: {short_title(best_cell.row)} is the {place}, {signed(best_gain.value, 1)}"
    if not family.size:
        return f"{best}. {ONE_SEED}"
    helpful = sum(family.is_clear(cell.row) and gain.value > 0 for cell, gain in gains)
    harmful = sum(family.is_clear(cell.row) and gain.value < 0 for cell, gain in gains)
    if len(gains) == 1:
        return f"{best}; {'it helps clearly' if helpful else 'it harms clearly' if harmful else 'no clear difference'}"
    harm = f", {harmful} harm{'s' * (harmful == 1)} clearly" * bool(harmful)
    counts = f"{helpful or 'none'} of {len(gains)} rows help{'s' * (helpful < 2)} clearly{harm} (after correction)"
    return f"{best}; {counts}" if helpful else f"{title}: {counts}"


def draw_layers(grid: Grid, target: str) -> str | None:
    """Draw the score from every hidden state, averaged over languages, for each row; None if no run has such scores."""
    sweeps = {cell.row: sweep for cell in grid.column(target) if (sweep := _mean_sweep(cell.records)) is not None}
    if not sweeps:
        return None
    best_score, best_row = max((float(sweep.max()), row) for row, sweep in sweeps.items())
    with styled_figure(3.4) as figure:
        axes = figure.add_subplot()
        for row, sweep in sweeps.items():
            axes.plot(sweep, **_line_style(row, best_row))
        if sweeps.keys() - {BASELINE, best_row}:
            axes.plot([], [], color=LIGHT_GREY, label="other rows")
        axes.set_xlabel(HIDDEN_STATE)
        axes.set_ylabel(f"{metric_name(get_task(target).metric)}, 0–100")
        axes.set_xticks(range(len(sweeps[best_row])))
        axes.set_ylim(bottom=0)
        axes.legend()
        state = int(sweeps[best_row].argmax())
        after = "without an intermediate task" if best_row == BASELINE else f"after {short_title(best_row)}"
        title = get_task(target).title
        set_title(figure, f"{title}: hidden state {state} {after} retrieves best, {best_score:.1f}")
        return to_svg(figure)


def _average_gains(grid: Grid) -> dict[str, Measurement]:
    """The average difference from the baseline of each row that has one."""
    averages = {row: grid.average(row) for row in grid.rows if row != BASELINE}
    return {row: average for row, average in averages.items() if average}


def _differences(grid: Grid, rows: Sequence[str] | Mapping[str, Measurement]) -> dict[tuple[str, str], Measurement]:
    """The differences from the baseline by row and target, row by row; without missing ones."""
    differences = {(row, target): grid.difference(row, target) for row in rows for target in grid.targets}
    return {key: difference for key, difference in differences.items() if difference}


def gains_on(grid: Grid, target: str) -> list[tuple[Cell, Measurement]]:
    """The rows' differences from the baseline on one target, the best first."""
    differences = ((cell, grid.difference(cell.row, target)) for cell in grid.column(target))
    return sorted(((cell, gain) for cell, gain in differences if gain), key=lambda pair: -pair[1].value)


def _style_numbers(
    axes: Axes, differences: Differences, transfer: Differences, clear: Collection[tuple[str, str]]
) -> None:
    """Set clear differences in bold, and those of cells with the same data in grey italics."""
    for text, key in zip(axes.texts, differences, strict=True):
        same_data = key not in transfer
        text.set(color="#666666" if same_data else "#111111", style="italic" if same_data else "normal")
        text.set_fontweight("bold" if key in clear and not same_data else "normal")


def _line_style(row: str, best_row: str) -> dict[str, Any]:
    if row == BASELINE:
        return {"color": "#000000", "linewidth": 2, "linestyle": "--", "label": "no intermediate task"}
    if row == best_row:
        return {"color": COLOURS[0], "linewidth": 2, "marker": "o", "label": row_title(row)}
    return {"color": LIGHT_GREY, "linewidth": 1}


def _mean_sweep(records: Sequence[GridRun]) -> np.ndarray | None:
    """The score from every hidden state, averaged over languages and runs."""
    sweeps = [np.mean(list(record.layers.values()), axis=0) for record in records if record.layers]
    return np.mean(sweeps, axis=0) if sweeps else None
