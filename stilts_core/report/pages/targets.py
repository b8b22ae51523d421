"""A page for each target: how every row of the grid scores in every language, and where retrieval works best."""

from collections.abc import Mapping, Sequence

from stilts_core.config import LABORATORY
from stilts_core.laboratory.languages import get_language
from stilts_core.report.analysis.centring import EXPLANATION
from stilts_core.report.analysis.distances import (
    describe_distance,
    distance_to_english,
    format_size,
    size_unit,
    sort_by_distance,
)
from stilts_core.report.analysis.grid import BASELINE, Cell, Grid
from stilts_core.report.colours import colour_limit
from stilts_core.report.escape import code_span, html_text
from stilts_core.report.figures.grid import correct_column, draw_gains, draw_layers
from stilts_core.report.figures.image import markdown_image
from stilts_core.report.pages.csv_numbers import format_columns
from stilts_core.report.pages.grid_place import TO_BOOK, GridPlace
from stilts_core.report.tables import grid as grid_table
from stilts_core.report.tables.centring import centring_table
from stilts_core.report.tables.differences import explain_differences
from stilts_core.report.tables.grid import Link, header_cell, number_cell
from stilts_core.report.tables.html import count, markdown_table, metric_name
from stilts_core.report.tables.titles import short_title
from stilts_core.tasks.catalogue import get_task
from stilts_core.tasks.facts import read_facts

MEMBERS = (
    "{those} of this figure{without}. Fewer may be clear in [the tables of all targets]({page}), which are corrected "
    "together"
)
FLAT = (
    "All rows have the same score in every language with each seed, as if each run gave every item the same answer. So "
    "this target says nothing about tasks, and no difference is tested."
)


def write_pages(grid: Grid, place: GridPlace, registered: Mapping[str, Sequence[str]] | None = None) -> None:
    """Write the pages of all targets of a grid, whose place is that of the page with its tables.

    `registered` has, by target, the findings of contrasts that were registered before the runs, as MyST.
    """
    for target in grid.targets:
        page = build_page(grid, target, place.below_targets(), (registered or {}).get(target, ()))
        place.writer.write(f"{place.target_page(target)}.md", page)


def build_page(grid: Grid, target: str, place: GridPlace, registered: Sequence[str] = ()) -> str:
    """The page of a target as MyST; its figures and CSV files go to `place`, whose links lead from this page.

    `registered` is as `write_pages` takes it, for this target.
    """
    task, cells = get_task(target), grid.column(target)
    first = cells[0].records[0]
    codes, source = sort_by_distance(first.scores), first.config.data_source
    training = f"trained on the English data of {get_task(task.trained_on).title}" if task.trained_on else "not trained"
    parts = [
        f"{grid_table.WIDE_PAGE}# {task.title}",
        f"Profile `{first.profile}`{_encoder(place)}: {count(len(codes), 'language')}, {count(len(cells), 'row')} of "
        f"the grid; {training}, scored by {metric_name(task.metric)}. [All targets]({TO_BOOK}/{place.page}.md)",
    ]
    if figure := draw_gains(grid, target):
        path = place.write(f"{target}-gains.svg", figure)
        description = "Differences from the baseline with their intervals; the table in Results has the numbers."
        image = markdown_image(figure, f"{TO_BOOK}/{path}", description)
        parts += ["## Which intermediate task helps?", image, _explain_figure(grid, target, place)]
        parts += _registered(registered, place)
    parts += [
        "## How well does each row transfer to each language?",
        _languages(grid, target, codes, source, place),
    ]
    if figure := draw_layers(grid, target):
        path = place.write(f"{target}-layers.svg", figure)
        description = "Mean score over languages from every hidden state, one line for each row."
        image = markdown_image(figure, f"{TO_BOOK}/{path}", description)
        parts += ["## Which hidden state retrieves best?", image]
    if table := centring_table(cells):
        parts += ["## How much of retrieval does an offset of languages hide?", table, EXPLANATION]
    if source != LABORATORY:
        parts += _published(cells, target)
    return "\n\n".join(parts) + "\n"


def _explain_figure(grid: Grid, target: str, place: GridPlace) -> str:
    """What the intervals of the figure are, and which of its points are clear."""
    if grid.is_flat(target):
        return FLAT
    family = correct_column(grid, target)
    members = MEMBERS.format(
        those="that" if family.size == 1 else "those",
        without=" without the target's own data" * any(cell.same_data for cell in grid.column(target)),
        page=f"{TO_BOOK}/{place.page}.md",
    )
    return explain_differences(family, members, "Filled points")


def _registered(findings: Sequence[str], place: GridPlace) -> list[str]:
    """The findings of registered contrasts on the target, and why they can differ from those of the figure."""
    if not findings:
        return []
    lines = "\n".join(f"- {finding}" for finding in findings)
    return [
        f"**Registered contrasts.** [Contrasts that were registered before the runs]({TO_BOOK}/{place.page}.md) are "
        "corrected among themselves, and not over the rows of this figure, which are means over all languages. So a "
        f"contrast may be supported where the row is not clear here. On this target:\n\n{lines}"
    ]


