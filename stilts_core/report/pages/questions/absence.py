"""Why a chapter has no answer yet, in words."""

from stilts_core.report.escape import markdown_text
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.wording import progress
from stilts_core.report.tables.numbers import with_minus_signs


def explain_absence(chapter: Chapter) -> str:
    """Why a chapter has no answer yet, as Markdown: not run, unreadable, or too few results."""
    command = f"`stilts study {chapter.name} --keep`"
    if chapter.problem:
        return f"The results of this study cannot be shown: {markdown_text(chapter.problem)}."
    if chapter.table is None:
        return f"This study has not been run yet. {command} runs it, and `stilts report` then fills this page."
    refusal = markdown_text(with_minus_signs(chapter.refusal))
    further = f" {command} resumes the study." if chapter.is_interim else ""
    return f"There is no answer yet ({progress(chapter)}): {refusal}.{further}"


def summarise_absence(chapter: Chapter) -> str:
    """Why a chapter has no answer, in a few words that end a sentence; not escaped."""
    if chapter.problem:
        return "the results cannot be shown"
    if chapter.table is None:
        return "not run yet"
    if chapter.protocol.latency and not chapter.is_interim:
        return "no answer, because the measurement did not pass its own check"
    return f"no answer yet ({progress(chapter)})"
