"""Figures of transfer as SVG: scores against distance and pretraining size, and an encoder before any fine-tuning."""

from collections.abc import Sequence

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stilts_core.languages import language
from stilts_core.report.distances import LABORATORY, magnitude, size
from stilts_core.report.figures import COLOURS, STYLE, TITLE_CHARACTERS, WIDTH, drawn, titled
from stilts_core.report.labels import label
from stilts_core.report.measured import Measured
from stilts_core.report.slopes import Slope

NAMED = 20  # languages that are written out; more of them go by their codes
NAMED_LINES = 3  # the best of many lines, which are named at their ends
SPREAD = 0.012  # of the axis, by which points of one level are drawn apart


def against(
    scores: dict[str, Measured],
    columns: dict[str, np.ndarray],
    slopes: Sequence[Slope] | None,
    axis: str,
    profile: str,
    title: str,
    *,
    of: str = "mean over targets",
    own: str | None = None,
) -> str:
    """The languages' scores against one factor, with the fitted line where the other factor is at its mean.

    `of` says what is scored; the language `own` gets a star.
    """
    codes, places = list(scores), columns[axis]
    with rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.6), layout="constrained")
        axes = figure.add_subplot()
        apart = _apart(places) * SPREAD * (np.ptp(places) or 1)
        _points(axes, places + apart, list(scores.values()), [size(code, profile) > 0 for code in codes])
        if own:
            middle = codes.index(own)
            look = {"marker": "*", "s": 120, "color": COLOURS[4], "edgecolors": "black", "linewidths": 0.8, "zorder": 4}
            axes.scatter(places[middle] + apart[middle], scores[own].value, **look)
        if slopes:
            others = sum(s.value * columns[s.name].mean() for s in slopes[1:] if s.name != axis)
            (own,) = [slope for slope in slopes if slope.name == axis]
            ends = np.array([places.min(), places.max()])
            axes.plot(ends, slopes[0].value + others + own.value * ends, color="#888888", linestyle="--", zorder=0)
        axes.margins(0.12, 0.08)
        axes.set_ylabel(f"zero-shot score, {of}")
        if axis == "distance":
            axes.set_xlabel("distance to English")
        else:
            _sizes(axes, codes, profile)
        titled(figure, title, TITLE_CHARACTERS + 6)
        _legend(figure, axes)
        middle, bars = [score.value for score in scores.values()], [score.interval for score in scores.values()]
        label(axes, places + apart, middle, names(codes), bars)
        return drawn(figure)


def losses(found: dict[str, float], title: str) -> str:
    """MLM loss on held-out text by language against the size of its pretraining text."""
    codes, values = list(found), [float(loss) for loss in found.values()]
    with rc_context(STYLE):
        figure = Figure(figsize=(6.4, 4.4), layout="constrained")
        axes = figure.add_subplot()
        places = np.array([magnitude(code, LABORATORY) for code in codes])
        places = places + _apart(places) * SPREAD * np.ptp(places)
        axes.scatter(places, values, color=COLOURS[0], zorder=3)
        axes.margins(0.12, 0.1)
        axes.set_ylabel("loss, nats per masked sub-word")
        _sizes(axes, codes, LABORATORY)
        titled(figure, title, TITLE_CHARACTERS + 6)
        label(axes, places, values, names(codes), [(loss, loss) for loss in values])
        return drawn(figure)


def retrieval(sweeps: dict[str, np.ndarray], seen: dict[str, bool], candidates: int, title: str) -> str:
    """Retrieval of English by hidden state, one line for each language, and their mean."""
    others = {code: sweep for code, sweep in sweeps.items() if code != "en"}
    mean = np.mean(list(others.values()), axis=0)
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 3.6), layout="constrained")
        axes = figure.add_subplot()
        for code, states in others.items():
            look = {"color": "#aaaaaa"} if seen[code] else {"color": COLOURS[1], "linestyle": ":"}
            axes.plot(states, linewidth=0.9, **look)
        axes.plot(mean, color=COLOURS[0], marker="o", linewidth=2, label=f"mean of {len(others)} languages")
        axes.plot([], [], color="#aaaaaa", label="seen in pretraining")
        axes.plot([], [], color=COLOURS[1], linestyle=":", label="never seen")
        axes.set_xticks(range(len(mean)))
        axes.set_xlabel("hidden state (0 = embeddings)")
        axes.set_ylabel(f"accuracy among {candidates}, 0–100")
        axes.set_ylim(bottom=0)
        axes.set_xlim(right=len(mean) - 0.6)  # room for names
        axes.legend(fontsize=9.5)
        titled(figure, title, TITLE_CHARACTERS)
        best = sorted(others, key=lambda code: -others[code][-1])[:NAMED_LINES]
        ends = [float(others[code][-1]) for code in best]
        label(axes, [len(mean) - 1] * len(best), ends, names(best), [(end, end) for end in ends])
        return drawn(figure)


def names(codes: Sequence[str]) -> list[str]:
    """The languages' names where they are few, else their codes."""
    return [language(code).name if len(codes) <= NAMED else code for code in codes]


def _points(axes: Axes, places: np.ndarray, scores: Sequence[Measured], seen: Sequence[bool]) -> None:
    for known, colour, marker, text in (
        (True, COLOURS[0], "o", "seen in pretraining"),
        (False, COLOURS[1], "s", "never seen"),
    ):
        own = [index for index, is_seen in enumerate(seen) if is_seen == known]
        if own:
            middle = [scores[index].value for index in own]
            sides = [[abs(scores[index].interval[side] - scores[index].value) for index in own] for side in (0, 1)]
            look = {"color": colour, "fmt": marker, "elinewidth": 1.2, "markersize": 5, "label": text}
            axes.errorbar(places[own], middle, yerr=sides, **look)


def _legend(figure: Figure, axes: Axes) -> None:
    if len(axes.get_legend_handles_labels()[1]) > 1:
        figure.legend(loc="outside lower center", ncols=2, fontsize=9.5)


def _apart(places: np.ndarray) -> np.ndarray:
    """Steps to both sides for points that stand at the same place."""
    steps = np.zeros(len(places))
    for value in np.unique(places):
        (own,) = np.nonzero(places == value)
        steps[own] = np.arange(len(own)) - (len(own) - 1) / 2
    return steps


def _sizes(axes: Axes, codes: Sequence[str], profile: str) -> None:
    """Ticks of the logarithmic axis of pretraining size, named by the sizes themselves."""
    largest = max(size(code, profile) for code in codes)
    if profile == LABORATORY:
        shown = sorted({size(code, profile) for code in codes})
    else:  # MiB: a few round sizes, from a tenth of a GiB
        shown = [value for value in (0, 102.4, 1024, 10240, 102400, 307200) if value <= 1.2 * largest]
    unit = 1000 if profile == LABORATORY else 1024
    axes.set_xticks([np.log10(1 + value) for value in shown], [f"{value / unit:g}" for value in shown])
    counted = "thousands of texts" if profile == LABORATORY else "GiB of CC-100"
    axes.set_xlabel(f"pretraining, {counted} (scale: log10 of 1 + {'texts' if profile == LABORATORY else 'MiB'})")
