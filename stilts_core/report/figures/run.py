"""Figures of one run as SVG: its scores by language, its training curves, and its scores by hidden state."""

from collections.abc import Mapping, Sequence

from IPython.display import HTML, SVG
from matplotlib.axes import Axes

from stilts_core.laboratory.languages import get_language
from stilts_core.report.analysis.distances import sort_by_distance
from stilts_core.report.figures.centring import draw_centring
from stilts_core.report.figures.style import (
    COLOURS,
    FEW_ROWS,
    HIDDEN_STATE,
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
from stilts_core.report.tables.html import metric_name
from stilts_core.report.tables.titles import run_title
from stilts_core.runs.record import CurvePoint, LanguageScore, Record

SCRIPTS = {
    "Latin script": ("Latn", "Latin"),
    "Cyrillic, Greek, Armenian, Georgian": ("Cyrl", "Grek", "Armn", "Geor", "Cyrillic", "Greek"),
    "Arabic, Hebrew, Ethiopic": ("Arab", "Hebr", "Ethi", "Arabic"),
    "scripts of South Asia": ("Beng", "Deva", "Gujr", "Guru", "Mlym", "Sinh", "Taml", "Telu"),
    "East and South-East Asian": ("Hans", "Jpan", "Kore", "Mymr", "Thai"),
}


def draw_scores(record: Record) -> SVG | HTML:
    """Draw every language's score with its 95 % interval, nearest to English on top, with a marker for each script.

    A sentence instead if no language was scored.
    """
    if not record.scores:
        return HTML(f"<p>{scores_finding(record)}</p>")
    codes = sort_by_distance(record.scores)
    with styled_figure(1.9 + 0.27 * len(codes)) as figure:
        axes = figure.add_subplot()
        for index, (group, scripts) in enumerate(SCRIPTS.items()):
            rows = [row for row, code in enumerate(codes) if get_language(code).script in scripts]
            if rows:
                _draw_points(axes, rows, [record.scores[codes[row]] for row in rows], group, index)
        if "en" in codes:
            mark_value(axes, record.scores["en"].score)
        set_rows(axes, [f"{get_language(code).name} ({code})" for code in codes])
        axes.set_xlabel(f"{metric_name(record.metric)}, 0–100, with 95 % bootstrap interval")
        if len(codes) > FEW_ROWS:
            axes.set_ylabel("far from English ⟶ near")
        set_title(figure, scores_finding(record))
        add_legend(figure)
        return SVG(to_svg(figure))


def scores_finding(record: Record) -> str:
    """The finding of a run in one sentence: its zero-shot mean, compared with English where English was scored."""
    title, scores, others = run_title(record.config), record.scores, record.averages.non_english
    if not scores:
        return f"{title}: no score, because the test parts have no labels"
    if len(scores) == 1 or others is None:
        code, score = next(iter(scores.items()))
        return f"{title}: {score.score:.1f} in {get_language(code).name}"
    if "en" not in scores:
        return f"{title}: {others.score:.1f} on average over {others.languages} languages"
    gap = scores["en"].score - others.score
    comparison = f"{abs(gap):.1f} points {'below' if gap > 0 else 'above'} English"
    return f"{title}: zero-shot mean {others.score:.1f}, {comparison}"


def draw_training(record: Record) -> SVG | HTML:
    """Draw the training loss of every phase; a sentence instead if the run trained nothing."""
    curves: dict[str, Sequence[CurvePoint]] = {}
    is_chain = [phase.name for phase in record.phases].count("intermediate") > 1
    for number, phase in enumerate(record.phases, start=1):
        if phase.curve:
            curves[f"{number}. " * is_chain + phase.name] = phase.curve
    if not curves:
        return HTML("<p>Nothing was trained: the target is scored with the encoder as it was loaded.</p>")
    return draw_loss_curves(curves)


def draw_loss_curves(curves: Mapping[str, Sequence[CurvePoint]]) -> SVG:
    """Draw training losses by optimiser step: one panel for each phase, one line for each task of the phase."""
    with styled_figure(2.6 * len(curves) + 0.3) as figure:
        panels = figure.subplots(len(curves), squeeze=False)[:, 0]
        for axes, (phase, points) in zip(panels, curves.items(), strict=True):
            _draw_curve(axes, phase, points)
        return SVG(to_svg(figure))


def draw_layers(record: Record) -> SVG | None:
    """Draw the retrieval score from every hidden state; None for a run without them.

    A record of an earlier version has raw scores after the phases only: they are drawn by language and on average.
    """
    if centred := draw_centring(record):
        return centred
    sweeps = record.layers
    if not sweeps:
        return None
    mean = [sum(scores) / len(sweeps) for scores in zip(*sweeps.values(), strict=True)]
    best = max(range(len(mean)), key=mean.__getitem__)
    with styled_figure(3.2) as figure:
        axes = figure.add_subplot()
        for scores in sweeps.values():
            axes.plot(scores, color=LIGHT_GREY, linewidth=0.8)
        axes.plot(mean, color=COLOURS[0], marker="o", linewidth=2, label=f"mean of {len(sweeps)} languages")
        axes.set_title(f"Hidden state {best} of {len(mean) - 1} retrieves best: {mean[best]:.1f} on average")
        axes.set_xlabel(HIDDEN_STATE)
        axes.set_ylabel(f"{metric_name(record.metric)}, 0–100")
        axes.legend()
        return SVG(to_svg(figure))


def _draw_points(axes: Axes, rows: Sequence[int], scores: Sequence[LanguageScore], group: str, index: int) -> None:
    values = [score.score for score in scores]
    axes.errorbar(
        values,
        rows,
        xerr=error_lengths(values, [(score.low, score.high) for score in scores]),
        label=group,
        color=COLOURS[index],
        fmt=MARKERS[index],
        elinewidth=1.5,
    )


def _draw_curve(axes: Axes, phase: str, points: Sequence[CurvePoint]) -> None:
    tasks = list(dict.fromkeys(point["task"] for point in points))
    for index, task in enumerate(tasks):
        own = [point for point in points if point["task"] == task]
        axes.plot(
            [point["step"] for point in own],
            [point["loss"] for point in own],
            label=task,
            color=COLOURS[index % len(COLOURS)],
            linestyle="-" if index < len(COLOURS) else "--",
        )
    axes.set_title(f"{phase.capitalize()} phase: {_describe_change(points, len(tasks))}")
    axes.set_xlabel("optimiser step")
    axes.set_ylabel("training loss")
    axes.set_ylim(bottom=0)
    axes.legend()


def _describe_change(points: Sequence[CurvePoint], tasks: int) -> str:
    """The mean loss over the first and the last tenth of the points; with several tasks, only their number."""
    if tasks > 1:
        return f"losses of {tasks} tasks"
    losses = [point["loss"] for point in points]
    tenth = max(1, len(losses) // 10)
    first, last = sum(losses[:tenth]) / tenth, sum(losses[-tenth:]) / tenth
    return f"loss from {first:.2f} to {last:.2f}"
