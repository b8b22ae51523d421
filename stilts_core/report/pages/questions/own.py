"""The page of a reader's own study: its protocol, its answer and its contrasts, in one file without figures."""

from stilts_core.report.escape import markdown_text
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.contrasts import list_notes, verdict_words
from stilts_core.report.pages.questions.effect_size import explain_size
from stilts_core.report.pages.questions.protocol import build_protocol
from stilts_core.report.pages.questions.wording import answer, decision_rule, explain_status, p_words
from stilts_core.report.tables.html import markdown_table
from stilts_core.report.tables.numbers import interval, signed
from stilts_core.studies.conduct import Study, conclude_study
from stilts_core.studies.results import StudyTable


def build_own_page(study: Study, table: StudyTable, title: str, limits: str) -> str:
    """Return the page as Markdown; `limits` says in the reader's words for what the result does not hold.

    Raises StudyError if arms are missing in the table.
    """
    findings = tuple(conclude_study(study, table))
    chapter = Chapter(study, study.registration, table, "", findings, "")
    primary, finding = study.protocol.primary, findings[0]
    rows = [
        [
            markdown_text(contrast.name),
            f"{signed(found.value)} {interval(found.low, found.high)}",
            f"{found.n} {found.unit}s",
            "–" if found.untested else p_words(found.p_adjusted),
            markdown_text(verdict_words(chapter, found)),
        ]
        for contrast, found in chapter.pairs
    ]
    parts = [
        f"# {markdown_text(title)}",
        f"> {markdown_text(study.protocol.question)}",
        "## Protocol",
        build_protocol(chapter, {}).strip(),
        "## Answer",
        f"**{markdown_text(answer(chapter, primary, finding))}**",
        markdown_text(explain_status(chapter, finding)),
        *explain_size(chapter, primary, finding),
        "## All contrasts",
        "Values are treatment minus control, paired. The p values of confirmatory contrasts are corrected by Holm's "
        "method, those of exploratory contrasts by Benjamini and Hochberg's.",
        markdown_table(["contrast", "value with interval", "over", "p", "verdict"], rows).strip(),
        *list_notes(chapter),
        "## What would change our mind",
        markdown_text(decision_rule(primary)),
        "## Limits",
        markdown_text(limits),
    ]
    return "\n\n".join(parts) + "\n"
