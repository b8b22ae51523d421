"""The page "Results": the paper's table, the heat map of the grid, and the gain of a choice on dev data."""

from collections.abc import Iterable, Mapping

from stilts_core.report.analysis.centring import EXPLANATION
from stilts_core.report.analysis.grid import BASELINE, Average, Grid, row_sort_key
from stilts_core.report.analysis.measurement import Measurement
from stilts_core.report.analysis.multiplicity import CorrectedFamily, correct
from stilts_core.report.analysis.published import CHOICE, stated_gains
from stilts_core.report.colours import colour_limit
from stilts_core.report.figures.grid import draw_heat_map
from stilts_core.report.figures.image import markdown_image
from stilts_core.report.pages import choice
from stilts_core.report.pages.csv_numbers import format_columns, name_columns
from stilts_core.report.pages.grid_place import GridPlace
from stilts_core.report.pages.questions.names import list_words
from stilts_core.report.tables import grid as grid_table
from stilts_core.report.tables.centring import centring_table
from stilts_core.report.tables.differences import explain_differences
from stilts_core.report.tables.grid import MISSING_CELL, Link, header_cell, number_cell
from stilts_core.report.tables.html import markdown_table, metric_name
from stilts_core.report.tables.numbers import interval, signed
from stilts_core.report.tables.titles import short_title
from stilts_core.tasks.catalogue import get_task

Key = tuple[str, str, Average]  # a row, a target or AVERAGE, and the languages of the mean
TESTS = ("p", "p_holm")  # of the paired differences: alone, and after Holm's correction over the page
AVERAGES: Mapping[Average, str] = {
    "all": "mean over all languages",
    "non_english": "mean over all languages except English",
}
SCORE_ONLY = "score"  # the small print of a number that is no difference
WITHOUT_BASELINE = (
    "*score*: no run of the baseline has the same seed, so there is nothing to take a difference from. The cell shows "
    "the score itself, without a colour, and the average of a row of such cells is that of its scores."
)
AVERAGE = "average"  # of a row, in the place of a target
MEMBERS = "those of both tables on this page, with and without English, and the rows' averages"
SAME_DATA = (
    "*same*: the intermediate task is the target's own training set. Such cells are shown, but they enter no average "
    "and are not tested. "
)
ROW_AVERAGE = (
    "The average of a row is the mean of its differences over the {other}XTREME targets, taken within each seed first; "
    "*of* is the number of these targets."
)
SHORT_METRICS = {"accuracy": "acc.", "f1": "F1", "em_f1": "EM, F1", "map": "mAP"}


def build_page(grid: Grid, place: GridPlace) -> str:
    """The generated part of the page, as MyST; its figures and CSV files go to `place`."""
    limit, family = _colour_limit(grid), correct_page(grid)
    parts = [
        "## What does an intermediate task change?",
        _main_table(grid, family, place, "all", "results", limit),
        *_explain_table(grid, family, MEMBERS, limit),
        *_heat_map(grid, family, place),
        *choice.build_sections(grid, place),
        "## What does it change in the other languages?",
        "XTREME's averages include English, the language of all training data. This is the same grid without English.",
        _main_table(grid, family, place, "non_english", "results-without-english", limit),
        *_centring(grid),
        *_claims(grid),
    ]
    return "\n\n".join(part for part in parts if part)


def build_main_table(grid: Grid, place: GridPlace) -> str:
    """Only the table of differences in all languages, with what explains it, as MyST."""
    limit, family = _colour_limit(grid), correct_page(grid, ["all"])
    table = _main_table(grid, family, place, "all", "results", limit)
    explanation = _explain_table(grid, family, "those of this table with the rows' averages", limit)
    return "\n\n".join(part for part in [table, *explanation] if part)


def _explain_table(grid: Grid, family: CorrectedFamily[Key], members: str, limit: float) -> list[str]:
    """What the numbers of the table are, which of them are clear, and what it cannot show."""
    explanation = "± is half of a 95 % interval."
    if any(grid.paired(row, target) for row, target in grid.cells if row != BASELINE):
        differences = explain_differences(family, members, "**Bold**")
        explanation = f"{grid_table.colour_key(limit)}{explanation} {differences}"
    unpaired = WITHOUT_BASELINE if _unpaired(grid) else ""
    return [explanation, _explain_averages(grid), _explain_flat_targets(grid), unpaired]


