"""The page "Transfer": how zero-shot scores depend on distance to English and on pretraining size."""

from collections.abc import Mapping, Sequence
from itertools import chain
from typing import NamedTuple

import numpy as np

from stilts_core.config import LABORATORY
from stilts_core.laboratory.language.design import ENGLISH, LANGUAGES
from stilts_core.laboratory.languages import get_language
from stilts_core.report.analysis.distances import (
    describe_distance,
    distance_to_english,
    format_size,
    pretraining_size,
    size_unit,
)
from stilts_core.report.analysis.grid import BASELINE, Cell, Grid
from stilts_core.report.analysis.measurement import Measurement
from stilts_core.report.analysis.slopes import Slope, collect_factors, fit_slopes, score_languages, share_replicates
from stilts_core.report.figures.image import markdown_image
from stilts_core.report.figures.transfer import DISTANCE_STEP, draw_factor
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages import pretraining
from stilts_core.report.pages.csv_numbers import format_columns, name_columns
from stilts_core.report.tables.html import count, markdown_table
from stilts_core.report.tables.numbers import half_width, interval, signed, with_minus_signs

# For each factor, the step for which its slope is reported: its size and its name.
STEPS: Mapping[str, tuple[float, str]] = {
    "distance": (DISTANCE_STEP, "a tenth of distance"),
    "pretraining": (1, "ten times as much pretraining text"),
    "other script": (1, "another script than English's"),
    "cognates": (10, "ten more words in a hundred shared with English"),
}
QUESTIONS = {
    "distance": "Does zero-shot transfer fall with distance?",
    "pretraining": "Does it rise with the size of the pretraining text?",
}
NEGLIGIBLE_CORRELATION = 0.1  # of distance and size: below it, a model can separate their effects


class _Analysis(NamedTuple):
    """A set of cells, each language's mean over them, the languages' factors, and the slopes of a model of both."""

    name: str
    cells: list[Cell]
    scores: dict[str, Measurement]
    factors: dict[str, np.ndarray]
    slopes: list[Slope] | None


def build_page(grid: Grid, encoders: Sequence[dict], source: str, writer: PageWriter) -> str:
    """The generated part of the page, as MyST; its figures and CSV files go through `writer`."""
    own = [cell for cell in grid.cells.values() if cell.records[0].config.data_source == source]
    cells = [cell for cell in own if not (cell.is_control or cell.same_data)]
    baseline = _analyse("without intermediate training", [cell for cell in cells if cell.row == BASELINE], source)
    all_rows = _analyse("over all rows of the grid", cells, source)
    if not all_rows.scores:
        return "No run of this profile has scored two languages besides English yet.\n"
    plotted = baseline if baseline.scores else all_rows
    parts = []
    for factor, question in QUESTIONS.items():
        path = f"generated/transfer-{factor}.svg"
        figure = draw_factor(plotted.scores, plotted.factors, plotted.slopes, factor, source)
        writer.write(path, figure)
        description = f"The scores of {len(plotted.scores)} languages; the table below has the numbers."
        parts += [f"## {question}", markdown_image(figure, path, description)]
    parts += [
        _explain(plotted, source),
        *_slopes([baseline, all_rows]),
        _language_table(baseline, all_rows, source, writer),
    ]
    if source == LABORATORY:
        parts += _other_factors(all_rows)
    if encoders:
        parts += pretraining.build_sections(encoders, writer)
    return "\n\n".join(parts) + "\n"


def _analyse(name: str, cells: Sequence[Cell], source: str) -> _Analysis:
    shared = share_replicates(cells)
    scores = score_languages(shared)
    factors = collect_factors(list(scores), source)
    return _Analysis(name, shared, scores, factors, fit_slopes(scores, factors))


def _explain(plotted: _Analysis, source: str) -> str:
    """What the two figures show, and whether the model can separate the effects of the two factors."""
    seeds = len({record.seed for cell in plotted.cells for record in cell.records})
    targets = len({cell.target for cell in plotted.cells})
    correlation = _correlate(*plotted.factors.values())
    consequence = (
        "so that the model can separate their effects"
        if abs(correlation) < NEGLIGIBLE_CORRELATION
        else "so that either may explain what the other seems to explain: neither slope need be a causal effect"
    )
    return (
        f"Each point is a language, {plotted.name}: its mean over {count(targets, 'target')} and "
        f"{count(seeds, 'seed')}. Targets are scored in different languages, so their scores are first shifted "
        "to a common mean. Bars are 95 % intervals of a language's mean, over seeds if there are several and over test "
        "items if there is one. The line comes from one model with both factors, "
        f"with the other factor at its mean. Distance to English is {describe_distance(source)}; the size of the "
        f"pretraining text is in {size_unit(source)}. Over these languages the two factors correlate at "
        f"{with_minus_signs(f'{correlation:.2f}')}, {consequence}."
    )


