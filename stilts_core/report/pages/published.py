"""The page "Published results": published scores as tables of systems by tasks, with this book's rows below them."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stilts_core.config import LABORATORY
from stilts_core.report.analysis.distances import sort_by_distance
from stilts_core.report.analysis.grid import Grid
from stilts_core.report.analysis.grid_run import GridRun
from stilts_core.report.analysis.published import (
    RETRIEVAL_SYSTEM,
    RETRIEVAL_TASKS,
    XTREME,
    Column,
    OwnScore,
    PublishedScores,
    own_score,
    read_means,
    read_retrieval,
)
from stilts_core.report.colours import TEXT, difference_colour, to_css
from stilts_core.report.escape import code_span, html_text, markdown_text
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages.questions.names import list_words
from stilts_core.report.tables.grid import MISSING_CELL, build_table, header_cell, table_row
from stilts_core.report.tables.html import count, markdown_table, metric_name
from stilts_core.report.tables.numbers import half_width, signed
from stilts_core.report.tables.titles import short_title
from stilts_core.tasks.catalogue import TARGET_TASKS, get_task
from stilts_core.tasks.facts import read_facts
from stilts_core.tasks.languages import get_language

REFERENCE = RETRIEVAL_SYSTEM  # colours show differences from it: it had no intermediate training
COMPARABLE = (
    "Compare numbers within a column only: all of a column are in the same metric. Published means are over XTREME's "
    "languages of a task, whose number stands below the task's name. A number of this book has no colour where it "
    "differs in more than the encoder, and small print says how: *3 of 9 languages* if it is a mean over fewer "
    "languages, *at most 200 items* if fewer test items were scored, *same data* if the intermediate task is the "
    "target's own training set. Laboratory rows are never in these tables: their languages and sentences are invented."
)
COLOURS = (
    f"Colours show the difference from {REFERENCE}, which had no intermediate training. Each column has a scale of its "
    "own, in its last row, which ends at the largest difference in the column."
)
ABSENT = "This book has no run on real data yet, so no row of this book stands below the published ones."
THRESHOLD = (
    "The published F1 of BUCC uses the best threshold on the very sentences that are scored; a run of this book takes "
    "it from other sentences. So such scores have no colour."
)
SOURCE_LINKS = (  # how a source is written, and where it is
    (re.compile(r"arXiv (\d{4}\.\d{5})"), "https://arxiv.org/abs/{}"),
    (re.compile(r"\(([\w-]+/[\w-]+)\)"), "https://github.com/{}"),
)
Rows = Mapping[tuple[str, Column], OwnScore]  # the scores of this book, by the name of their row (HTML) and column


@dataclass
class Footnotes:
    """The sources of a page, numbered in the order of their first use."""

    sources: dict[str, int]

    def mark(self, source: str) -> str:
        """A link to the footnote of a source, as HTML."""
        number = self.sources.setdefault(source, len(self.sources) + 1)
        return f'<a href="#source-{number}" aria-label="source {number}">[{number}]</a>'

    def to_html(self) -> str:
        """All footnotes as a list."""
        items = "".join(f'<li id="source-{number}">{_linked(source)}.</li>' for source, number in self.sources.items())
        return f"<ol>{items}</ol>"


def build_page(grids: Mapping[str, Grid], writer: PageWriter) -> str:
    """The generated part of the page, as MyST; its CSV files are written. `grids` have their name as the key.

    Runs on the laboratory's data are left out, whatever grid they are in.
    """
    real = {
        name: Grid(runs, designed=True)
        for name, grid in grids.items()
        if (runs := [run for run in grid.records if run.config.data_source != LABORATORY])
    }
    notes = Footnotes({})
    means = _matrix("Means over all languages of a task", read_means(), real, notes, writer, "published")
    retrieval = []
    for target in RETRIEVAL_TASKS.values():
        title = f"{get_task(target).title}, retrieval without target training"
        retrieval.append(_matrix(title, read_retrieval(target), real, notes, writer, f"published-{target}"))
    claims = [
        [markdown_text(fact["claim"]), fact["value"], fact["unit"], notes.mark(fact["source"])]
        for fact in read_facts("published_claims")
    ]
    parts = [
        "## How far apart are the systems on XTREME?",
        means,
        COLOURS,
        COMPARABLE,
        "; ".join(f"{markdown_text(name)}: {_describe(grid)}" for name, grid in real.items()) + "." if real else ABSENT,
        "## How well does XLM-R Large retrieve without training?",
        "Sentences are compared by the mean of the states of layer 14 of 24; a run of this book reads the state that "
        "its own page names. The mean comes first, then the languages by their distance to English.",
        *retrieval,
        THRESHOLD,
        "## What does the paper claim?",
        "[What holds?](claims.md) sets these numbers beside this book's estimates.",
        markdown_table(["claim", "value", "unit", "source"], claims),
        _stand_ins([run for grid in real.values() for run in grid.records]),
        "## Sources",
        notes.to_html(),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _matrix(
    title: str, scores: PublishedScores, grids: Mapping[str, Grid], notes: Footnotes, writer: PageWriter, name: str
) -> str:
    """Published systems by columns, this book's rows below them, and the scale of each column; with a CSV file."""
    columns = _order({column for _, column in scores})
    own = _own_rows(grids, columns)
    limits = {column: _limit(scores, own, column) for column in columns}
    bodies = [
        [
            table_row(html_text(system), [_published_cell(scores, system, column, limits, notes) for column in columns])
            for system in dict.fromkeys(system for system, _ in scores)
        ],
        [
            table_row(row, [_own_cell(scores, own.get((row, column)), column, limits) for column in columns])
            for row in dict.fromkeys(row for row, _ in own)
        ],
    ]
    heads = [header_cell("system"), *(header_cell(_head(column)) for column in columns)]
    scale = [_scale(limits[column]) for column in columns]
    foot = table_row("colours<small>difference</small>", scale) if any(limits.values()) else ""
    path = writer.write_csv(name, ["system", "target", "language", "metric", "score", "from"], _csv_rows(scores, own))
    return f"{build_table(title, [heads], bodies, foot)}\n{{download}}`CSV <{path}>`"


