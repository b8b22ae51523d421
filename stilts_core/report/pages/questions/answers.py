"""The generated part of the page "Answers": one row and one interval for each question."""

from collections.abc import Iterable, Mapping

from stilts_core.report.escape import markdown_text
from stilts_core.report.figures.questions.intervals import IntervalRow, PlottedInterval, draw_intervals
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages.questions.absence import summarise_absence
from stilts_core.report.pages.questions.beside import second_answer
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.names import list_words
from stilts_core.report.pages.questions.parts import ChapterParts
from stilts_core.report.pages.questions.real_arm import agreement_words
from stilts_core.report.pages.questions.rerun import computing_seconds
from stilts_core.report.pages.questions.wording import PENDING, answer, quantity, status, verdict
from stilts_core.report.tables.html import markdown_table

HEADINGS = ("question", "in the laboratory", "on real languages", "do they agree?")
NOT_ASKED, ABSENT = "Not asked yet.", "–"
CSV_COLUMNS = ("study", "question", "answer", "value", "verdict", "status", "estimate", "low", "high", "sesoi")
SERIES = ("laboratory", "real languages")
FIGURE = "generated/questions/answers.svg"
WITHOUT = "without a result"


def build_answers(
    chapters: Mapping[str, Chapter], real: Mapping[str, Chapter], parts: Mapping[str, ChapterParts], writer: PageWriter
) -> str:
    """The table of the five answers, the figure of their intervals, and the CSV file, as MyST.

    `real` has the real arms by the name of the chapter, and `parts` what is particular to each.
    """
    shorts = {name: own.short for name, own in parts.items()}
    rows = []
    for name, chapter in chapters.items():
        question = f"[{markdown_text(shorts[name])}](questions/{name}.md)<br>{markdown_text(chapter.protocol.question)}"
        arm = real.get(name)
        second = parts[name].second
        cells = [_cell(entry, second) if entry else NOT_ASKED for entry in (chapter, arm)]
        rows.append([question, *cells, _agreement(chapter, arm)])
    studies = [entry for name, chapter in chapters.items() for entry in (chapter, real.get(name)) if entry]
    path = writer.write_csv("questions/answers", CSV_COLUMNS, [*map(_csv_row, studies)])
    table = f"{markdown_table(HEADINGS, rows)}\n{{download}}`CSV <{path}>`"
    return "\n\n".join([table, *_figure(chapters, real, shorts, writer), *_cost(studies)]) + "\n"


def _cell(chapter: Chapter, second: tuple[str, str]) -> str:
    """The answer of a study, with its verdict and its status in a second line; a study without one has less.

    The answer of the second contrast follows, if there is one.
    """
    sentence, _, *judgement = _words(chapter)  # the sentence has the value
    known = ", ".join(word for word in judgement if word != ABSENT)
    lines = [markdown_text(sentence), f"*{known}*" if known else "", second_answer(second, chapter)]
    return "<br>".join(filter(None, lines))


def _csv_row(chapter: Chapter) -> list[object]:
    finding = chapter.primary
    numbers = (finding.value, finding.low, finding.high, finding.sesoi) if finding else ("",) * 4
    return [chapter.name, chapter.protocol.question, *_words(chapter), *numbers]


def _agreement(chapter: Chapter, arm: Chapter | None) -> str:
    """Whether both arms agree in the primary contrast, if both have tested the same one."""
    if not (arm and chapter.primary and arm.primary) or chapter.primary.name != arm.primary.name:
        return ABSENT
    return agreement_words(chapter, arm, chapter.primary, arm.primary)


def _cost(chapters: Iterable[Chapter]) -> list[str]:
    """What the recorded results took to compute."""
    seconds = sum(sum(computing_seconds(chapter)) for chapter in chapters)
    if not seconds:
        return []
    return [
        f"All recorded results of this table took {seconds / 3600:.1f} hours of one core (wall-clock time beside other "
        "work, with the phases that runs share counted once, and without the time of measuring latency)."
    ]


def _words(chapter: Chapter) -> list[str]:
    """Answer, value, verdict and status; a study without findings says how far it is."""
    if finding := chapter.primary:
        sentence = answer(chapter, chapter.protocol.primary, finding)
        return [sentence, quantity(finding), verdict(chapter, finding), status(chapter, finding)]
    why = summarise_absence(chapter)
    return [f"{why[0].upper()}{why[1:]}.", ABSENT, ABSENT, "interim" if chapter.is_interim else ABSENT]


def _figure(
    chapters: Mapping[str, Chapter], real: Mapping[str, Chapter], shorts: Mapping[str, str], writer: PageWriter
) -> list[str]:
    """The primary effects on one scale: multiples of their smallest effects of interest."""
    pairs = {shorts[name]: (_plotted(chapter), _plotted(real.get(name))) for name, chapter in chapters.items()}
    rows = [IntervalRow(short, pair) for short, pair in pairs.items() if any(pair)]
    if not rows:
        return []
    title = answers_title(chapters, real)
    axis = "primary effect, in multiples of the smallest effect of interest"
    band_name = "below the smallest effect of interest"
    writer.write(FIGURE, draw_intervals(rows, title, axis, series=SERIES, band=1, band_name=band_name))
    return [
        f"![{markdown_text(title)}]({FIGURE})",
        "The primary effects with their intervals (95 %, or 90 % where equivalence is tested), each divided by its own "
        "smallest effect of interest, so that they share an axis. Inside the band an effect is smaller than what the "
        "protocol calls interesting. Where a protocol expects no effect, an interval inside the band is the positive "
        "result, unless the correction for several contrasts leaves it open. A study without a result has no interval.",
    ]


def _plotted(chapter: Chapter | None) -> PlottedInterval | None:
    if chapter is None or (finding := chapter.primary) is None:
        return None
    return PlottedInterval(*(bound / finding.sesoi for bound in (finding.value, finding.low, finding.high)))


def answers_title(chapters: Mapping[str, Chapter], real: Mapping[str, Chapter]) -> str:
    """How many of the primary hypotheses have which verdict, and how many studies gave no result."""
    title = f"Of {len(chapters)} primary hypotheses, {_count_verdicts(chapters.values())}"
    arms = [real[name] for name in chapters if name in real]
    return f"{title} in the laboratory; on real languages, {_count_verdicts(arms)}" if arms else title


def _count_verdicts(chapters: Iterable[Chapter]) -> str:
    verdicts = [verdict(chapter, chapter.primary) if chapter.primary else WITHOUT for chapter in chapters]
    names = {"supported": "supported", "not supported": "not supported", "cannot tell": "open", PENDING: "pending"}
    names[WITHOUT] = WITHOUT
    return list_words([f"{verdicts.count(kind)} {name}" for kind, name in names.items() if kind in verdicts])
