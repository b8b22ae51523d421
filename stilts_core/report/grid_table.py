"""Tables of a grid as HTML: every number with its interval, its colour, and a link to the run that it comes from."""

from collections.abc import Callable, Sequence
from html import escape

from stilts_core.report.colours import TEXT, css, diverging
from stilts_core.report.grid import Cell
from stilts_core.report.measured import Measured

MISSING = '<td class="missing" aria-label="not run">–</td>'
WIDE = "---\nhtml_theme.sidebar_secondary.remove: true\n---\n"  # of a page whose tables take all the room there is
Link = Callable[[dict], str]


def grid_table(caption: str, heads: Sequence[Sequence[str]], bodies: Sequence[Sequence[str]], foot: str = "") -> str:
    """A table that scrolls inside itself; `heads` are its header rows as cells, `bodies` groups of whole rows.

    A reader sorts each body by itself, so that the baseline stays above what is compared with it.
    """
    head = "".join(f"<tr>{''.join(cells)}</tr>" for cells in heads)
    groups = "".join(f"<tbody>{''.join(rows)}</tbody>" for rows in bodies if rows)
    return (
        '<div class="stilts-table stilts-grid mathjax_ignore" role="region" tabindex="0" '
        f'aria-label="{escape(caption)}">'
        f"<table><caption>{escape(caption)}</caption><thead>{head}</thead>{groups}"
        f"{f'<tfoot>{foot}</tfoot>' if foot else ''}</table></div>\n"
    )


def column(content: str, scope: str = "col") -> str:
    """A header cell of a column."""
    return f'<th scope="{scope}">{content}</th>'


def row(name: str, cells: Sequence[str]) -> str:
    """A row with its header cell."""
    return f'<tr><th scope="row">{name}</th>{"".join(cells)}</tr>'


def number(value: Measured, shown: str, *, links: Sequence[str] = (), gain: float | None = None, end: float = 1) -> str:
    """A cell: a number as text that leads to its runs, half its interval below, coloured by the difference `gain`."""
    style = f' style="background: {css(diverging(gain, end))}; color: {css(TEXT)}"' if gain is not None else ""
    content = f"{_linked(shown, links)}<small>± {half(value)}</small>{_runs(links)}"
    return f'<td data-value="{value.value:.4f}"{style}>{content}</td>'


def difference(value: Measured, cell: Cell, link: Link, end: float) -> str:
    """A cell with a difference from the baseline; where both learnt the same data it is marked and not coloured."""
    links, text = [link(record) for record in cell.records], signed(value.value)
    if not cell.same_data:
        return number(value, f"<b>{text}</b>" if value.clear else text, links=links, gain=value.value, end=end)
    return (
        f'<td data-value="{value.value:.4f}" class="same" title="± {half(value)}">{_linked(text, links)}'
        f"<small>same</small>{_runs(links)}</td>"
    )


def _linked(shown: str, links: Sequence[str]) -> str:
    return f'<a href="{links[0]}">{shown}</a>' if links else shown


def _runs(links: Sequence[str]) -> str:
    """Where a cell has several runs: each of them, numbered."""
    numbered = (f'<a href="{link}" aria-label="run {index}">{index}</a>' for index, link in enumerate(links, start=1))
    return f"<small>{' '.join(numbered)}</small>" if len(links) > 1 else ""


def signed(value: float) -> str:
    """A difference with its sign, which zero has not."""
    return minus(f"{value:+.1f}") if abs(value) >= 0.05 else "0.0"


def half(value: Measured) -> str:
    """Half the width of the 95 % interval."""
    low, high = value.interval
    return f"{(high - low) / 2:.1f}"


def between(value: Measured) -> str:
    """The 95 % interval in words, in which signs are kept apart from the dash."""
    low, high = value.interval
    return minus(f"{low:.1f} to {high:.1f}")


def minus(text: str) -> str:
    """Numbers with the sign that is as wide as a plus."""
    return text.replace("-", "−")


def scale(end: float) -> str:
    """What the colours mean."""
    ends = (
        f'<span class="swatch" style="background: {css(diverging(sign * end, end))}"></span> {signed(sign * end)}'
        for sign in (-1, 1)
    )
    return f'<p class="stilts-note">Colour: {" and below to ".join(ends)} and above.</p>\n\n'
