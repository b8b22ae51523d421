"""Why a chapter has no answer yet, in words."""

from stilts_core.report.escape import markdown_text
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.wording import progress
from stilts_core.report.tables.grid import with_minus_signs


def state_reason(chapter: Chapter) -> str:
    """Why a chapter with a table has no answer, as Markdown: blocks are missing, or its results do not allow one."""
    reason = progress(chapter) if chapter.is_interim else chapter.refusal.split(";")[0]  # what to do comes after it
    return markdown_text(with_minus_signs(reason))


def explain_absence(chapter: Chapter) -> str:
    """Why a chapter has no answer yet, as Markdown: not run, unreadable, or too few results."""
    command = f"`stilts study {chapter.name} --keep`"
    if chapter.problem:
        return f"The results of this study cannot be shown: {markdown_text(chapter.problem)}."
    if chapter.table is None:
        return f"This study has not been run yet. {command} runs it, and `stilts report` then fills this page."
    reason = markdown_text(with_minus_signs(chapter.refusal))
    return f"There is no answer yet ({progress(chapter)}): {reason}. {command} resumes the study."