def _order(columns: set[Column]) -> list[Column]:
    """Columns by target: first the mean, then the languages by their distance to English."""
    codes = sort_by_distance({column.language for column in columns} - {""})
    places = {code: place for place, code in enumerate(["", *codes])}
    return sorted(columns, key=lambda column: (TARGET_TASKS.index(column.target), places[column.language]))


def _own_rows(grids: Mapping[str, Grid], columns: Sequence[Column]) -> Rows:
    """This book's scores in the columns, by row and column."""
    found = {}
    for name, grid in grids.items():
        for row in grid.rows:
            head = f"{html_text(short_title(row))}<small>{html_text(name)}</small>"
            for column in columns:
                cell = grid.cells.get((row, column.target))
                if cell and (score := own_score(cell, column)):
                    found[head, column] = score
    return found


def _describe(grid: Grid) -> str:
    """The encoders of a grid and its number of seeds, as Markdown."""
    encoders = list_words(map(code_span, dict.fromkeys(run.encoder_name for run in grid.records)))
    return f"{encoders}, {count(len({run.seed for run in grid.records}), 'seed')}"


def _limit(scores: PublishedScores, own: Rows, column: Column) -> float:
    """The difference from the reference at which the colours of a column end; 0 without a difference."""
    if (REFERENCE, column) not in scores:
        return 0.0
    base = scores[REFERENCE, column].value
    values = [score.value for (system, at), score in scores.items() if at == column and system != REFERENCE]
    values += [score.measured.value for (_, at), score in own.items() if at == column and not score.departures]
    return max((abs(value - base) for value in values), default=0.0)  # a column has too few numbers for outliers


def _head(column: Column) -> str:
    """A task with its metric and the number of its languages, or a language."""
    metric = f"<small>{html_text(metric_name(column.metric))}</small>"
    if column.language:
        return f"{html_text(get_language(column.language).name)}{metric}"
    languages = len(get_task(column.target).languages[XTREME])
    return f"{html_text(short_title(column.target))}{metric}<small>{languages} languages</small>"


def _published_cell(
    scores: PublishedScores, system: str, column: Column, limits: Mapping[Column, float], notes: Footnotes
) -> str:
    score = scores.get((system, column))
    if score is None:
        return MISSING_CELL.replace("not run", "not published")
    style = _style(scores, column, score.value, limits[column]) if system != REFERENCE else ""
    return f'<td data-value="{score.value:.4f}"{style}>{score.value:.1f}<small>{notes.mark(score.source)}</small></td>'


def _own_cell(scores: PublishedScores, score: OwnScore | None, column: Column, limits: Mapping[Column, float]) -> str:
    if score is None:
        return MISSING_CELL
    value = score.measured.value
    style = "" if score.departures else _style(scores, column, value, limits[column])
    small = [f"± {half_width(*score.measured.interval)}"] * score.has_interval + list(score.departures)
    lines = "".join(f"<small>{html_text(line)}</small>" for line in small)
    return f'<td data-value="{value:.4f}"{style}>{value:.1f}{lines}</td>'


def _style(scores: PublishedScores, column: Column, value: float, limit: float) -> str:
    """The colours of a cell as an attribute; empty without a reference."""
    reference = scores.get((REFERENCE, column))
    if reference is None or not limit:
        return ""
    colour = to_css(difference_colour(value - reference.value, limit))
    return f' style="background: {colour}; color: {to_css(TEXT)}"'


def _scale(limit: float) -> str:
    """The ends of a column's colours."""
    if not limit:
        return "<td></td>"
    ends = (
        f'<small><span class="swatch" style="background: {to_css(difference_colour(end, limit))}"></span> '
        f"{signed(end, 1)}</small>"
        for end in (-limit, limit)
    )
    return f'<td class="fact">{"".join(ends)}</td>'


def _csv_rows(scores: PublishedScores, own: Rows) -> list[list[str]]:
    """One line for each number: published ones with their source, this book's with what they differ in."""
    rows = [
        [system, column.target, column.language, column.metric, f"{score.value:.2f}", score.source]
        for (system, column), score in scores.items()
    ]
    for (row, column), score in own.items():
        name = re.sub("<[^>]+>", " ", row).strip()
        origin = "; ".join(("this book", *score.departures))
        rows.append([name, column.target, column.language, column.metric, f"{score.measured.value:.2f}", origin])
    return rows


def _stand_ins(runs: Sequence[GridRun]) -> str:
    """The notes of this book's runs, such as what stands in for a set."""
    return "\n".join(f"- {markdown_text(note)}" for note in dict.fromkeys(note for run in runs for note in run.notes))


def _linked(source: str) -> str:
    """A source as HTML, with a link where its text says where it is."""
    for pattern, address in SOURCE_LINKS:
        if match := pattern.search(source):
            return f'<a href="{html_text(address.format(match[1]))}">{html_text(source)}</a>'
    return html_text(source)
