"""Why a chapter has no answer yet, in words."""

from stilts_core.report.escape import markdown_text
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.wording import progress


def explain_absence(chapter: Chapter) -> str:
    """Why a chapter has no answer yet, as Markdown: not run, unreadable, or too few results."""
    command = f"`stilts study {chapter.name} --keep`"
    if chapter.problem:
        return f"The results of this study cannot be shown: {markdown_text(chapter.problem)}."
    if chapter.table is None:
        return f"This study has not been run yet. {command} runs it, and `stilts report` then fills this page."
    return (
        f"There is no answer yet ({progress(chapter)}): {markdown_text(chapter.refusal)}. {command} resumes the study."
    )
