"""Figures of the teaching notebooks, from scores that the notebooks have just computed."""

from collections.abc import Mapping, Sequence

import numpy as np
from IPython.display import SVG

from stilts_core.config import LABORATORY
from stilts_core.report.analysis.distances import sort_by_distance
from stilts_core.report.analysis.measurement import measure_run
from stilts_core.report.analysis.slopes import collect_factors, fit_slopes
from stilts_core.report.figures.questions.intervals import IntervalRow, PlottedInterval, draw_intervals
from stilts_core.report.figures.style import (
    COLOURS,
    GREY,
    MARKERS,
    add_legend,
    error_lengths,
    set_rows,
    set_title,
    styled_figure,
    to_svg,
)
from stilts_core.report.figures.transfer import draw_factor
from stilts_core.runs.record import Interval
from stilts_core.scoring.bootstrap import Estimate, average
from stilts_core.studies.findings import Finding

Scores = Mapping[str, Estimate]  # by language
OFFSET = 0.12  # of a row: the two points of a row lie above and below its middle


def draw_comparison(models: Mapping[str, Scores], metric: str, title: str) -> SVG:
    """Draw, for each of several models, the English score and the mean of all other languages with 95 % intervals."""
    with styled_figure(1.5 + 0.5 * len(models)) as figure:
        axes = figure.add_subplot()
        for index, (label, offset) in enumerate((("English", -OFFSET), ("mean of the other languages", OFFSET))):
            estimates = [scores["en"] if label == "English" else average_others(scores) for scores in models.values()]
            values = [estimate.score for estimate in estimates]
            axes.errorbar(
                values,
                [row + offset for row in range(len(models))],
                xerr=error_lengths(values, [estimate.bounds for estimate in estimates]),
                fmt=MARKERS[index],
                color=COLOURS[index],
                label=label,
            )
        set_rows(axes, list(models))
        axes.set_ylim(len(models) - 0.5, -0.5)  # as much room above the first pair of points as below the last
        axes.set_xlabel(f"{metric}, 0–100, with 95 % interval")
        set_title(figure, title)
        add_legend(figure)
        return SVG(to_svg(figure))


def average_others(scores: Scores) -> Estimate:
    """The mean over all languages except English."""
    return average([estimate for code, estimate in scores.items() if code != "en"])


def draw_transfer(scores: Scores, factor: str, metric: str, own: str | None = None) -> SVG:
    """Draw the zero-shot score of every language against `distance` or `pretraining`.

    The language `own` has a star. The line is fitted on both factors without `own`, and has the other factor at its
    mean.
    """
    measured = {code: measure_run(_as_interval(scores[code])) for code in sort_by_distance(scores) if code != "en"}
    others = {code: score for code, score in measured.items() if code != own}
    slopes = fit_slopes(others, collect_factors(list(others), LABORATORY))
    factors = collect_factors(list(measured), LABORATORY)
    return SVG(draw_factor(measured, factors, slopes, factor, LABORATORY, score_name=metric, highlight=own))


def _as_interval(estimate: Estimate) -> Interval:
    low, high = estimate.bounds
    return Interval(score=estimate.score, low=low, high=high)


def draw_pairs(names: Sequence[str], sides: Mapping[str, np.ndarray], axis: str) -> SVG:
    """Draw both scores of every pair as two points on one line.

    `sides` has the scores (pairs,) of the control, then those of the treatment. The title compares the spread of the
    control's scores with that of the differences.
    """
    control, treatment = sides.values()
    spread, of_differences = np.std(control, ddof=1), np.std(treatment - control, ddof=1)
    with styled_figure(1.5 + 0.32 * len(names)) as figure:
        axes = figure.add_subplot()
        rows = range(len(names))
        axes.hlines(rows, control, treatment, color=GREY, linewidth=1.5, zorder=1)
        for place, (label, scores) in enumerate(sides.items()):
            axes.plot(scores, rows, MARKERS[place], color=COLOURS[place], label=label)
        set_rows(axes, names)
        axes.set_xlabel(axis)
        set_title(
            figure,
            f"Standard deviation between encoders: {spread:.1f} points of the control's scores, "
            f"{of_differences:.1f} of the differences",
        )
        add_legend(figure)
        return SVG(to_svg(figure))


def draw_relative_effects(findings: Mapping[str, Finding]) -> SVG:
    """Draw named effects with their intervals in units of their smallest effects of interest, the largest on top."""
    ordered = sorted(findings.items(), key=lambda item: -item[1].value / item[1].sesoi)
    rows = []
    for name, finding in ordered:
        bounds = (bound / finding.sesoi for bound in (finding.value, finding.low, finding.high))
        rows.append(IntervalRow(name, (PlottedInterval(*bounds),)))
    crossing = sum(finding.low < -finding.sesoi and finding.high > finding.sesoi for _, finding in ordered)
    title = f"{crossing} of {len(rows)} intervals hold both a gain and a harm that would matter"
    axis = "difference, in units of the smallest effect of interest"
    return SVG(draw_intervals(rows, title, axis, band=1, band_name="smaller than the smallest effect of interest"))