def _encoder(place: GridPlace) -> str:
    return f", encoder {code_span(place.encoder)}" if place.encoder else ""


def _languages(grid: Grid, target: str, codes: Sequence[str], source: str, place: GridPlace) -> str:
    """The table of rows by languages, with its CSV file and an explanation.

    It shows scores, coloured by their difference from the baseline.
    """
    cells, gains = grid.column(target), _gains(grid, target, codes)
    limit = colour_limit(gains.values())
    baseline: list[str] = []
    others: list[str] = []
    for cell in cells:
        name = short_title(cell.row) + ("<small>same data</small>" if cell.same_data else "")
        group = baseline if cell.row == BASELINE else others
        group.append(grid_table.table_row(name, _score_cells(cell, codes, gains, limit, place.link)))
    title = f"{get_task(target).title} by language, nearest to English first"
    table = grid_table.build_table(title, _heads(cells[0], codes, source), [baseline, others])
    path = _write_csv(cells, codes, source, place)
    explanation = (
        f"Distance to English is {describe_distance(source)}. ± is half of a 95 % interval: by bootstrap over test "
        "items where a cell has one run, by Student's t over seeds (or over encoders, if there are several) where it "
        "has several. Colours show the mean difference from the baseline's score in the same language, between runs "
        "with the same seed; no colour is a test."
    )
    key = grid_table.colour_key(limit) if gains else ""
    return f"{table}\n{{download}}`CSV <{TO_BOOK}/{path}>`\n\n{key}{explanation}"


def _gains(grid: Grid, target: str, codes: Sequence[str]) -> dict[tuple[str, str], float]:
    """The paired differences from the baseline by row and language, of rows that do not share the target's data."""
    gains = {
        (cell.row, code): grid.difference_in(cell.row, target, code)
        for cell in grid.column(target)
        for code in codes
        if not cell.same_data
    }
    return {key: gain.value for key, gain in gains.items() if gain}


def _heads(first: Cell, codes: Sequence[str], source: str) -> list[list[str]]:
    """The header rows: the languages' names, distances, pretraining sizes, and numbers of test items."""
    scores = first.records[0].scores
    names = [
        header_cell("intermediate task"),
        *(_language_head(code, source) for code in codes),
        header_cell("mean<small>no English</small>"),
    ]
    return [
        names,
        _fact_row("distance", [f"{distance_to_english(code):.2f}" for code in codes]),
        _fact_row(f"pretraining, {size_unit(source)}", [format_size(code, source) for code in codes]),
        _fact_row("n", [f"{scores[code].n:,}" for code in codes]),
    ]


def _language_head(code: str, source: str) -> str:
    name = html_text(get_language(code).name)
    return header_cell(f'<a href="../languages/{code}.html">{name}</a>' if source == LABORATORY else name)


def _fact_row(name: str, facts: Sequence[str]) -> list[str]:
    cells = (f'<td class="fact">{fact}</td>' for fact in facts)
    return [f'<th scope="row">{name}</th>', *cells, '<td class="fact"></td>']


def _score_cells(
    cell: Cell, codes: Sequence[str], gains: Mapping[tuple[str, str], float], limit: float, link: Link
) -> list[str]:
    """The scores of a row by language, and its mean without English."""
    links = grid_table.cell_links(cell, link)
    cells = []
    for code in codes:
        score, gain = cell.score_in(code), gains.get((cell.row, code))
        cells.append(number_cell(score, f"{score.value:.1f}", links=links, gain=gain, colour_limit=limit))
    mean = cell.score("non_english")
    cells.append(number_cell(mean, f"{mean.value:.1f}") if mean else grid_table.MISSING_CELL)
    return cells


def _write_csv(cells: Sequence[Cell], codes: Sequence[str], source: str, place: GridPlace) -> str:
    """Write one line for each row and language, and return the file's path."""
    scores = cells[0].records[0].scores
    rows = [
        [
            cell.row,
            code,
            f"{distance_to_english(code):.4f}",
            format_size(code, source).replace(",", ""),
            scores[code].n,
            len(cell.records),
            *format_columns(cell.score_in(code)),
        ]
        for cell in cells
        for code in codes
    ]
    columns = ["row", "language", "distance", "pretraining", "n", "runs", "score", "low", "high"]
    return place.write_csv(cells[0].target, columns, rows)


def _published(cells: Sequence[Cell], target: str) -> list[str]:
    """Published means beside those of the grid."""
    rows = [
        [fact["system"], metric_name(fact["metric"]), fact["score"], fact["source"]]
        for fact in read_facts("published_scores")
        if fact["task"] == target
    ]
    if not rows:
        return []
    for cell in cells:
        if score := cell.score():
            name = metric_name(cell.records[0].metric)
            rows.append([f"here: {short_title(cell.row)}", name, f"{score.value:.1f}", "this book"])
    return [
        "## How do these scores compare with published ones?",
        "Means over all languages. Encoders, sizes and sometimes metrics differ, so the scores are listed side by side "
        "and never averaged. More of them: [published results](../../published.md).",
        markdown_table(["system", "metric", "score", "source"], rows),
    ]
