"""The figure of a study that is rerun at a reader's size: the paired differences of its primary contrast."""

from IPython.display import SVG

from stilts_core.report.figures.style import (
    COLOURS,
    GREY,
    MARKERS,
    error_lengths,
    mark_value,
    set_rows,
    set_title,
    styled_figure,
    to_svg,
)
from stilts_core.report.tables.numbers import interval, signed
from stilts_core.report.tables.rerun import part_name
from stilts_core.studies.rerun import PrimaryDifferences


def draw_rerun(differences: PrimaryDifferences) -> SVG:
    """Draw the parts of the primary contrast with their 95 % intervals; below them, the contrast as a whole."""
    finding = differences.finding
    points = {part_name(differences, name): (of.value, of.low, of.high) for name, of in differences.parts.items()}
    if not differences.is_slope:
        points["primary contrast"] = finding.value, finding.low, finding.high
    with styled_figure(1.4 + 0.3 * len(points)) as figure:
        axes = figure.add_subplot()
        for place, (name, (value, low, high)) in enumerate(points.items()):
            whole = name == "primary contrast"
            axes.errorbar(
                [value],
                [place],
                xerr=error_lengths([value], [(low, high)]),
                fmt=MARKERS[whole],
                color=COLOURS[1] if whole else COLOURS[0],
                ecolor=COLOURS[1] if whole else GREY,
                elinewidth=1.5,
            )
        mark_value(axes, 0)
        set_rows(axes, list(points))
        axes.set_xlabel(f"paired difference, {differences.unit}, with its interval")
        set_title(figure, rerun_finding(differences))
        return SVG(to_svg(figure))


def rerun_finding(differences: PrimaryDifferences) -> str:
    """The message of the figure in one sentence."""
    finding = differences.finding
    if differences.gate and not differences.gate.passed:
        return "The check did not pass: these times show nothing"
    numbers = f"{signed(finding.value, 1)} {finding.unit_of_value} {interval(finding.low, finding.high, 1)}"
    return f"{finding.name[0].upper()}{finding.name[1:]}: {numbers}"
