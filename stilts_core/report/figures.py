"""Figures of one run, drawn from its record as SVG: the training curves, and the scores by language."""

import io
import textwrap
from collections.abc import Sequence

from IPython.display import HTML, SVG
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from stilts_core.languages import language
from stilts_core.report.cards import title
from stilts_core.report.distances import by_distance
from stilts_core.report.markup import metric_name

# Okabe and Ito's colours, told apart with every kind of colour vision; markers tell the groups apart without any.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = "os^Dv"
SCRIPTS = {
    "Latin script": ("Latn", "Latin"),
    "Cyrillic, Greek, Georgian": ("Cyrl", "Grek", "Geor", "Cyrillic", "Greek"),
    "Arabic, Hebrew": ("Arab", "Hebr", "Arabic"),
    "scripts of India": ("Beng", "Deva", "Gujr", "Guru", "Mlym", "Taml", "Telu"),
    "East and South-East Asian": ("Hans", "Jpan", "Kore", "Mymr", "Thai"),
}
WIDTH = 5.6  # inches: page width on a desktop, and still legible when a phone shows it at two thirds
TITLE_CHARACTERS = 54  # of a title that fits WIDTH
STYLE = {
    "font.size": 11,
    "axes.titlesize": 11.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#dddddd",
    "legend.frameon": False,
    "svg.hashsalt": "stilts",  # the same record gives the same bytes
}


def by_language(record: dict) -> SVG:
    """Every language's score with its 95 % interval, nearest to English in syntax on top, marked by script."""
    codes = by_distance(record["scores"])
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 1.9 + 0.27 * len(codes)), layout="constrained")
        axes = figure.add_subplot()
        for index, (group, scripts) in enumerate(SCRIPTS.items()):
            rows = [row for row, code in enumerate(codes) if language(code).script in scripts]
            if rows:
                _points(axes, rows, [record["scores"][codes[row]] for row in rows], group, index)
        if "en" in codes:
            axes.axvline(record["scores"]["en"]["score"], color="#888888", linestyle="--", linewidth=1, zorder=0)
        axes.set_yticks(range(len(codes)), [f"{language(code).name} ({code})" for code in codes])
        axes.set_ylim(len(codes) - 0.4, -0.6)
        axes.set_xlabel(f"{metric_name(record['metric'])}, 0–100, with 95 % bootstrap interval")
        if len(codes) > 4:  # room for the words
            axes.set_ylabel("far from English ⟶ near")
        titled(figure, message(record))
        figure.legend(loc="outside lower center", ncols=2, fontsize=9.5)
        return SVG(drawn(figure))


def curves(record: dict) -> SVG | HTML:
    """The training loss of every phase and task by optimiser step; a sentence where nothing was trained."""
    phases = [phase for phase in record["phases"] if phase["curve"]]
    if not phases:
        return HTML("<p>Nothing was trained: the target is scored with the encoder as it is.</p>")
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 2.6 * len(phases) + 0.3), layout="constrained")
        for axes, phase in zip(figure.subplots(len(phases), squeeze=False)[:, 0], phases, strict=True):
            _curve(axes, phase)
        return SVG(drawn(figure))


def layers(record: dict) -> SVG | None:
    """The retrieval score from every hidden state, by language and on average; None where the run has no such sweep."""
    sweep = record.get("layers")
    if not sweep:
        return None
    mean = [sum(scores) / len(sweep) for scores in zip(*sweep.values(), strict=True)]
    best = max(range(len(mean)), key=mean.__getitem__)
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 3.2), layout="constrained")
        axes = figure.add_subplot()
        for scores in sweep.values():
            axes.plot(scores, color="#bbbbbb", linewidth=0.8)
        axes.plot(mean, color=COLOURS[0], marker="o", linewidth=2, label=f"mean of {len(sweep)} languages")
        axes.set_title(f"Hidden state {best} of {len(mean) - 1} retrieves best: {mean[best]:.1f} on average")
        axes.set_xlabel("hidden state (0 = embeddings)")
        axes.set_ylabel(f"{metric_name(record['metric'])}, 0–100")
        axes.legend(fontsize=9.5)
        return SVG(drawn(figure))


def _points(axes: Axes, rows: Sequence[int], scores: Sequence[dict], group: str, index: int) -> None:
    middle = [score["score"] for score in scores]
    below = [score["score"] - score["low"] for score in scores]
    above = [score["high"] - score["score"] for score in scores]
    look = {"color": COLOURS[index], "fmt": MARKERS[index], "elinewidth": 1.5}
    axes.errorbar(middle, rows, xerr=(below, above), label=group, **look)


def message(record: dict) -> str:
    """What the scores say, in one sentence: the title of their figure."""
    scores, others = record["scores"], record["averages"]["non_english"]
    if len(scores) == 1:
        (code, only), *_ = scores.items()
        return f"{title(record)}: {only['score']:.1f} in {language(code).name}"
    if "en" not in scores:
        return f"{title(record)}: {others['score']:.1f} on average over {others['languages']} languages"
    gap = scores["en"]["score"] - others["score"]
    compared = f"{abs(gap):.1f} points {'below' if gap > 0 else 'above'} English"
    return f"{title(record)}: zero-shot mean {others['score']:.1f}, {compared}"


def _curve(axes: Axes, phase: dict) -> None:
    names = list(dict.fromkeys(point["task"] for point in phase["curve"]))
    for index, name in enumerate(names):
        points = [point for point in phase["curve"] if point["task"] == name]
        steps, losses = [point["step"] for point in points], [point["loss"] for point in points]
        look = {"color": COLOURS[index % len(COLOURS)], "linestyle": ("-", "--")[index >= len(COLOURS)]}
        axes.plot(steps, losses, label=name, **look)
    losses = [point["loss"] for point in phase["curve"]]
    tenth = max(1, len(losses) // 10)
    first, last = sum(losses[:tenth]) / tenth, sum(losses[-tenth:]) / tenth
    change = f"loss from {first:.2f} to {last:.2f}" if len(names) == 1 else f"losses of {len(names)} tasks"
    axes.set_title(f"{phase['name'].capitalize()} phase: {change}")
    axes.set_xlabel("optimiser step")
    axes.set_ylabel("training loss")
    axes.set_ylim(bottom=0)
    axes.legend(fontsize=9.5)


def drawn(figure: Figure) -> str:
    """The figure as SVG, the same for the same figure."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def titled(figure: Figure, text: str, characters: int = TITLE_CHARACTERS) -> None:
    """Set a sentence above a figure, flush left and wrapped to its width."""
    figure.suptitle(textwrap.fill(text, characters), x=0.02, ha="left", fontsize=11.5, fontweight="bold")
