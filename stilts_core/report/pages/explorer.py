"""The page "Explorer": every grid's scores and differences by language, as data that a script in the page draws."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from stilts_core.config import LABORATORY
from stilts_core.laboratory.language.design import LANGUAGES
from stilts_core.report.analysis.distances import describe_distance, distance_to_english, size_unit, sort_by_distance
from stilts_core.report.analysis.grid import BASELINE, Cell, Grid
from stilts_core.report.analysis.measurement import Measurement
from stilts_core.report.analysis.replicates import describe_units
from stilts_core.report.colours import GAIN, LOSS, to_css
from stilts_core.report.escape import html_text, one_line
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages.grid_place import GridPlace
from stilts_core.report.pages.overview import explain_no_runs
from stilts_core.report.pages.recorded import TITLES
from stilts_core.report.tables.grid import cell_links
from stilts_core.report.tables.html import metric_name
from stilts_core.report.tables.titles import row_title
from stilts_core.tasks.catalogue import get_task
from stilts_core.tasks.languages import get_language

STATIC = Path(__file__).parents[1] / "static"
DIGITS = 2  # decimals of all numbers: the tables print one, their CSV files four
# Characters of JSON that could end its element in HTML, and their escapes.
_ACTIVE = {ord(char): f"\\u{ord(char):04x}" for char in "<>&"}


def build_page(grids: Iterable[tuple[Grid, GridPlace]], profile: str, writer: PageWriter) -> str:
    """The generated part of the page, one block of HTML; its script and its style go through `writer`.

    The grid with the most runs comes first, and grids without runs are left out.
    """
    for path in sorted(STATIC.iterdir()):
        writer.write(f"generated/static/{path.name}", path.read_bytes())
    shown = sorted((pair for pair in grids if pair[0].records), key=lambda pair: -len(pair[0].records))
    if not shown:
        return explain_no_runs(profile)
    tables = " and ".join(f'<a href="{place.page}.html">{html_text(_title(grid, place))}</a>' for grid, place in shown)
    data = json.dumps(
        {"grids": [_describe_grid(*pair) for pair in shown]},
        ensure_ascii=False, allow_nan=False, separators=(",", ":"),
    )  # fmt: skip
    return "\n".join(
        [
            '<link rel="stylesheet" href="../_static/explorer.css">',
            f"<noscript><p>The explorer needs JavaScript. The same numbers are in the tables of {tables}, whose "
            "headings lead to the languages of each target.</p></noscript>",
            f'<div id="stilts-explorer" class="mathjax_ignore" style="--gain: {to_css(GAIN)}; --loss: {to_css(LOSS)}">'
            "</div>",
            f'<script type="application/json" id="stilts-explorer-data">{data.translate(_ACTIVE)}</script>',
            '<script src="../_static/explorer.js"></script>',
            "",
        ]
    )


def _title(grid: Grid, place: GridPlace) -> str:
    encoder = f", encoder {place.encoder}" if place.encoder else ""
    return f"{TITLES.get(place.page, 'Results')} (profile {grid.records[0].profile}{encoder})"


def _describe_grid(grid: Grid, place: GridPlace) -> dict[str, Any]:
    return {
        "id": f"{place.prefix}{place.page}" if place.encoder else place.page,
        "title": one_line(_title(grid, place)),
        "targets": [_describe_target(grid, target, place) for target in grid.targets],
    }


def _describe_target(grid: Grid, target: str, place: GridPlace) -> dict[str, Any]:
    """A target with its languages, nearest to English first, and its rows; a row's values are in that order."""
    first, task = grid.column(target)[0].records[0], get_task(target)
    codes, source = sort_by_distance(first.scores), first.config.data_source
    return {
        "id": target,
        "title": one_line(task.title),
        "metric": metric_name(task.metric),
        "page": f"{place.target_page(target)}.html",
        "distance": describe_distance(source),
        "size": size_unit(source),
        "languages": [_describe_language(code, source) | {"n": first.scores[code].n} for code in codes],
        "rows": [_describe_row(grid, cell, codes, place) for cell in grid.column(target)],
    }


def _describe_language(code: str, source: str) -> dict[str, Any]:
    """The facts by which languages can be ordered. Only the laboratory's languages have a page."""
    facts: dict[str, Any] = {"code": one_line(code), "distance": round(distance_to_english(code), DIGITS)}
    if source == LABORATORY:
        own = LANGUAGES[code]
        facts |= {"name": own.name, "script": own.script.name, "size": own.texts}
        facts |= {"page": f"generated/languages/{code}.html"}
    else:
        language = get_language(code)
        facts |= {"name": language.name, "script": language.script, "size": language.cc100_gib}
    return facts | {name: one_line(facts[name]) for name in ("name", "script")}


def _describe_row(grid: Grid, cell: Cell, codes: Sequence[str], place: GridPlace) -> dict[str, Any]:
    """A row on one target: its scores, and its differences from the baseline, None if no two runs can be paired."""
    row, target = cell.row, cell.target
    differences = [grid.difference_in(row, target, code) for code in codes]
    paired = row != BASELINE and grid.paired(row, target)
    return {
        "id": row,
        "title": one_line(row_title(row)),
        "same_data": cell.same_data,
        "runs": len(cell.records),
        "links": cell_links(cell, place.link),
        "score": {
            "over": describe_units(cell.averages()),
            "mean": _bounds(cell.score("non_english")),
            "values": [_bounds(cell.score_in(code)) for code in codes],
        },
        "difference": {
            "over": describe_units(paired),
            "mean": _bounds(grid.difference(row, target, "non_english")),
            "values": [_bounds(difference) for difference in differences],
        } if paired else None,
    }  # fmt: skip


def _bounds(value: Measurement | None) -> list[float] | None:
    """The value and its 95 % interval, rounded; minus zero becomes zero."""
    return [round(number, DIGITS) + 0.0 for number in (value.value, *value.interval)] if value else None
