"""What stands beside a chapter's answer: what the question asks for besides, and what other work reports."""

from collections.abc import Mapping, Sequence

from stilts_core.report.escape import code_span, markdown_text
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.names import place_words
from stilts_core.report.pages.questions.parts import Published
from stilts_core.report.pages.questions.wording import answer, estimate, repeat_answer
from stilts_core.studies.findings import Finding


def explain_beside(chapter: Chapter, names: Sequence[str]) -> list[str]:
    """The contrasts that the question asks for in so many words, besides the primary one, as a paragraph and a list."""
    found = [(contrast, finding) for contrast, finding in chapter.pairs if contrast.name in names]
    if not found:
        return []
    lines = [
        f"- {markdown_text(answer(chapter, contrast, finding))} "
        f"*{'Confirmatory family' if contrast.status == 'confirmatory' else 'Exploratory'}, "
        f"p{_equals(finding.p_adjusted)} after correction.*"
        for contrast, finding in found
    ]
    return ["**What the question asks besides.** The primary contrast decides the study. These belong to the answer:",
            "\n".join(lines)]  # fmt: skip


def second_answer(second: tuple[str, str], chapter: Chapter, arm: Chapter | None = None) -> str:
    """The finding of the second contrast of a question (see `ChapterParts`), then that of the real arm, as MyST.

    Empty if no study has this contrast.
    """
    lead, name = second
    studies = [study for study in (chapter, arm) if study]
    found = [(study, pair) for study in studies for pair in study.pairs if pair[0].name == name]
    if not found:
        return ""
    (first, (contrast, finding)), *others = found
    sentence = answer(first, contrast, finding)
    repeated = [repeat_answer(study, finding) for study, (_, finding) in others]
    return markdown_text(" ".join([f"{lead}: {sentence[0].lower()}{sentence[1:]}", *repeated]))


def compare_with_published(chapter: Chapter, published: Mapping[str, Published]) -> list[str]:
    """What other work reports beside the estimate here, as MyST."""
    lines = []
    for contrast, finding in chapter.pairs:
        if other := published.get(contrast.name):
            compared = f"{code_span(contrast.treatment)} minus {code_span(contrast.control)}"
            lines.append(
                f"- {other.words}. Here {compared} is {markdown_text(estimate(finding))} "
                f"{finding.unit_of_value} ({markdown_text(place_words(contrast))}): {judge_sign(other.sign, finding)}."
            )
    if not lines:
        return []
    return ["**Beside published work.** Models, data and sizes differ, so signs can be compared, and sizes cannot.",
            "\n".join(lines)]  # fmt: skip


def judge_sign(sign: int, finding: Finding) -> str:
    """Whether an interval has the sign that other work implies (1, −1, or 0 for no difference), and no more."""
    if finding.low <= 0 <= finding.high:
        return (
            "the interval contains zero, so it cannot tell" if sign else "the interval contains zero, as it would then"
        )
    found = 1 if finding.low > 0 else -1
    if not sign:
        return "the interval excludes zero, which is not what that work reports"
    return "the interval has the same sign" if found == sign else "the interval has the opposite sign"


def _equals(p: float) -> str:
    return " < 0.001" if p < 0.001 else f" = {p:.3f}"
