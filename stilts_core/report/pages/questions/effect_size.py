"""How large an effect is: what the test of a contrast could find."""

from stilts_core.report.escape import markdown_text
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.contrasts import explain_untested
from stilts_core.report.pages.questions.wording import explain_power
from stilts_core.studies.findings import Finding
from stilts_core.studies.protocol import Contrast


def explain_size(chapter: Chapter, contrast: Contrast, finding: Finding) -> list[str]:
    """What the test could find and how large the effect is, as paragraphs of MyST; or why nothing was tested."""
    if finding.untested:
        return [f"The contrast is {markdown_text(explain_untested(finding))}."]
    return [markdown_text(explain_power(finding, contrast.direction, final=not chapter.is_interim))]
