"""The page "Results": the paper's table, the heat map of the grid, and what a choice on dev data would have got."""

from stilts_core.catalogue import task
from stilts_core.report import choice, grid_figures, grid_table
from stilts_core.report.cards import short_title
from stilts_core.report.colours import extent
from stilts_core.report.grid import BASELINE, Grid, row_order
from stilts_core.report.grid_table import Link
from stilts_core.report.markup import metric_name, pipe_table
from stilts_core.report.measured import Measured
from stilts_core.report.pages import Pages
from stilts_core.report.reference import facts

AVERAGES = {"all": "mean over all languages", "non_english": "mean over the languages that are not English"}
INTERVALS = (
    "± is half of a 95 % interval. Where a cell has one run, it comes from the bootstrap over test items, and takes "
    "both runs of a difference as independent: it says what other test items would give, nothing about other seeds. "
    "Where there are several runs (numbered), it comes from the spread over seeds, by Welch's t. Bold: the interval "
    "leaves zero out, as one in twenty would where nothing is to be found."
)
SAME_DATA = (
    "*same*: the intermediate task is the target's own training set, the same data. Such cells are shown, and left out "
    "of every average. The average of a row is the mean of its differences over the XTREME targets that are left; *of* "
    "counts them."
)
SHORT_METRICS = {"accuracy": "acc.", "f1": "F1", "em_f1": "EM, F1", "map": "mAP"}
# What the abstract of the paper claims of a row: words of the claim, row.
CLAIMED = {"from SQuAD": "squad", "from MNLI": "mnli", "from HellaSwag": "hellaswag", "multi-task": "all"}
CLAIMED_OF_CHOICE = "best intermediate model per target"


def page(grid: Grid, pages: Pages, link: Link) -> str:
    """The generated part of the page, as MyST; figures and CSV files go through `pages`."""
    end = _end(grid)
    parts = [
        "## What does an intermediate task change?",
        _main_table(grid, pages, link, "all", "results", end),
        grid_table.scale(end) + INTERVALS + "\n\n" + SAME_DATA,
        *_heat_map(grid, pages),
        *choice.sections(grid, pages, link),
        "## Without English",
        "XTREME counts English in its averages. This is the same grid without it: nothing here was trained on.",
        _main_table(grid, pages, link, "non_english", "results-without-english", end),
        *_claims(grid),
    ]
    return "\n\n".join(part for part in parts if part)


def _end(grid: Grid) -> float:
    """The difference at which colours end, the same in all tables of the page."""
    found = (
        grid.difference(row, target)
        for row, target in grid.cells
        if not grid.cells[row, target].same_data and row != BASELINE
    )
    return extent(difference.value for difference in found if difference)


def _main_table(grid: Grid, pages: Pages, link: Link, average: str, name: str, end: float) -> str:
    """Rows by columns: the baseline's scores, and below them signed differences."""
    inside = [target for target in grid.targets if "xtreme" in task(target).languages]
    outside = [target for target in grid.targets if target not in inside]
    heads = [
        grid_table.column("learnt first"),
        grid_table.column("average"),
        grid_table.column("of"),
        *map(_head, inside + outside),
    ]
    bodies: dict[tuple, list[str]] = {}
    lines = []
    for row in grid.rows:
        cells = [_average(grid, row, average, end), f'<td class="fact">{len(grid.counted(row))}</td>']
        cells += [_cell(grid, row, target, link, average, end) for target in inside + outside]
        group = (row != BASELINE, *row_order(row)[:2])
        bodies.setdefault(group, []).append(grid_table.row(short_title(row), cells))
        lines += _csv_lines(grid, row, average)
    ends = [f"{number}{end}" for number in ("score", "difference") for end in ("", "_low", "_high")]
    path = pages.table(name, ["row", "target", "runs", *ends, "same_data", "counted"], lines)
    title = f"Scores without intermediate training, and differences from them; {AVERAGES[average]}"
    return grid_table.grid_table(title, [heads], list(bodies.values())) + f"\n{{download}}`CSV <{path}>`"


def _head(target: str) -> str:
    name = f'<a href="generated/targets/{target}.html">{short_title(target)}</a>'
    metric = task(target).metric
    return grid_table.column(f'{name}<small title="{metric_name(metric)}">{SHORT_METRICS.get(metric, metric)}</small>')


def _cell(grid: Grid, row: str, target: str, link: Link, average: str, end: float) -> str:
    cell = grid.cells.get((row, target))
    score = cell and cell.score(average)
    if not score:
        return grid_table.MISSING
    if row == BASELINE:
        return grid_table.number(score, f"{score.value:.1f}", links=[link(record) for record in cell.records])
    if difference := grid.difference(row, target, average):
        return grid_table.difference(difference, cell, link, end)
    return grid_table.MISSING.replace("not run", "no baseline to compare with")


def _average(grid: Grid, row: str, average: str, end: float) -> str:
    value = grid.average(row, average)
    if not value:
        return grid_table.MISSING
    if row == BASELINE:
        return grid_table.number(value, f"{value.value:.1f}")
    text = grid_table.signed(value.value)
    return grid_table.number(value, f"<b>{text}</b>" if value.clear else text, gain=value.value, end=end)


def _csv_lines(grid: Grid, row: str, average: str) -> list[list]:
    lines = []
    for target in grid.targets:
        cell = grid.cells.get((row, target))
        if cell and (score := cell.score(average)):
            difference = grid.difference(row, target, average)
            numbers = [*_numbers(score), *(_numbers(difference) if difference else ("", "", ""))]
            counted = target in grid.counted(row)
            lines.append([row, target, len(cell.records), *numbers, _yes(cell.same_data), _yes(counted)])
    if value := grid.average(row, average):
        numbers = [*_numbers(value), "", "", ""] if row == BASELINE else ["", "", "", *_numbers(value)]
        lines.append([row, "average", "", *numbers, "", ""])
    return lines


def _numbers(value: Measured) -> list[str]:
    return [f"{number:.4f}" for number in (value.value, *value.interval)]


def _yes(fact: bool) -> str:
    return "yes" if fact else "no"


def _heat_map(grid: Grid, pages: Pages) -> list[str]:
    figure = grid_figures.heat_map(grid)
    if figure is None:
        return []
    pages.write("generated/heat-map.svg", figure)
    alt = "The table above as a heat map: rows by mean difference, best on top; cells with the same data in italics."
    return ["## Which intermediate task helps which target?", f"![{alt}](generated/heat-map.svg)"]


def _claims(grid: Grid) -> list[str]:
    """What the paper's abstract claims, and beside it what this grid shows."""
    rows = []
    for claim in facts("published_claims"):
        row = next((row for words, row in CLAIMED.items() if words in claim["claim"]), None)
        own, count = (grid.average(row), len(grid.counted(row))) if row in grid.rows else (None, 0)
        if CLAIMED_OF_CHOICE in claim["claim"]:
            own, count = choice.gain(grid)
        if own:
            here = f"{grid_table.signed(own.value)} ({grid_table.between(own)})"
            rows.append([claim["claim"], f"+{claim['value']}", here, count])
    if not rows:
        return []
    return [
        "## Beside the paper",
        "The paper's abstract {cite}`phang2020english` states these gains, of XLM-R Large with full data. The numbers "
        "beside them are from this book's grid: another encoder, other sizes, and no target that shares its data with "
        "the row. They stand side by side to be compared in sign and order, and are never averaged.",
        pipe_table(["claim", "paper", "here (95 %)", "targets here"], rows),
    ]
