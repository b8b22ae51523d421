"""The generated part of the page "Answers": one row and one interval for each question."""

from collections.abc import Mapping

from stilts_core.report.escape import markdown_text
from stilts_core.report.figures.questions.intervals import IntervalRow, PlottedInterval, draw_intervals
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.wording import answer, progress, quantity, status, verdict
from stilts_core.report.tables.html import markdown_table
from stilts_core.studies.findings import Finding

FIGURE = "generated/questions/answers.svg"


def build_answers(chapters: Mapping[str, Chapter], shorts: Mapping[str, str], writer: PageWriter) -> str:
    """The table of the five answers, the figure of their intervals, and the CSV file, as MyST."""
    rows, csv_rows = [], []
    for name, chapter in chapters.items():
        finding = chapter.primary
        link = f"[{markdown_text(shorts[name])}](questions/{name}.md)"
        cells = _cells(chapter, finding)
        rows.append([link, markdown_text(chapter.protocol.question), *map(markdown_text, cells)])
        numbers = (finding.value, finding.low, finding.high, finding.sesoi) if finding else ("",) * 4
        csv_rows.append([name, chapter.protocol.question, *cells, *numbers])
    columns = ["chapter", "question", "answer", "value", "verdict", "status"]
    path = writer.write_csv("questions/answers", [*columns, "estimate", "low", "high", "sesoi"], csv_rows)
    table = markdown_table(columns, rows)
    return "\n\n".join([f"{table}\n{{download}}`CSV <{path}>`", *_figure(chapters, shorts, writer)]) + "\n"


def _cells(chapter: Chapter, finding: Finding | None) -> list[str]:
    """Answer, value, verdict and status; a study without findings says how far it is."""
    if finding:
        sentence = answer(chapter, chapter.protocol.primary, finding)
        return [sentence, quantity(finding), verdict(chapter, finding), status(chapter, finding)]
    if chapter.table is not None:
        return [f"No answer yet: {progress(chapter)}.", "–", "–", "interim"]
    return ["The results cannot be shown." if chapter.problem else "Not run yet.", "–", "–", "–"]


def _figure(chapters: Mapping[str, Chapter], shorts: Mapping[str, str], writer: PageWriter) -> list[str]:
    """The primary effects on one scale: multiples of their smallest effects of interest."""
    found = [(shorts[name], chapter.primary) for name, chapter in chapters.items() if chapter.primary]
    if not found:
        return []
    rows = [
        IntervalRow(
            short, (PlottedInterval(*(bound / finding.sesoi for bound in (finding.value, finding.low, finding.high))),)
        )
        for short, finding in found
    ]
    settled = sum(verdict(chapter, chapter.primary) in ("supported", "not supported") for chapter in chapters.values()
                  if chapter.primary)  # fmt: skip
    title = f"{settled} of {len(chapters)} questions have a settled answer"
    axis = "primary effect, in multiples of the smallest effect of interest"
    svg = draw_intervals(rows, title, axis, band=1, band_name="below the smallest effect of interest")
    writer.write(FIGURE, svg)
    return [
        f"![{markdown_text(title)}]({FIGURE})",
        "The five primary effects with their intervals, each divided by its own smallest effect of interest, so that "
        "they share an axis. Inside the band an effect is smaller than what the protocol calls interesting. Where a "
        "protocol expects no effect, an interval inside the band is the positive result.",
    ]
