"""HTML and Markdown that read well in a notebook, on a page of the book and on a phone, in every script."""

from collections.abc import Sequence

from IPython.display import HTML

from stilts_core.report.escape import html_text, language_tag, one_line

SHORT_CELL = 32  # characters of a cell that stays on one line
METRIC_NAMES = {
    "repaired": "accuracy, questions repaired",
    "f1": "F1",
    "em_f1": "(EM + F1) / 2",
    "map": "mAP",
}

_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

CellValue = str | int | float | None


def metric_name(metric: str) -> str:
    """The name of a metric as tables print it; not escaped."""
    return METRIC_NAMES.get(metric, metric.replace("_", " "))


def text(value: object, language: str | None = None) -> str:
    """Escaped text in the direction of its own script, whatever the direction around it."""
    attribute = f' lang="{html_text(language_tag(language))}"' if language else ""
    return f'<div dir="auto"{attribute} style="overflow-wrap: break-word; min-width: 6em">{html_text(value)}</div>'


def table(
    columns: Sequence[str], rows: Sequence[Sequence[CellValue]], remarks: Sequence[str] = (), totals: int = 0
) -> HTML:
    """A table that scrolls inside itself on a narrow screen, with `remarks` below it.

    Numbers are aligned right. Strings are taken as HTML, so text must be escaped before (see `text`). The last `totals`
    rows form the table's foot, which keeps its place when a reader sorts the table.
    """
    head = "".join(f'<th scope="col">{column}</th>' if column else "<td></td>" for column in columns)
    lines = [f"<tr>{''.join(map(_cell, row))}</tr>" for row in rows]
    body, foot = lines[: len(rows) - totals], lines[len(rows) - totals :]
    tfoot = f'<tfoot style="border-top: 1px solid">{"".join(foot)}</tfoot>' if foot else ""
    return HTML(
        '<div class="stilts-table mathjax_ignore" style="overflow-x: auto">'
        f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody>{tfoot}</table></div>{notes(remarks)}"
    )


def notes(sentences: Sequence[str]) -> str:
    """Sentences in small print, below a table or card that cannot be understood without them."""
    return "".join(
        f'<p class="stilts-note mathjax_ignore" style="font-size: 0.85em">{html_text(note)}</p>' for note in sentences
    )


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in Markdown. Cells are taken as Markdown, so text must be escaped before (see `escape`)."""
    lines = [columns, ["---"] * len(columns), *rows]
    return "".join("| " + " | ".join(one_line(cell).replace("|", "\\|") for cell in line) + " |\n" for line in lines)


def format_number(value: float, digits: int = 1) -> str:
    """A number with thousands separators."""
    return f"{value:,.{digits}f}"


def format_duration(seconds: float) -> str:
    """A duration in its two largest units: 8.3 s, 4 min 10 s, 2 h 5 min."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def count(number: int, noun: str) -> str:
    """A number with its noun in the right form."""
    return f"{number:,} {noun}{'s' * (number != 1)}"


def format_power(value: float, digits: int = 1) -> str:
    """A large number as a factor and a power of ten: 8.6 × 10¹⁰."""
    factor, exponent = f"{value:.{digits}e}".split("e")
    return f"{factor} × 10{str(int(exponent)).translate(_SUPERSCRIPTS)}"


def minute(time: str) -> str:
    """A time of ISO 8601 to the minute."""
    return time[:16].replace("T", " ")


def _cell(value: CellValue) -> str:
    if value is None:
        return "<td></td>"
    if isinstance(value, int | float):
        return f'<td style="text-align: right">{format_number(value, 0 if isinstance(value, int) else 1)}</td>'
    no_wrap = "; white-space: nowrap" if len(value) <= SHORT_CELL else ""
    return f'<td style="text-align: start{no_wrap}">{value}</td>'
