"""Tables of a grid as HTML: every number has its interval, its colour, and links to the runs that it comes from."""

from collections.abc import Callable, Sequence

from stilts_core.report.analysis.grid import Cell
from stilts_core.report.analysis.grid_run import GridRun
from stilts_core.report.analysis.measurement import Measurement
from stilts_core.report.colours import TEXT, difference_colour, to_css
from stilts_core.report.escape import html_text
from stilts_core.report.tables.numbers import half_width, signed

MISSING_CELL = '<td class="missing" aria-label="not run">–</td>'
WIDE_PAGE = "---\nhtml_theme.sidebar_secondary.remove: true\n---\n"  # front matter that gives a table the whole width
Link = Callable[[GridRun], str]  # from a run to the address of its page; "" if it has none


def build_table(caption: str, heads: Sequence[Sequence[str]], bodies: Sequence[Sequence[str]], foot: str = "") -> str:
    """A table that scrolls inside itself.

    `heads` are header rows, each a sequence of cells. `bodies` are groups of whole rows: a reader sorts the rows within
    each group, so that the baseline stays above the rows that are compared with it.
    """
    head = "".join(f"<tr>{''.join(cells)}</tr>" for cells in heads)
    groups = "".join(f"<tbody>{''.join(rows)}</tbody>" for rows in bodies if rows)
    return (
        '<div class="stilts-table stilts-grid mathjax_ignore" role="region" tabindex="0" '
        f'aria-label="{html_text(caption)}">'
        f"<table><caption><span>{html_text(caption)}</span></caption><thead>{head}</thead>{groups}"
        f"{f'<tfoot>{foot}</tfoot>' if foot else ''}</table></div>\n"
    )


def header_cell(content: str) -> str:
    """The header of a column."""
    return f'<th scope="col">{content}</th>'


def table_row(name: str, cells: Sequence[str]) -> str:
    """A row with its header."""
    return f'<tr><th scope="row">{name}</th>{"".join(cells)}</tr>'


def number_cell(
    value: Measurement,
    content: str,
    *,
    links: Sequence[str] = (),
    gain: float | None = None,
    colour_limit: float = 1,
    mark: str = "",
) -> str:
    """A cell with a number that links to its runs, and half of its interval below, with a `mark` before it.

    The background shows `gain`, a difference from the baseline; the colours reach their ends at ± `colour_limit`.
    """
    background = f"background: {_css_colour(gain, colour_limit)}; color: {to_css(TEXT)}" if gain is not None else ""
    style = f' style="{background}"' if background else ""
    small_print = f"{f'{mark} ' * bool(mark)}± {half_width(*value.interval)}"
    inner = f"{_linked(content, links)}<small>{small_print}</small>{_numbered(links)}"
    return f'<td data-value="{value.value:.4f}"{style}>{inner}</td>'


def difference_cell(value: Measurement, cell: Cell, link: Link, colour_limit: float, *, clear: bool) -> str:
    """A cell with a difference from the baseline, bold if it is `clear`.

    A cell with the same data is marked and has neither colour nor bold numbers.
    """
    links, content = cell_links(cell, link), signed(value.value, 1)
    if not cell.same_data:
        content = f"<b>{content}</b>" if clear else content
        return number_cell(value, content, links=links, gain=value.value, colour_limit=colour_limit)
    return (
        f'<td data-value="{value.value:.4f}" class="same" title="± {half_width(*value.interval)}">'
        f"{_linked(content, links)}<small>same</small>{_numbered(links)}</td>"
    )


def cell_links(cell: Cell, link: Link) -> list[str]:
    """The addresses of the pages that the runs of a cell have."""
    return [address for run in cell.records if (address := link(run))]


def colour_key(colour_limit: float) -> str:
    """A note that explains the colours."""
    ends = (
        f'<span class="swatch" style="background: {_css_colour(sign * colour_limit, colour_limit)}"></span> '
        f"{signed(sign * colour_limit, 1)}"
        for sign in (-1, 1)
    )
    return f'<p class="stilts-note">Colour: {" and below to ".join(ends)} and above.</p>\n\n'


def _css_colour(difference: float, limit: float) -> str:
    return to_css(difference_colour(difference, limit))


def _linked(content: str, links: Sequence[str]) -> str:
    return f'<a href="{html_text(links[0])}">{content}</a>' if links else content


def _numbered(links: Sequence[str]) -> str:
    """Numbered links to the runs of a cell; empty if it has only one."""
    numbers = (
        f'<a href="{html_text(link)}" aria-label="run {index}">{index}</a>' for index, link in enumerate(links, start=1)
    )
    return f"<small>{' '.join(numbers)}</small>" if len(links) > 1 else ""
