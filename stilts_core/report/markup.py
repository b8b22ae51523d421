"""HTML that reads well in a notebook, on a page of the book and on a phone, in every script."""

from collections.abc import Sequence
from html import escape

from IPython.display import HTML

SHORT_CELL = 32  # characters of a cell that stays on one line
METRIC_NAMES = {
    "repaired": "accuracy, questions repaired",
    "f1": "F1",
    "em_f1": "(EM + F1) / 2",
    "map": "mAP",
}


def metric_name(metric: str) -> str:
    """A metric's name as a table prints it."""
    return METRIC_NAMES.get(metric, metric.replace("_", " "))


def text(value: object, language: str | None = None) -> str:
    """Escaped text that runs in its own script's direction, whatever the direction around it."""
    spoken = f' lang="{escape(language)}"' if language else ""
    return f'<div dir="auto"{spoken} style="overflow-wrap: break-word; min-width: 6em">{escape(str(value))}</div>'


def table(
    columns: Sequence[str], rows: Sequence[Sequence[object]], remarks: Sequence[str] = (), totals: int = 0
) -> HTML:
    """A table that scrolls inside itself where the screen is narrower than it is, with `remarks` printed under it.

    Numbers are set flush right; strings are taken as HTML (see `text`). The last `totals` rows are set apart: no
    reader's sorting moves them.
    """
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    lines = [f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows]
    body, foot = lines[: len(rows) - totals], lines[len(rows) - totals :]
    below = f'<tfoot style="border-top: 1px solid">{"".join(foot)}</tfoot>' if foot else ""
    return HTML(
        '<div class="stilts-table mathjax_ignore" style="overflow-x: auto">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody>{below}</table></div>{notes(remarks)}"
    )


def notes(sentences: Sequence[str]) -> str:
    """Sentences in small print: what a reader of the table or card above must know."""
    return "".join(f'<p class="stilts-note" style="font-size: 0.85em">{escape(said)}</p>' for said in sentences)


def pipe_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in Markdown, for the pages that are Markdown themselves."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def number(value: float | None, digits: int = 1) -> str | None:
    """A number with thousands separators, or None for None."""
    return None if value is None else f"{value:,.{digits}f}"


def duration(seconds: float) -> str:
    """Seconds as a person says them: 8.3 s, 4 min 10 s, 2 h 5 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def _cell(value: object) -> str:
    if value is None:
        return "<td></td>"
    if isinstance(value, int | float):
        return f'<td style="text-align: right">{number(value, 0 if isinstance(value, int) else 1)}</td>'
    wrapping = "; white-space: nowrap" if len(value) <= SHORT_CELL else ""
    return f'<td style="text-align: start{wrapping}">{value}</td>'