def _explain_flat_targets(grid: Grid) -> str:
    flat = [short_title(target) for target in grid.targets if grid.is_flat(target)]
    if not flat:
        return ""
    return (
        f"**Not learnt: {list_words(flat)}.** All rows have the same score in every language there, as if each run "
        "gave every item the same answer. Such a column says nothing about tasks, and draws the averages of rows to 0."
    )


def correct_page(grid: Grid, averages: Iterable[Average] = tuple(AVERAGES)) -> CorrectedFamily[Key]:
    """The differences of the tables and the rows' averages, corrected together; without those on the same data."""
    differences = {}
    for average in averages:
        for row in grid.rows:
            if row != BASELINE and (value := grid.average(row, average)):
                differences[row, AVERAGE, average] = value
        for (row, target), cell in grid.cells.items():
            if not cell.same_data and (value := grid.difference(row, target, average)):
                differences[row, target, average] = value
    return correct(differences)


def _colour_limit(grid: Grid) -> float:
    """The difference at which the colours end, the same in all tables of the page."""
    differences = (grid.difference(row, target) for (row, target), cell in grid.cells.items() if not cell.same_data)
    return colour_limit(difference.value for difference in differences if difference)


def _main_table(
    grid: Grid, family: CorrectedFamily[Key], place: GridPlace, average: Average, name: str, limit: float
) -> str:
    """Rows by targets, with a CSV file: the baseline's scores, and the other rows' differences from them."""
    targets = sorted(grid.targets, key=lambda target: "xtreme" not in get_task(target).languages)
    heads = [
        *map(header_cell, ("intermediate task", "average", "of")),
        *(_target_head(target, place) for target in targets),
    ]
    bodies: dict[tuple[bool, bool, int], list[str]] = {}
    csv_rows = []
    for row in grid.rows:
        cells = [
            _average_cell(grid, family, row, average, limit),
            f'<td class="fact">{len(grid.counted_targets(row) or grid.scored_targets(row))}</td>',
            *(_cell(grid, family, row, target, place.link, average, limit) for target in targets),
        ]
        sham, auxiliary, *_ = row_sort_key(row)
        bodies.setdefault((row != BASELINE, sham, auxiliary), []).append(grid_table.table_row(short_title(row), cells))
        csv_rows += _csv_rows(grid, family, row, average)
    numbers = name_columns(("score", "difference"))
    path = place.write_csv(name, ["row", "target", "runs", *numbers, *TESTS, "same_data", "counted"], csv_rows)
    content = "Scores without intermediate training, and differences from them" if BASELINE in grid.rows else "Scores"
    title = f"{content}; {AVERAGES[average]}"
    return grid_table.build_table(title, [heads], list(bodies.values())) + f"\n{{download}}`CSV <{path}>`"


def _target_head(target: str, place: GridPlace) -> str:
    name = f'<a href="{place.target_page(target)}.html">{short_title(target)}</a>'
    metric = get_task(target).metric
    return header_cell(f'{name}<small title="{metric_name(metric)}">{SHORT_METRICS.get(metric, metric)}</small>')


def _cell(
    grid: Grid, family: CorrectedFamily[Key], row: str, target: str, link: Link, average: Average, limit: float
) -> str:
    cell = grid.cells.get((row, target))
    score = cell.score(average) if cell else None
    if cell is None or score is None:
        return MISSING_CELL
    if row == BASELINE:
        return number_cell(score, f"{score.value:.1f}", links=grid_table.cell_links(cell, link))
    difference = grid.difference(row, target, average)
    if difference is None:
        links = grid_table.cell_links(cell, link)
        mark = f"same, {SCORE_ONLY}" if cell.same_data else SCORE_ONLY
        return number_cell(score, f"{score.value:.1f}", links=links, mark=mark)
    clear = family.is_clear((row, target, average))
    return grid_table.difference_cell(difference, cell, link, limit, clear=clear)


def _explain_averages(grid: Grid) -> str:
    """How rows are averaged, and what a cell with the target's own data is, where the grid has one."""
    same_data = any(cell.same_data for cell in grid.cells.values())
    return SAME_DATA * same_data + ROW_AVERAGE.format(other="other " * same_data)


