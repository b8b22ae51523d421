"""Figures of a benchmark as SVG: ratios to the peers by workload, and the growth of cost with size."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import geometric_mean
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

from stilts_core.bench.figures import Entry, MeasuredFigures, Range
from stilts_core.bench.table import check_aim
from stilts_core.bench.workloads import WORKLOADS, Aim
from stilts_core.report.figures.style import (
    COLOURS,
    GREY,
    MARKERS,
    WIDTH,
    add_legend,
    error_lengths,
    mark_value,
    set_rows,
    styled_figure,
    to_svg,
)

SIZE_LABELS = {
    "languages": "languages scored",
    "examples": "examples trained on",
    "length": "sub-words of an input",
    "corpus": "vectors searched",
    "corpus_memory": "vectors searched",
    "grid": "runs of a grid",
    "planning": "runs of a sweep",
    "locking": "runs of a sweep",
    "computing": "runs of a sweep",
    "reporting": "records",
}
UNIT_LABELS = {"s": "seconds"}
TICKS = (1, 2, 5)  # times powers of ten


class _Ratio(NamedTuple):
    """One line of a figure: the ratio of a workload to a peer, and its aim if it has one."""

    workload: str
    peer: str
    range: Range
    aim: Aim | None


def draw_ratios(result: Mapping[str, MeasuredFigures], measures: Sequence[str], quantity: str) -> str | None:
    """Draw the ratio to every peer by workload, with its range and its aim; None if none of the measures has one.

    `quantity` names what is measured; the title says between which ratios it lies.
    """
    ratios = [
        _Ratio(name, peer, entry["ratio"], _find_aim(name, measure, peer, entry))
        for name in WORKLOADS
        for measure in measures
        for peer, entry in result.get(name, {}).get(measure, {}).items()
        if "ratio" in entry
    ]
    if not ratios:
        return None
    with styled_figure(1.7 + 0.3 * len(ratios)) as figure:
        axes = figure.add_subplot(xscale="log")
        for index, peer in enumerate(dict.fromkeys(ratio.peer for ratio in ratios)):
            rows = [row for row, ratio in enumerate(ratios) if ratio.peer == peer]
            ranges = [ratios[row].range for row in rows]
            medians = [own["median"] for own in ranges]
            axes.errorbar(
                medians,
                rows,
                xerr=error_lengths(medians, [(own["min"], own["max"]) for own in ranges]),
                color=COLOURS[index],
                fmt=MARKERS[index],
                elinewidth=1.5,
                label=peer,
            )
        bounds = {row: ratio.aim.bound for row, ratio in enumerate(ratios) if ratio.aim}
        if bounds:
            axes.scatter(list(bounds.values()), list(bounds), marker="|", s=160, color="#000000", label="aim")
        mark_value(axes, 1)
        set_rows(axes, [ratio.workload for ratio in ratios])
        axes.xaxis.set_major_locator(LogLocator(subs=TICKS))
        axes.xaxis.set_major_formatter("{x:g}")
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.set_xlabel("ratio: median, smallest and largest of the repetitions")
        medians = [ratio.range["median"] for ratio in ratios]
        axes.set_title(f"{quantity}: {min(medians):.2g} to {max(medians):.2g} times the peer's")
        add_legend(figure, 3)
        return to_svg(figure)


def draw_growth(curves: MeasuredFigures) -> str | None:
    """Draw cost against size on logarithmic axes, one panel for each curve; None without any curve."""
    if not curves:
        return None
    rows = (len(curves) + 1) // 2
    with styled_figure(2.3 * rows, WIDTH) as figure:
        panels: Iterable[Axes] = iter(figure.subplots(rows, 2, squeeze=False).flat)
        for (name, peers), axes in zip(curves.items(), panels, strict=False):
            (entry,) = peers.values()
            _draw_curve(axes, name, entry)
        for axes in panels:  # an odd number of curves leaves the last panel empty
            axes.set_axis_off()
        return to_svg(figure)


def _find_aim(workload: str, measure: str, peer: str, entry: Entry) -> Aim | None:
    checked = check_aim(workload, measure, peer, entry)
    return checked[0] if checked else None


def _tick(value: float, _place: float) -> str:
    """The label of a tick: thousands and millions have their letters, and a share of one is a decimal."""
    return f"{value:g}" if value < 1 else EngFormatter(sep="")(value)


def _draw_curve(axes: Axes, name: str, entry: Entry) -> None:
    sizes, costs = zip(*entry["points"], strict=True)
    mean_size, mean_cost = geometric_mean(sizes), geometric_mean(costs)  # the line of least squares passes here
    fitted = [mean_cost * (size / mean_size) ** entry["exponent"] for size in sizes]
    axes.loglog(sizes, fitted, color=GREY, linestyle="--", linewidth=1)
    axes.loglog(sizes, costs, color=COLOURS[0], marker="o", linestyle="none")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=TICKS))
        axis.set_major_formatter(_tick)
        axis.set_minor_formatter(NullFormatter())
    axes.set_title(f"exponent {entry['exponent']:.2f}")
    axes.set_xlabel(SIZE_LABELS[name])
    axes.set_ylabel(UNIT_LABELS.get(entry["unit"], entry["unit"]))
