"""The page "Transfer": what distance to English and pretraining size do to zero-shot scores, said in words."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from stilts_core.languages import language
from stilts_core.report import pretrained, transfer_figures
from stilts_core.report.distances import LABORATORY, distance, distance_meant, size, size_said, size_unit
from stilts_core.report.grid import BASELINE, Cell, Grid
from stilts_core.report.grid_table import half, minus
from stilts_core.report.markup import pipe_table
from stilts_core.report.measured import Measured
from stilts_core.report.pages import Pages
from stilts_core.report.slopes import Slope, factors, fit, language_scores

# What is said of a factor: the step that its slope is told in, in its own units and in words.
STEPS = {
    "distance": (0.1, "a tenth of distance"),
    "pretraining": (1, "ten times as much pretraining text"),
    "other script": (1, "another script than English's"),
    "cognates": (10, "ten more words in a hundred shared with English"),
}
QUESTIONS = {
    "distance": "Does zero-shot transfer fall with distance?",
    "pretraining": "Does it rise with the size of the pretraining text?",
}
DESIGNED = 0.1  # a correlation of distance and size below it lets the two be told apart


class Fit(NamedTuple):
    """A set of runs, every language's mean over them, the factors of these languages, and the fitted slopes."""

    name: str
    cells: list[Cell]
    scores: dict[str, Measured]
    columns: dict[str, np.ndarray]
    slopes: list[Slope] | None


def page(grid: Grid, encoders: Sequence[dict], profile: str, pages: Pages) -> str:
    """The generated part of the page, as MyST; figures and CSV files go through `pages`."""
    cells = [cell for cell in grid.cells.values() if not cell.row.endswith("+sham")]
    base = _fitted("without intermediate training", [cell for cell in cells if cell.row == BASELINE], profile)
    everything = _fitted("over all rows of the grid", cells, profile)
    if not everything.scores:
        return "No run of this profile has scored two languages beside English yet.\n"
    shown = base if base.scores else everything
    parts = []
    for axis, question in QUESTIONS.items():
        title = message(axis, shown.slopes)
        figure = transfer_figures.against(shown.scores, shown.columns, shown.slopes, axis, profile, title)
        pages.write(f"generated/transfer-{axis}.svg", figure)
        alt = f"Zero-shot score of {len(shown.scores)} languages against {axis}; the table below has the numbers."
        parts += [f"## {question}", f"![{alt}](generated/transfer-{axis}.svg)"]
    parts += [_explained(shown, profile), *_slopes([base, everything]), _table(base, everything, profile, pages)]
    if profile == LABORATORY:
        parts += _laboratory(everything, profile)
    if encoders:
        parts += pretrained.sections(encoders, pages)
    return "\n\n".join(parts) + "\n"


def _fitted(name: str, cells: list[Cell], profile: str) -> Fit:
    scores = language_scores(cells)
    columns = factors(list(scores), profile)
    return Fit(name, cells, scores, columns, fit(scores, columns))


def message(axis: str, slopes: Sequence[Slope] | None) -> str:
    named = "distance" if axis == "distance" else "the size of the pretraining text"
    if not slopes:
        return f"Zero-shot scores against {named}"
    value, low, high = _told(next(slope for slope in slopes if slope.name == axis))
    if low < 0 < high:
        return f"Zero-shot scores do not clearly change with {named}"
    unit = "0.1 of distance" if axis == "distance" else "tenfold pretraining text"
    return f"Zero-shot scores {'fall' if value < 0 else 'rise'} by {abs(value):.1f} points per {unit}"


def _told(slope: Slope) -> tuple[float, float, float]:
    """A slope and its interval in the step that it is told in."""
    step, _ = STEPS[slope.name]
    return slope.value * step, slope.low * step, slope.high * step


