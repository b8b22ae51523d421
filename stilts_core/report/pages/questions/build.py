"""The generated fragments of all chapters, which the pages in `book/questions` include, and those of "Answers"."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from stilts_core.errors import StiltsError
from stilts_core.report.escape import markdown_text
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages.questions import adversary, choice, continued, latency, ratio, retrieval
from stilts_core.report.pages.questions.absence import explain_absence
from stilts_core.report.pages.questions.answers import build_answers
from stilts_core.report.pages.questions.beside import compare_with_published, explain_beside
from stilts_core.report.pages.questions.chapter import Chapter, open_chapter
from stilts_core.report.pages.questions.contrasts import build_contrasts
from stilts_core.report.pages.questions.controls import build_controls
from stilts_core.report.pages.questions.effect_size import explain_size
from stilts_core.report.pages.questions.parts import ChapterParts
from stilts_core.report.pages.questions.protocol import build_protocol
from stilts_core.report.pages.questions.real_arm import build_real_arm, open_real_arms
from stilts_core.report.pages.questions.rerun import build_rerun
from stilts_core.report.pages.questions.wording import answer, decision_rule, explain_status, headline
from stilts_core.report.tables.html import count
from stilts_core.report.tables.numbers import interval
from stilts_core.studies.protocol import Contrast

QUESTIONS: Mapping[str, ChapterParts] = {
    "ratio": ratio.PARTS,
    "continued": continued.PARTS,
    "choice": choice.PARTS,
    "latency": latency.PARTS,
    "adversary": adversary.PARTS,
}
# Studies of a claim of the paper, which answer none of the five questions.
CLAIMS: Mapping[str, ChapterParts] = {"retrieval": retrieval.PARTS, "retrieval-dose": retrieval.DOSE_PARTS}


class Chapters(NamedTuple):
    """All chapters, and the real arms of those that have one, by the name of the chapter."""

    studies: Mapping[str, Chapter]
    real: Mapping[str, Chapter]


def write_chapters(writer: PageWriter, protocols: Path | None = None) -> Chapters:
    """Write the fragments, figures and CSV files of all chapters to `generated/questions`, and return the chapters.

    Raises ConfigError for a wrong protocol, in the folder `protocols` if it is given.
    """
    parts = {**QUESTIONS, **CLAIMS}
    chapters = {name: open_chapter(name, writer.folder, protocols) for name in parts}
    real = open_real_arms(parts, writer.folder, protocols)
    for name, chapter in chapters.items():
        for part, content in _fragments(chapter, real.get(name), parts[name], writer).items():
            writer.write(f"generated/questions/{name}/{part}.md", content)
    answers = {name: chapters[name] for name in QUESTIONS}
    writer.write("generated/questions/answers.md", build_answers(answers, real, QUESTIONS, writer))
    return Chapters(chapters, real)


def _fragments(chapter: Chapter, arm: Chapter | None, own: ChapterParts, writer: PageWriter) -> dict[str, str]:
    """The fragments of one chapter by name, as MyST."""
    fragments = {
        "question": f"> {markdown_text(chapter.protocol.question)}\n",
        "protocol": build_protocol(chapter, own.purposes),
        "answer": _answer(chapter, own, writer),
        "contrasts": build_contrasts(chapter, writer),
        "controls": build_controls(chapter, own.controls),
        "mechanism": _mechanism(chapter, own),
        "decision": f"{markdown_text(decision_rule(chapter.protocol.primary))}\n",
        "real": build_real_arm(chapter, arm, own.real),
        "rerun": build_rerun(chapter),
    }
    if own.criteria:
        fragments["criteria"] = "\n\n".join(own.criteria(chapter, arm)) + "\n"
    return fragments


def _answer(chapter: Chapter, own: ChapterParts, writer: PageWriter) -> str:
    """The answer with its status, its power and the main figure; else why there is none yet."""
    finding, contrast = chapter.primary, chapter.protocol.primary
    if finding is None:
        return f"{explain_absence(chapter)}\n"
    parts = [
        f"**{markdown_text(answer(chapter, contrast, finding))}**",
        markdown_text(explain_status(chapter, finding)),
        *explain_size(chapter, contrast, finding),
        *_other_languages(chapter, contrast),
        *_figure(chapter, own, writer),
        *(own.qualify(chapter) if own.qualify else ()),
        *explain_beside(chapter, own.beside),
        *compare_with_published(chapter, own.published),
    ]
    return "\n\n".join(parts) + "\n"


def _other_languages(chapter: Chapter, contrast: Contrast) -> list[str]:
    """Whether the primary effect holds for other languages of the same kinds, where that can be estimated."""
    if chapter.protocol.latency or not (models := chapter.models[contrast.name]):
        return []
    words = (
        f"With {'languages and test items' if models.with_items else 'languages'} drawn anew, too, the 95 % interval"
    )
    bounds = f"{words} is {interval(*models.languages)}"
    if models.languages[0] <= 0 <= models.languages[1] and not models.encoders.low <= 0 <= models.encoders.high:
        return [f"{markdown_text(bounds)}: so the estimate is one for these languages, and may not hold for others."]
    return [f"{markdown_text(bounds)}."]


def _figure(chapter: Chapter, own: ChapterParts, writer: PageWriter) -> list[str]:
    """The main figure, whose title is the finding, and how to read it."""
    title = headline(chapter, chapter.protocol.primary, chapter.findings[0])
    name = f"generated/questions/{chapter.name}.svg"
    try:
        writer.write(name, own.draw(chapter, title))
    except StiltsError as error:
        return [f"There is no figure: {markdown_text(error)}."]
    return [f"![{markdown_text(title)}](../{name})", own.caption(chapter)]


def _mechanism(chapter: Chapter, own: ChapterParts) -> str:
    """The sections of the mechanism, and why others cannot be shown yet."""
    if chapter.table is None:
        return "What explains the result is examined here when the study has been run.\n"
    parts: list[str] = []
    reasons: dict[str, int] = {}
    for build in own.mechanism:
        try:
            parts += build(chapter)
        except StiltsError as error:
            reasons[str(error)] = reasons.get(str(error), 0) + 1
    parts += [f"*Not shown yet* ({count(number, 'section')}): {markdown_text(why)}." for why, number in reasons.items()]
    return "\n\n".join(parts) + "\n"
