"""Scores from every hidden state, one line for each arm, in panels side by side."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from stilts_core.report.figures.questions.intervals import PlottedInterval
from stilts_core.report.figures.style import (
    COLOURS,
    MARKERS,
    add_legend,
    mark_value,
    set_title,
    styled_figure,
    to_svg,
)

Curves = Mapping[str, Sequence[PlottedInterval]]  # from the name of an arm to its score from every hidden state


def draw_layers(panels: Mapping[str, Curves], title: str, axis: str, state: int) -> str:
    """Draw the curves of every panel with their intervals as SVG; panels share their axes and colours.

    `axis` labels the vertical axis. The hidden state `state`, by which runs are scored, is marked.
    """
    with styled_figure(4.2) as figure:
        row = figure.subplots(1, len(panels), sharey=True, squeeze=False)[0]
        for axes, (name, curves) in zip(row, panels.items(), strict=True):
            _draw_panel(axes, curves, in_legend=axes is row[0])
            mark_value(axes, state)
            axes.set_title(name)
            axes.set_xlabel("hidden state")
        row[0].set_ylabel(axis)
        row[0].set_ylim(bottom=0)
        set_title(figure, title)
        add_legend(figure)
        return to_svg(figure)


def _draw_panel(axes: Axes, curves: Curves, *, in_legend: bool) -> None:
    for place, (name, values) in enumerate(curves.items()):
        states, colour = range(len(values)), COLOURS[place % len(COLOURS)]
        axes.fill_between(
            states, [v.low for v in values], [v.high for v in values], color=colour, alpha=0.18, linewidth=0
        )
        marker = MARKERS[place % len(MARKERS)]
        label = name if in_legend else "_"
        axes.plot(states, [v.value for v in values], color=colour, marker=marker, markersize=4, label=label)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