def _correlate(one: np.ndarray, other: np.ndarray) -> float:
    """Pearson's correlation; 0 if a factor does not vary, and for values that are printed as zero."""
    correlation = np.corrcoef(one, other)[0, 1] if np.ptp(one) and np.ptp(other) else 0.0
    return 0.0 if abs(correlation) < 0.005 else float(correlation)


def _slopes(analyses: Sequence[_Analysis]) -> list[str]:
    """The section with the slopes in words and in a table."""
    rows = [
        [analysis.name, STEPS[slope.name][1], _format_slope(slope), len(analysis.scores)]
        for analysis in analyses
        for slope in (analysis.slopes or ())[1:]
    ]
    if not rows:
        return ["A model of both factors needs more languages than were scored: no slope is fitted."]
    sentences = [_slopes_in_words(analysis.name, analysis.slopes) for analysis in analyses if analysis.slopes]
    return [
        "## How steep is it?",
        " ".join(sentences),
        markdown_table(["runs", "for each", "points (95 %)", "languages"], rows),
        "Points of zero-shot score for a step of one factor, with the other factor held constant. The intervals "
        "(Student's) are over languages: they say what other languages of these kinds would give. The rows of the grid "
        "are without controls, and without cells whose intermediate task is the target's own training set: they show "
        "no transfer.",
    ]


def _slopes_in_words(name: str, slopes: Sequence[Slope]) -> str:
    effects = []
    for slope in slopes[1:]:
        value, low, high = _scale(slope)
        doubt = " (or nothing: the interval includes zero)" if low < 0 < high else ""
        effects.append(f"{STEPS[slope.name][1]} {'brings' if value > 0 else 'costs'} {abs(value):.1f} points{doubt}")
    return f"{name.capitalize()}, {' and '.join(effects)}."


def _scale(slope: Slope) -> tuple[float, float, float]:
    """A slope and its interval for the step of its factor."""
    step, _ = STEPS[slope.name]
    return slope.value * step, slope.low * step, slope.high * step


def _format_slope(slope: Slope) -> str:
    value, low, high = _scale(slope)
    return f"{signed(value)} {interval(low, high)}"


def _language_table(baseline: _Analysis, all_rows: _Analysis, source: str, writer: PageWriter) -> str:
    """The table of the languages' factors and scores, with its CSV file."""
    rows, csv_rows = [], []
    for code, score in all_rows.scores.items():
        scores = [baseline.scores.get(code), score]
        name, distance = get_language(code).name, distance_to_english(code)
        linked = f"[{name}](generated/languages/{code}.md)" if source == LABORATORY else name
        printed = [f"{value.value:.1f} ± {half_width(*value.interval)}" if value else "–" for value in scores]
        rows.append([linked, f"{distance:.2f}", format_size(code, source), *printed])
        size = f"{pretraining_size(code, source):g}"
        csv_rows.append([code, f"{distance:.4f}", size, *chain.from_iterable(map(format_columns, scores))])
    columns = name_columns(("baseline", "all_rows"))
    path = writer.write_csv("transfer", ["language", "distance", "pretraining", *columns], csv_rows)
    headings = ["language", "distance", f"pretraining, {size_unit(source)}", baseline.name, all_rows.name]
    return f"{markdown_table(headings, rows)}\n{{download}}`CSV <{path}>`"


def _other_factors(all_rows: _Analysis) -> list[str]:
    """The slopes of all four factors of the laboratory's design in one model."""
    languages = [LANGUAGES[code] for code in all_rows.scores]
    other_script = np.array([float(language.script is not ENGLISH.script) for language in languages])
    cognates = np.array([float(language.cognates) for language in languages])
    slopes = fit_slopes(all_rows.scores, all_rows.factors | {"other script": other_script, "cognates": cognates})
    if not slopes:
        return []
    return [
        "## What else does the laboratory vary?",
        "Script and cognates are assigned so that no factor correlates with another "
        "([the design](generated/languages/design.md)). All four factors in one model, over all rows:",
        markdown_table(
            ["for each", "points (95 %)"], [[STEPS[slope.name][1], _format_slope(slope)] for slope in slopes[1:]]
        ),
    ]
