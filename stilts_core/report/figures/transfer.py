"""Figures of transfer as SVG: scores against distance and pretraining size, and an encoder before fine-tuning."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stilts_core.config import LABORATORY
from stilts_core.laboratory.languages import get_language
from stilts_core.report.analysis.distances import log_size, pretraining_size
from stilts_core.report.analysis.measurement import Measurement
from stilts_core.report.analysis.slopes import Slope
from stilts_core.report.figures.labels import place_labels
from stilts_core.report.figures.style import (
    COLOURS,
    GREY,
    HIDDEN_STATE,
    TITLE_CHARACTERS,
    add_legend,
    error_lengths,
    set_title,
    styled_figure,
    to_svg,
)

WIDE = 6.4  # inches: names need more room than the width of other figures
WIDE_TITLE = TITLE_CHARACTERS + 6
MAX_NAMES = 20  # languages that are labelled by name; more languages are labelled by code
LABELLED_LINES = 3  # the best lines of a figure, which are labelled at their ends
DISTANCE_STEP = 0.1  # slopes are reported for this step of distance, and for ten times as much pretraining text
SPREAD = 0.012  # of the axis: the step between points with the same value, so that they do not cover each other


def draw_factor(
    scores: Mapping[str, Measurement],
    factors: Mapping[str, np.ndarray],
    slopes: Sequence[Slope] | None,
    factor: str,
    source: str,
    *,
    score_name: str = "mean over targets",
    highlight: str | None = None,
) -> str:
    """Draw the languages' scores against one factor.

    The line is the fitted model with every other factor at its mean. `score_name` describes the scores; the language
    `highlight` has a star.
    """
    codes, values = list(scores), [score.value for score in scores.values()]
    places = _spread(factors[factor])
    with styled_figure(4.6, WIDE) as figure:
        axes = figure.add_subplot()
        _draw_points(axes, places, list(scores.values()), [pretraining_size(code, source) > 0 for code in codes])
        if highlight:
            star = codes.index(highlight)
            axes.scatter(
                places[star], values[star],
                marker="*", s=120, color=COLOURS[4], edgecolors="black", linewidths=0.8, zorder=4,
            )  # fmt: skip
        if slopes:
            _draw_line(axes, factors, slopes, factor)
        axes.margins(0.12, 0.08)
        axes.set_ylabel(f"zero-shot score, {score_name}")
        if factor == "distance":
            axes.set_xlabel("distance to English")
        else:
            _set_size_axis(axes, codes, source)
        set_title(figure, factor_finding(factor, slopes), WIDE_TITLE)
        if len(axes.get_legend_handles_labels()[1]) > 1:
            add_legend(figure)
        intervals = [score.interval for score in scores.values()]
        place_labels(figure, axes, places, values, language_labels(codes), intervals)
        return to_svg(figure)


def factor_finding(factor: str, slopes: Sequence[Slope] | None) -> str:
    """The finding about one factor in one sentence: whether zero-shot scores fall or rise with it."""
    name = "distance" if factor == "distance" else "the size of the pretraining text"
    if not slopes:
        return f"Zero-shot scores against {name}"
    slope = next(slope for slope in slopes if slope.name == factor)
    if slope.low < 0 < slope.high:
        return f"Zero-shot scores do not clearly change with {name}"
    change, unit = (
        (DISTANCE_STEP * slope.value, f"{DISTANCE_STEP} of distance")
        if factor == "distance"
        else (slope.value, "tenfold pretraining text")
    )
    return f"Zero-shot scores {'fall' if change < 0 else 'rise'} by {abs(change):.1f} points per {unit}"


def draw_pretraining_losses(losses: Mapping[str, float], title: str) -> str:
    """Draw each language's MLM loss on fresh text against the size of its pretraining text."""
    codes, values = list(losses), [float(loss) for loss in losses.values()]
    with styled_figure(4.4, WIDE) as figure:
        axes = figure.add_subplot()
        places = _spread(np.array([log_size(code, LABORATORY) for code in codes]))
        axes.scatter(places, values, color=COLOURS[0], zorder=3)
        axes.margins(0.12, 0.1)
        axes.set_ylabel("loss, nats per masked sub-word")
        _set_size_axis(axes, codes, LABORATORY)
        set_title(figure, title, WIDE_TITLE)
        place_labels(figure, axes, places, values, language_labels(codes), [(loss, loss) for loss in values])
        return to_svg(figure)