def _explained(shown: Fit, profile: str) -> str:
    """What the two figures show, and whether the two factors can be told apart."""
    seeds = len({record["config"]["seed"] for cell in shown.cells for record in cell.records})
    targets = len({cell.target for cell in shown.cells})
    together = _correlation(*shown.columns.values())
    apart = (
        "so that the two can be told apart"
        if abs(together) < DESIGNED
        else "so that what one of them explains the other may, too: neither slope need be that of a cause"
    )
    return (
        f"Each point is a language, {shown.name}: its mean over {targets} target{'s' * (targets > 1)} and {seeds} "
        f"seed{'s' * (seeds > 1)}; targets that have other languages are put on one mean first. Bars are 95 % "
        "intervals of that mean. The line comes from one model with both factors, with the other at its mean. Distance "
        f"to English is {distance_meant(profile)}, the size of the pretraining text that of {size_unit(profile)}. Over "
        f"these languages the two correlate at {minus(f'{together:.2f}')}, {apart}."
    )


def _correlation(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's; 0 where one of both is the same everywhere."""
    together = np.corrcoef(one, other)[0, 1] if np.ptp(one) and np.ptp(other) else 0.0
    return 0.0 if abs(together) < 0.005 else float(together)


def _slopes(fits: Sequence[Fit]) -> list[str]:
    rows = [
        [fitted.name, STEPS[slope.name][1], _interval(slope), len(fitted.scores)]
        for fitted in fits
        for slope in (fitted.slopes or ())[1:]
    ]
    if not rows:
        return ["Fewer languages were scored than a model of both factors takes: no slope is fitted."]
    return [
        "## How steep is it?",
        " ".join(_words(fitted) for fitted in fits if fitted.slopes),
        pipe_table(["runs", "for each", "points (95 %)", "languages"], rows),
        "Points of zero-shot score for a step of one factor, the other held still. Languages are the units that vary: "
        "the intervals (Student's) say what other languages of these kinds would give.",
    ]


def _words(fitted: Fit) -> str:
    effects = []
    for slope in fitted.slopes[1:]:
        value, low, high = _told(slope)
        unsure = " (or nothing: the interval holds zero)" if low < 0 < high else ""
        effects.append(f"{STEPS[slope.name][1]} {'brings' if value > 0 else 'costs'} {abs(value):.1f} points{unsure}")
    return f"{fitted.name.capitalize()}, {' and '.join(effects)}."


def _interval(slope: Slope) -> str:
    value, low, high = _told(slope)
    return minus(f"{value:+.2f} ({low:+.2f} to {high:+.2f})")


def _table(base: Fit, everything: Fit, profile: str, pages: Pages) -> str:
    rows, lines = [], []
    for code, score in everything.scores.items():
        own = [base.scores.get(code), score]
        name, far = language(code).name, distance(code)
        linked = f"[{name}](generated/languages/{code}.md)" if profile == LABORATORY else name
        shown = [f"{value.value:.1f} ± {half(value)}" if value else "–" for value in own]
        rows.append([linked, f"{far:.2f}", size_said(code, profile), *shown])
        numbers = [f"{number:.4f}" for value in own if value for number in (value.value, *value.interval)]
        lines.append([code, f"{far:.4f}", f"{size(code, profile):g}", *([""] * (6 - len(numbers))), *numbers])
    ends = ("", "_low", "_high")
    columns = [f"{name}{end}" for name in ("baseline", "all_rows") for end in ends]
    path = pages.table("transfer", ["language", "distance", "pretraining", *columns], lines)
    heads = ["language", "distance", f"pretraining, {size_unit(profile)}", base.name, everything.name]
    return f"{pipe_table(heads, rows)}\n{{download}}`CSV <{path}>`"


def _laboratory(everything: Fit, profile: str) -> list[str]:
    """The other two factors of the design in the same model, which share no variance with the first two."""
    from stilts_core.sources.lab.languages import ENGLISH, LANGUAGES

    made = [LANGUAGES[code] for code in everything.scores]
    other = np.array([float(language.script is not ENGLISH.script) for language in made])
    cognates = np.array([float(language.cognates) for language in made])
    slopes = fit(everything.scores, everything.columns | {"other script": other, "cognates": cognates})
    if not slopes:
        return []
    return [
        "## What else does the laboratory vary?",
        "Script and cognates are laid over distance and size so that no factor correlates with another "
        "([the design](generated/languages/design.md)). All four in one model, over all rows:",
        pipe_table(["for each", "points (95 %)"], [[STEPS[slope.name][1], _interval(slope)] for slope in slopes[1:]]),
    ]
