"""The generated part of the page "Answers": one row and one interval for each question."""

from collections.abc import Mapping

from stilts_core.report.escape import markdown_text
from stilts_core.report.figures.questions.intervals import IntervalRow, PlottedInterval, draw_intervals
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages.questions.absence import summarise_absence
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.names import list_words
from stilts_core.report.pages.questions.rerun import computing_seconds
from stilts_core.report.pages.questions.wording import PENDING, answer, quantity, status, verdict
from stilts_core.report.tables.html import markdown_table
from stilts_core.studies.findings import Finding

FIGURE = "generated/questions/answers.svg"
WITHOUT = "without a result"


def build_answers(chapters: Mapping[str, Chapter], shorts: Mapping[str, str], writer: PageWriter) -> str:
    """The table of the five answers, the figure of their intervals, and the CSV file, as MyST."""
    rows, csv_rows = [], []
    for name, chapter in chapters.items():
        finding = chapter.primary
        link = f"[{markdown_text(shorts[name])}](questions/{name}.md)"
        cells = _cells(chapter, finding)
        sentence, _, *judgement = map(markdown_text, cells)  # the sentence has the value
        rows.append([f"{link}<br>{markdown_text(chapter.protocol.question)}", sentence, "<br>".join(judgement)])
        numbers = (finding.value, finding.low, finding.high, finding.sesoi) if finding else ("",) * 4
        csv_rows.append([name, chapter.protocol.question, *cells, *numbers])
    columns = ["chapter", "question", "answer", "value", "verdict", "status"]  # of the CSV file
    path = writer.write_csv("questions/answers", [*columns, "estimate", "low", "high", "sesoi"], csv_rows)
    table = markdown_table(["question", "answer", "verdict, status"], rows)
    parts = [f"{table}\n{{download}}`CSV <{path}>`", *_figure(chapters, shorts, writer), *_cost(chapters)]
    return "\n\n".join(parts) + "\n"


def _cost(chapters: Mapping[str, Chapter]) -> list[str]:
    """What the recorded results took to compute."""
    seconds = sum(sum(computing_seconds(chapter)) for chapter in chapters.values())
    if not seconds:
        return []
    return [
        f"All recorded results of this table took {seconds / 3600:.1f} hours of one core (wall-clock time beside other "
        "work, with the phases that runs share counted once, and without the time of measuring latency)."
    ]


def _cells(chapter: Chapter, finding: Finding | None) -> list[str]:
    """Answer, value, verdict and status; a study without findings says how far it is."""
    if finding:
        sentence = answer(chapter, chapter.protocol.primary, finding)
        return [sentence, quantity(finding), verdict(chapter, finding), status(chapter, finding)]
    why = summarise_absence(chapter)
    return [f"{why[0].upper()}{why[1:]}.", "–", "–", "interim" if chapter.is_interim else "–"]


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
    title = answers_title(chapters)
    axis = "primary effect, in multiples of the smallest effect of interest"
    svg = draw_intervals(rows, title, axis, band=1, band_name="below the smallest effect of interest")
    writer.write(FIGURE, svg)
    return [
        f"![{markdown_text(title)}]({FIGURE})",
        "The primary effects with their intervals (95 %, or 90 % where equivalence is tested), each divided by its own "
        "smallest effect of interest, so that they share an axis. Inside the band an effect is smaller than what the "
        "protocol calls interesting. Where a protocol expects no effect, an interval inside the band is the positive "
        "result, unless the correction for several contrasts leaves it open. A study without a result has no row.",
    ]


def answers_title(chapters: Mapping[str, Chapter]) -> str:
    """How many of the primary hypotheses have which verdict, and how many studies gave no result."""
    verdicts = [verdict(chapter, chapter.primary) if chapter.primary else WITHOUT for chapter in chapters.values()]
    names = {"supported": "supported", "not supported": "not supported", "cannot tell": "open", PENDING: "pending"}
    names[WITHOUT] = WITHOUT
    counts = [f"{verdicts.count(kind)} {name}" for kind, name in names.items() if kind in verdicts]
    return f"Of {len(verdicts)} primary hypotheses, {list_words(counts)}"