def draw_retrieval(
    sweeps: Mapping[str, np.ndarray], in_pretraining: Mapping[str, bool], candidates: int, title: str
) -> str:
    """Draw how well sentences of each language retrieve English ones, by hidden state, and the mean of the languages.

    `sweeps` has the accuracies by language, each (states,); `candidates` is the number of sentences to choose from.
    """
    others = {code: sweep for code, sweep in sweeps.items() if code != "en"}
    mean = np.mean(list(others.values()), axis=0)
    with styled_figure(3.9) as figure:
        axes = figure.add_subplot()
        for code, sweep in others.items():
            colour, style = ("#aaaaaa", "-") if in_pretraining[code] else (COLOURS[1], ":")
            axes.plot(sweep, linewidth=0.9, color=colour, linestyle=style)
        axes.plot(mean, color=COLOURS[0], marker="o", linewidth=2, label=f"mean of {len(others)} languages")
        axes.plot([], [], color="#aaaaaa", label="seen in pretraining")
        axes.plot([], [], color=COLOURS[1], linestyle=":", label="never seen")
        axes.set_xticks(range(len(mean)))
        axes.set_xlabel(HIDDEN_STATE)
        axes.set_ylabel(f"accuracy among {candidates}, 0–100")
        axes.set_ylim(bottom=0)
        axes.set_xlim(right=len(mean) - 0.6)  # leaves room for the names
        set_title(figure, title)
        add_legend(figure, 3)
        _label_best_lines(figure, axes, others)
        return to_svg(figure)


def language_labels(codes: Sequence[str]) -> list[str]:
    """The languages' names, or their codes if there are too many languages for names."""
    return [get_language(code).name if len(codes) <= MAX_NAMES else code for code in codes]


def _draw_points(axes: Axes, places: np.ndarray, scores: Sequence[Measurement], in_pretraining: Sequence[bool]) -> None:
    """Draw scores with their intervals; languages that pretraining never saw have another colour and marker."""
    for seen, colour, marker, label in (
        (True, COLOURS[0], "o", "seen in pretraining"),
        (False, COLOURS[1], "s", "never seen"),
    ):
        own = [index for index, is_seen in enumerate(in_pretraining) if is_seen == seen]
        if own:
            values = [scores[index].value for index in own]
            axes.errorbar(
                places[own],
                values,
                yerr=error_lengths(values, [scores[index].interval for index in own]),
                color=colour,
                fmt=marker,
                elinewidth=1.2,
                markersize=5,
                label=label,
            )


def _draw_line(axes: Axes, factors: Mapping[str, np.ndarray], slopes: Sequence[Slope], factor: str) -> None:
    """Draw the fitted scores along one factor, with every other factor at its mean."""
    intercept, *others = slopes
    at_means = sum(slope.value * factors[slope.name].mean() for slope in others if slope.name != factor)
    (own,) = [slope for slope in others if slope.name == factor]
    ends = np.array([factors[factor].min(), factors[factor].max()])
    axes.plot(ends, intercept.value + at_means + own.value * ends, color=GREY, linestyle="--", zorder=0)


def _label_best_lines(figure: Figure, axes: Axes, sweeps: Mapping[str, np.ndarray]) -> None:
    """Write the names of the languages with the best last values beside the ends of their lines."""
    best = sorted(sweeps, key=lambda code: -sweeps[code][-1])[:LABELLED_LINES]
    ends = [float(sweeps[code][-1]) for code in best]
    xs = [float(len(sweeps[code]) - 1) for code in best]
    place_labels(figure, axes, xs, ends, language_labels(best), [(end, end) for end in ends])


def _spread(values: np.ndarray) -> np.ndarray:
    """The values, with equal ones moved apart to both sides."""
    steps = np.zeros(len(values))
    for value in np.unique(values):
        (equal,) = np.nonzero(values == value)
        steps[equal] = np.arange(len(equal)) - (len(equal) - 1) / 2
    return values + steps * SPREAD * (np.ptp(values) or 1)


def _set_size_axis(axes: Axes, codes: Sequence[str], source: str) -> None:
    """Label the logarithmic axis of pretraining size with the sizes themselves."""
    sizes = {pretraining_size(code, source) for code in codes}
    if source == LABORATORY:
        ticks, unit, name, logged = sorted(sizes), 1000, "thousands of texts", "texts"
    else:  # in MiB: some round sizes, from a tenth of a GiB
        ticks = [size for size in (0, 102.4, 1024, 10240, 102400, 307200) if size <= 1.2 * max(sizes)]
        unit, name, logged = 1024, "GiB of CC-100", "MiB"
    axes.set_xticks([float(np.log10(1 + size)) for size in ticks], [f"{size / unit:g}" for size in ticks])
    axes.set_xlabel(f"pretraining, {name} (scale: log10 of 1 + {logged})")
