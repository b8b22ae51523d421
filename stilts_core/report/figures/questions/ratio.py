"""The effect of an intermediate task against the ratio of the steps of both phases."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stilts_core.report.figures.questions.intervals import PlottedInterval
from stilts_core.report.figures.style import (
    COLOURS,
    GREY,
    add_legend,
    error_lengths,
    set_title,
    styled_figure,
    to_svg,
)

MARKERS = "os^DvPX"  # more than other figures have: one for each number of target steps
SPREAD = 0.13  # of a doubling: the step between cells of the same ratio, so that they do not cover each other


@dataclass(frozen=True)
class RatioPoint:
    """One combination of steps: log2 of the ratio, the steps of the target phase, and the effect in points."""

    log2_ratio: float
    target_steps: int
    effect: PlottedInterval


def draw_ratio(cells: Sequence[RatioPoint], slope: float, title: str, axis: str) -> str:
    """Draw the effect of every cell against its ratio, and the line with the fitted slope, as SVG."""
    ratios = np.array([cell.log2_ratio for cell in cells])
    with styled_figure(4.4) as figure:
        axes = figure.add_subplot()
        for place, steps in enumerate(sorted({cell.target_steps for cell in cells})):
            own = [cell for cell in cells if cell.target_steps == steps]
            values = [cell.effect.value for cell in own]
            axes.errorbar(
                [cell.log2_ratio + _shift(cell, cells) for cell in own],
                values,
                yerr=error_lengths(values, [(cell.effect.low, cell.effect.high) for cell in own]),
                color=COLOURS[place % len(COLOURS)],
                fmt=MARKERS[place % len(MARKERS)],
                elinewidth=1.4,
                markersize=5.5,
                label=f"{steps:,} target steps",
            )
        mean = float(np.mean([cell.effect.value for cell in cells]))
        ends = np.array([ratios.min(), ratios.max()])
        axes.plot(ends, mean + slope * (ends - ratios.mean()), color=GREY, linestyle="--", label="mean fitted line")
        axes.axhline(0, color=GREY, linewidth=0.8, zorder=0)
        ticks = sorted(set(ratios))
        axes.set_xticks(ticks, [_ratio_name(tick) for tick in ticks])
        axes.set_xlabel("intermediate : target steps (logarithmic)")
        axes.set_ylabel(axis)
        set_title(figure, title)
        add_legend(figure, 3)
        return to_svg(figure)


def _shift(cell: RatioPoint, cells: Sequence[RatioPoint]) -> float:
    """How far a cell is moved aside from its ratio."""
    equal = sorted(other.target_steps for other in cells if other.log2_ratio == cell.log2_ratio)
    return SPREAD * (equal.index(cell.target_steps) - (len(equal) - 1) / 2)


def _ratio_name(log2_ratio: float) -> str:
    ratio = 2.0**log2_ratio
    return f"{ratio:g}:1" if ratio >= 1 else f"1:{1 / ratio:g}"
