"""Rows of values with their intervals, in one or several series, beside zero and a band of negligible values."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes

from stilts_core.report.figures.style import (
    COLOURS,
    FEW_ROWS,
    LIGHT_GREY,
    MARKERS,
    add_legend,
    error_lengths,
    mark_value,
    set_rows,
    set_title,
    styled_figure,
    to_svg,
)

ROW, SERIES_STEP = 0.3, 0.24  # inches of a row; of a row's height, between its series
LINE = 0.2  # inches of a line of a row's name
AXIS_CHARACTERS = 44  # of a line of the axis's label: the names of rows leave it less room than the title has
SERIES_ROOM = 0.14  # more inches of a row for each further series


@dataclass(frozen=True)
class PlottedInterval:
    """A value with its interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class IntervalRow:
    """A row of a figure: its name, and one interval for each series; None where there is none."""

    name: str
    intervals: tuple[PlottedInterval | None, ...]


def draw_intervals(
    rows: Sequence[IntervalRow],
    title: str,
    axis: str,
    *,
    series: Sequence[str] = ("",),
    band: float | None = None,
    band_name: str = "",
) -> str:
    """Draw rows of intervals as SVG, the first on top.

    `axis` labels the horizontal axis. Values between ± `band` are negligible; `band_name` says so in the legend.
    """
    lines = max((row.name.count("\n") for row in rows), default=0)  # beyond the first
    height = 1.7 + max(ROW + SERIES_ROOM * (len(series) - 1), LINE * (lines + 1)) * max(len(rows), FEW_ROWS - 1)
    with styled_figure(height) as figure:
        axes = figure.add_subplot()
        for place, name in enumerate(series):
            _draw_series(axes, rows, place, len(series), name)
        mark_value(axes, 0)
        if band is not None:
            axes.axvspan(-band, band, color=LIGHT_GREY, alpha=0.35, linewidth=0, zorder=-1, label=band_name)
        set_rows(axes, [row.name for row in rows])
        axes.grid(visible=False, axis="y")
        axes.set_xlabel(textwrap.fill(axis, AXIS_CHARACTERS))
        set_title(figure, title)
        if axes.get_legend_handles_labels()[1]:
            add_legend(figure, 2)
        return to_svg(figure)


def _draw_series(axes: Axes, rows: Sequence[IntervalRow], place: int, count: int, name: str) -> None:
    """Draw one series; the series of a row stand one below the other."""
    shift = SERIES_STEP * (place - (count - 1) / 2)
    known = [(number, found) for number, row in enumerate(rows) if (found := row.intervals[place])]
    values = [found.value for _, found in known]
    axes.errorbar(
        values,
        [number + shift for number, _ in known],
        xerr=error_lengths(values, [(found.low, found.high) for _, found in known]),
        color=COLOURS[place],
        fmt=MARKERS[place],
        elinewidth=1.6,
        markersize=5.5,
        label=name or "_",
    )
