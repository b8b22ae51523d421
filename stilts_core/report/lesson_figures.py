"""Figures of the teaching notebooks, from scores that they have just computed."""

from collections.abc import Mapping

from IPython.display import SVG
from matplotlib import rc_context
from matplotlib.figure import Figure

from stilts_core.intervals import Estimate, average
from stilts_core.report import transfer_figures
from stilts_core.report.distances import LABORATORY, by_distance
from stilts_core.report.figures import COLOURS, MARKERS, STYLE, WIDTH, drawn, titled
from stilts_core.report.measured import Measured, of_runs
from stilts_core.report.slopes import factors, fit
from stilts_core.report.transfer import message

Scores = Mapping[str, Estimate]  # by language


def compared(models: Mapping[str, Scores], metric: str, title: str) -> SVG:
    """English, and the mean of all other languages, for each of several models, with 95 % intervals."""
    names = list(models)
    with rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, 1.5 + 0.5 * len(names)), layout="constrained")
        axes = figure.add_subplot()
        for index, (text, apart) in enumerate((("English", -0.12), ("mean of the other languages", 0.12))):
            found = [scores["en"] if text == "English" else others(scores) for scores in models.values()]
            middle = [estimate.score for estimate in found]
            sides = [[abs(estimate.score - estimate.bounds[side]) for estimate in found] for side in (0, 1)]
            rows = [row + apart for row in range(len(names))]
            axes.errorbar(middle, rows, xerr=sides, fmt=MARKERS[index], color=COLOURS[index], label=text)
        axes.set_yticks(range(len(names)), names)
        axes.set_ylim(len(names) - 0.5, -0.5)
        axes.set_xlabel(f"{metric}, 0–100, with 95 % interval")
        titled(figure, title)
        figure.legend(loc="outside lower center", ncols=2, fontsize=9.5)
        return SVG(drawn(figure))


def others(scores: Scores) -> Estimate:
    """The mean over all languages but English."""
    return average([estimate for code, estimate in scores.items() if code != "en"])


def transfer(scores: Scores, axis: str, metric: str, own: str | None = None) -> SVG:
    """The zero-shot score of every language against `distance` or `pretraining`, the language `own` with a star.

    The line is the fit of both together, the other one at its mean, to all languages but `own`.
    """
    measured = {code: _measured(scores[code]) for code in by_distance(scores) if code != "en"}
    known = {code: score for code, score in measured.items() if code != own}
    slopes = fit(known, factors(list(known), LABORATORY))
    columns = factors(list(measured), LABORATORY)
    title = message(axis, slopes)
    return SVG(transfer_figures.against(measured, columns, slopes, axis, LABORATORY, title, of=metric, own=own))


def _measured(estimate: Estimate) -> Measured:
    return of_runs([estimate.to_dict()])