def _unpaired(grid: Grid) -> bool:
    """Whether a row has scores that no run of the baseline can be compared with."""
    return any(
        row != BASELINE and cell.score() and not grid.paired(row, target) for (row, target), cell in grid.cells.items()
    )


def _average_cell(grid: Grid, family: CorrectedFamily[Key], row: str, average: Average, limit: float) -> str:
    value = grid.average(row, average)
    if value is None:
        score = grid.mean_score(row, average)
        return number_cell(score, f"{score.value:.1f}", mark=SCORE_ONLY) if score else MISSING_CELL
    if row == BASELINE:
        return number_cell(value, f"{value.value:.1f}")
    text = signed(value.value, 1)
    text = f"<b>{text}</b>" if family.is_clear((row, AVERAGE, average)) else text
    return number_cell(value, text, gain=value.value, colour_limit=limit)


def _csv_rows(grid: Grid, family: CorrectedFamily[Key], row: str, average: Average) -> list[list[str | int]]:
    """One line for each target of a row, and one for its average."""
    counted = grid.counted_targets(row)
    rows: list[list[str | int]] = []
    for target in grid.targets:
        cell = grid.cells.get((row, target))
        score = cell.score(average) if cell else None
        if cell and score:
            difference = grid.difference(row, target, average)
            numbers = format_columns(score) + format_columns(difference)
            numbers += _test_columns(difference, family, (row, target, average))
            rows.append(
                [row, target, len(cell.records), *numbers, _yes_or_no(cell.same_data), _yes_or_no(target in counted)]
            )
    if value := grid.average(row, average):
        score, gain = (value, None) if row == BASELINE else (None, value)
        numbers = format_columns(score) + format_columns(gain) + _test_columns(gain, family, (row, AVERAGE, average))
        rows.append([row, AVERAGE, "", *numbers, "", ""])
    elif mean := grid.mean_score(row, average):
        rows.append([row, AVERAGE, "", *format_columns(mean), *format_columns(None), "", "", "", ""])
    return rows


def _test_columns(difference: Measurement | None, family: CorrectedFamily[Key], key: Key) -> list[str]:
    """The columns TESTS: the p value of a difference alone and within its page; empty where it was not tested."""
    adjusted = family.adjusted.get(key)
    return ["", ""] if difference is None or adjusted is None else [f"{difference.p:.3g}", f"{adjusted:.3g}"]


def _yes_or_no(fact: bool) -> str:
    return "yes" if fact else "no"


def _heat_map(grid: Grid, family: CorrectedFamily[Key], place: GridPlace) -> list[str]:
    clear = {(row, target) for row, target in grid.cells if family.is_clear((row, target, "all"))}
    figure = draw_heat_map(grid, clear if family.size else None)
    if figure is None:
        return []
    path = place.write("heat-map.svg", figure)
    description = "The table above as a heat map: rows by mean difference, best on top; same data in italics."
    return ["## Which intermediate task helps which target?", markdown_image(figure, path, description)]


def _centring(grid: Grid) -> list[str]:
    """Raw and centred scores of the targets that are scored by retrieval without training."""
    tables = {target: centring_table(grid.column(target)) for target in grid.targets}
    if not any(tables.values()):
        return []
    parts = [part for target, table in tables.items() if table for part in (f"**{get_task(target).title}**", table)]
    return ["## Does retrieval change by alignment, or by an offset of languages?", *parts, EXPLANATION]


def _claims(grid: Grid) -> list[str]:
    """The gains that the paper states, beside those of this grid."""
    rows = []
    for claim, (row, stated) in stated_gains().items():
        gain, targets = (grid.average(row), len(grid.counted_targets(row))) if row in grid.rows else (None, 0)
        if row == CHOICE:
            gain, targets = choice.mean_gain_on_dev(grid)
        if gain:
            here = f"{signed(gain.value, 1)} {interval(*gain.interval, 1)}"
            rows.append([claim, signed(stated, 1), here, targets])
    if not rows:
        return []
    return [
        "## Does the grid agree with the paper?",
        "The paper {cite}`phang2020english` states these gains of XLM-R Large with full data. The gains in "
        "the third column come from this book's grid, which has another encoder and other sizes, and counts no target "
        "that shares its data with the row. Compare their signs and their order; they are never averaged.",
        markdown_table(["claim", "paper", "here (95 %)", "targets here"], rows),
    ]
