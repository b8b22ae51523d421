"""Figures of a grid as SVG: its heat map, the gains in one target, and which hidden state retrieves best after what."""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn
from matplotlib import rc_context
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from stilts_core.catalogue import task
from stilts_core.report.cards import row_title, short_title
from stilts_core.report.colours import diverging, extent
from stilts_core.report.figures import COLOURS, STYLE, WIDTH, drawn, titled
from stilts_core.report.grid import BASELINE, Grid
from stilts_core.report.grid_table import signed
from stilts_core.report.markup import metric_name


def heat_map(grid: Grid) -> str | None:
    """Differences from the baseline, rows by their average; None where there are no differences to show."""
    rows = [row for row in grid.rows if grid.average(row) and row != BASELINE]
    if not rows:
        return None
    rows.sort(key=lambda row: -grid.average(row).value)
    differences = {(row, target): grid.difference(row, target) for row in rows for target in grid.targets}
    counted = {key: value for key, value in differences.items() if value and not grid.cells[key].same_data}
    end = extent(value.value for value in counted.values())

    def shown(of, missing) -> pd.DataFrame:
        """What `of` makes of every cell; `missing` where the row or the target was not run."""
        return pd.DataFrame(
            [[of((row, target)) if differences[row, target] else missing for target in grid.targets] for row in rows],
            [f"{short_title(row)}  {signed(grid.average(row).value)}" for row in rows],
            [short_title(target) for target in grid.targets],
        )

    with rc_context(STYLE | {"axes.grid": False}):
        figure = Figure(figsize=(6.2, 1.6 + 0.34 * len(rows)), layout="constrained")
        axes = figure.add_subplot()
        seaborn.heatmap(
            shown(lambda key: counted[key].value if key in counted else 0.0, np.nan),
            annot=shown(lambda key: signed(differences[key].value), ""),
            fmt="", annot_kws={"fontsize": 8.5}, vmin=-end, vmax=end, cbar=False, ax=axes,
            cmap=ListedColormap([np.array(diverging(value, 1)) / 255 for value in np.linspace(-1, 1, 201)]),
        )  # fmt: skip
        for text, (key, value) in zip(axes.texts, ((k, v) for k, v in differences.items() if v), strict=True):
            same = key not in counted
            text.set(color="#666666" if same else "#111111", style="italic" if same else "normal")
            text.set_weight("bold" if value.clear and not same else "normal")
        axes.set_xticklabels(axes.get_xticklabels(), rotation=35, ha="right")
        axes.set_yticklabels(axes.get_yticklabels(), rotation=0)
        axes.tick_params(length=0)
        if len(rows) > 4:  # room for the words
            axes.set_ylabel("learnt first, with its average")
        titled(figure, heat_message(grid), 58)
        return drawn(figure)


def heat_message(grid: Grid) -> str:
    """What the grid says, in one sentence."""
    rows = [row for row in grid.rows if row != BASELINE and grid.average(row)]
    best = max(rows, key=lambda row: grid.average(row).value)
    found = [
        grid.difference(row, target)
        for row in rows
        for target in grid.targets
        if (row, target) in grid.cells and not grid.cells[row, target].same_data
    ]
    found = [value for value in found if value]
    up, down = (sum(value.clear and (value.value > 0) == sign for value in found) for sign in (True, False))
    counted = f"Of {len(found)} pairs {up} gain and {down} lose clearly"
    return f"{row_title(best)}: {signed(grid.average(best).value)} on average. {counted}"


def gains(grid: Grid, target: str) -> str | None:
    """Every row's difference from the baseline in one target with its interval, best on top."""
    found = [(cell, grid.difference(cell.row, target)) for cell in grid.column(target) if cell.row != BASELINE]
    found = sorted(((cell, value) for cell, value in found if value), key=lambda pair: -pair[1].value)
    if not found:
        return None
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 1.5 + 0.27 * len(found)), layout="constrained")
        axes = figure.add_subplot()
        for place, (cell, value) in enumerate(found):
            low, high = value.interval
            look = {"color": "#888888" if cell.same_data else COLOURS[0], "elinewidth": 1.5}
            filled = look["color"] if value.clear and not cell.same_data else "white"
            sides = [[value.value - low], [high - value.value]]
            axes.errorbar([value.value], [place], xerr=sides, fmt="o", markerfacecolor=filled, **look)
        axes.axvline(0, color="#888888", linestyle="--", linewidth=1, zorder=0)
        names = [short_title(cell.row) + " (same data)" * cell.same_data for cell, _ in found]
        axes.set_yticks(range(len(found)), names)
        axes.set_ylim(len(found) - 0.4, -0.6)
        axes.set_xlabel(f"difference in {metric_name(task(target).metric)}, with 95 % interval")
        titled(figure, gains_message(grid, target))
        return drawn(figure)


def gains_message(grid: Grid, target: str) -> str:
    """What the differences in a target say, in one sentence."""
    found = [(cell, grid.difference(cell.row, target)) for cell in grid.column(target) if cell.row != BASELINE]
    found = [(cell, value) for cell, value in found if value and not cell.same_data]
    title = task(target).title
    if not found:
        return f"{title}: only rows with its own data were run"
    cell, best = max(found, key=lambda pair: pair[1].value)
    up = sum(value.clear and value.value > 0 for _, value in found)
    if not up:
        return f"{title}: of {len(found)} rows none helps clearly"
    return f"{title}: {short_title(cell.row)} helps most, {signed(best.value)}; {up} of {len(found)} rows help clearly"


def layers(grid: Grid, target: str) -> str | None:
    """The score from every hidden state, mean over languages, for each row; None for a target without such a sweep."""
    sweeps = {cell.row: sweep for cell in grid.column(target) if (sweep := _mean_sweep(cell.records)) is not None}
    if not sweeps:
        return None
    peak, best = max((float(sweep.max()), row) for row, sweep in sweeps.items())
    state = int(sweeps[best].argmax())
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 3.4), layout="constrained")
        axes = figure.add_subplot()
        for row, sweep in sweeps.items():
            look = {"color": "#bbbbbb", "linewidth": 1}
            if row == BASELINE:
                look = {"color": "#000000", "linewidth": 2, "linestyle": "--", "label": "no intermediate task"}
            elif row == best:
                look = {"color": COLOURS[0], "linewidth": 2, "marker": "o", "label": row_title(row)}
            axes.plot(sweep, **look)
        if len(sweeps) > 2:
            axes.plot([], [], color="#bbbbbb", label="other rows")
        axes.set_xlabel("hidden state (0 = embeddings)")
        axes.set_ylabel(f"{metric_name(task(target).metric)}, 0–100")
        axes.set_xticks(range(len(sweeps[best])))
        axes.set_ylim(bottom=0)
        axes.legend(fontsize=9.5)
        after = "without an intermediate task" if best == BASELINE else f"after {short_title(best)}"
        titled(figure, f"{task(target).title}: hidden state {state} {after} retrieves best, {peak:.1f}")
        return drawn(figure)


def _mean_sweep(records: Sequence[dict]) -> np.ndarray | None:
    sweeps = [np.mean(list(record["layers"].values()), axis=0) for record in records if record.get("layers")]
    return np.mean(sweeps, axis=0) if sweeps else None
