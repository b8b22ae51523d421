"""A page for each target: how every row of the grid scores in every language, and where retrieval works best."""

from html import escape

from stilts_core.catalogue import task
from stilts_core.languages import language
from stilts_core.report import grid_figures, grid_table
from stilts_core.report.cards import short_title
from stilts_core.report.colours import extent
from stilts_core.report.distances import LABORATORY, by_distance, distance, distance_meant, size_said, size_unit
from stilts_core.report.grid import BASELINE, Grid
from stilts_core.report.grid_table import Link
from stilts_core.report.markup import metric_name, pipe_table
from stilts_core.report.measured import Measured
from stilts_core.report.pages import Pages
from stilts_core.report.reference import facts


def page(grid: Grid, target: str, pages: Pages, link: Link) -> str:
    """The page of a target as MyST, two folders below the book; its figures and CSV files go through `pages`."""
    row = task(target)
    cells = grid.column(target)
    profile = cells[0].records[0]["profile"]
    codes = by_distance(cells[0].records[0]["scores"])
    trained = f"trained on the English data of {task(row.trained_on).title}" if row.trained_on else "not trained"
    parts = [
        f"{grid_table.WIDE}# {row.title}",
        f"Profile `{profile}`: {len(codes)} languages, {len(cells)} rows of the grid; {trained}, scored by "
        f"{metric_name(row.metric)}. [All targets](../../results.md)",
    ]
    if figure := grid_figures.gains(grid, target):
        pages.write(f"generated/{target}-gains.svg", figure)
        alt = (
            f"Differences from the baseline in {row.title} with their intervals; the table in Results has the numbers."
        )
        parts += ["## Which intermediate task helps?", f"![{alt}](../{target}-gains.svg)"]
    parts += ["## How far does each row carry?", _languages(grid, target, codes, profile, pages, link)]
    if figure := grid_figures.layers(grid, target):
        pages.write(f"generated/{target}-layers.svg", figure)
        alt = "Mean score over languages from every hidden state, one line for each row."
        parts += ["## Which hidden state retrieves best?", f"![{alt}](../{target}-layers.svg)"]
    if profile != LABORATORY:
        parts += _published(grid, target)
    return "\n\n".join(parts) + "\n"


def _languages(grid: Grid, target: str, codes: list[str], profile: str, pages: Pages, link: Link) -> str:
    """Rows by languages: scores, coloured by their difference from the baseline."""
    base = grid.cells.get((BASELINE, target))
    others = [code for code in codes if code != "en"]
    gained = {
        (cell.row, code): cell.of(code) - base.of(code)
        for cell in grid.column(target)
        for code in codes
        if base and cell.row != BASELINE and not cell.same_data
    }
    end = extent(difference.value for difference in gained.values())
    first = grid.column(target)[0].records[0]["scores"]
    heads = [
        [
            grid_table.column("learnt first"),
            *(_head(code, profile) for code in codes),
            grid_table.column("mean<small>no English</small>"),
        ],
        _facts("distance", [f"{distance(code):.2f}" for code in codes]),
        _facts(f"pretraining, {size_unit(profile)}", [size_said(code, profile) for code in codes]),
        _facts("n", [f"{first[code]['n']:,}" for code in codes]),
    ]
    rows, lines = {True: [], False: []}, []
    for cell in grid.column(target):
        links = [link(record) for record in cell.records]
        scores = {code: cell.of(code) for code in codes}
        shown = [_score(score, links, gained.get((cell.row, code)), end) for code, score in scores.items()]
        average = cell.score("non_english") if others else None
        shown.append(grid_table.number(average, f"{average.value:.1f}") if average else grid_table.MISSING)
        name = short_title(cell.row) + ("<small>same data</small>" if cell.same_data else "")
        rows[cell.row == BASELINE].append(grid_table.row(name, shown))
        lines += [
            [cell.row, code, f"{distance(code):.4f}", size_said(code, profile).replace(",", ""), first[code]["n"],
             len(cell.records), *(f"{number:.4f}" for number in (score.value, *score.interval))]
            for code, score in scores.items()
        ]  # fmt: skip
    columns = ["row", "language", "distance", "pretraining", "n", "runs", "score", "low", "high"]
    path = pages.table(target, columns, lines).removeprefix("generated/")
    table = grid_table.grid_table(
        f"{task(target).title} by language, nearest to English first", heads, list(rows.values())
    )
    said = (
        f"Distance: to English, {distance_meant(profile)}. ± is half of a 95 % interval: by bootstrap over test items "
        "where a cell has one run, by Student's t over seeds where it has several. Colours compare with the baseline's "
        "score in that language."
    )
    return f"{table}\n{{download}}`CSV <../{path}>`\n\n{grid_table.scale(end) if gained else ''}{said}"


def _head(code: str, profile: str) -> str:
    name = escape(language(code).name)
    return grid_table.column(f'<a href="../languages/{code}.html">{name}</a>' if profile == LABORATORY else name)


def _facts(name: str, cells: list[str]) -> list[str]:
    return [
        f'<th scope="row">{name}</th>',
        *(f'<td class="fact">{cell}</td>' for cell in cells),
        '<td class="fact"></td>',
    ]


def _score(score: Measured, links: list[str], difference: Measured | None, end: float) -> str:
    gain = difference.value if difference else None
    return grid_table.number(score, f"{score.value:.1f}", links=links, gain=gain, end=end)


def _published(grid: Grid, target: str) -> list[str]:
    """Published means beside ours."""
    found = [row for row in facts("published_scores") if row["task"] == target]
    if not found:
        return []
    rows = [[row["system"], metric_name(row["metric"]), row["score"], row["source"]] for row in found]
    for cell in grid.column(target):
        metric = cell.records[0]["metric"]
        rows.append([f"here: {short_title(cell.row)}", metric_name(metric), f"{cell.score().value:.1f}", "this book"])
    return [
        "## Beside published numbers",
        "Means over all languages. Encoders, sizes and sometimes metrics differ: these stand side by side and are "
        "never averaged. More of them: [published results](../../published.md).",
        pipe_table(["system", "metric", "score", "source"], rows),
    ]
