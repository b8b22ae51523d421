"""The abstract on the book's first page: the answers to the five questions, the paper's claims, and one figure."""

from stilts_core.report.escape import markdown_text
from stilts_core.report.pages.questions.absence import summarise_absence
from stilts_core.report.pages.questions.answers import FIGURE as ANSWERS_FIGURE
from stilts_core.report.pages.questions.answers import answers_title
from stilts_core.report.pages.questions.beside import second_answer
from stilts_core.report.pages.questions.build import CLAIMS, QUESTIONS, Chapters
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.parts import ChapterParts
from stilts_core.report.pages.questions.wording import PENDING, answer, headline, repeat_answer, status_words, verdict

CLAIM = "retrieval"  # the study whose figure stands on the first page


def build_abstract(chapters: Chapters, grid: Chapter, claims: str) -> str:
    """The abstract as MyST, with links from the folder of pages.

    `grid` is the study of the grid on real languages, and `claims` says what became of the paper's claims.
    """
    studies, real = chapters
    answers = [_answer(studies[name], real.get(name), parts) for name, parts in QUESTIONS.items()]
    return (
        "\n\n".join(
            [
                "\n".join(answers),
                "What became of the paper's claims:",
                _claims(grid, studies[CLAIM], claims),
                *_figure(chapters),
            ]
        )
        + "\n"
    )


def _answer(chapter: Chapter, arm: Chapter | None, parts: ChapterParts) -> str:
    """The question of a chapter, and a list of its answers: in the laboratory, on real languages, as it was asked."""
    link = f"[{markdown_text(parts.short)}](questions/{chapter.name}.md)"
    finding = chapter.primary
    if finding:
        sentence = answer(chapter, chapter.protocol.primary, finding)
        laboratory = f"{markdown_text(sentence)} {status_words(chapter, finding)}"
    else:
        laboratory = _say_absence("In the laboratory", chapter)
    others = (_answer_of_real_arm(chapter, arm), second_answer(parts.second, chapter, arm))
    question = markdown_text(chapter.protocol.question)
    return "\n  - ".join([f"- {link}: {question}", laboratory, *filter(None, others)])


def _say_absence(where: str, chapter: Chapter) -> str:
    """Where a study has no answer, and why."""
    return f"{where}: {markdown_text(summarise_absence(chapter))}."


def _answer_of_real_arm(chapter: Chapter, arm: Chapter | None) -> str:
    """The answer on real languages, after that of the laboratory; empty if the question is not asked there.

    The contrast is not named again where it is the same and came out alike.
    """
    if arm is None:
        return ""
    finding = arm.primary
    if finding is None:
        return _say_absence("On real languages", arm)
    primary = arm.protocol.primary
    same = primary.name == chapter.protocol.primary.name
    same &= chapter.primary is not None and verdict(arm, finding) in (PENDING, verdict(chapter, chapter.primary))
    sentence = repeat_answer(arm, finding) if same else answer(arm, primary, finding)
    return f"{markdown_text(sentence)} {status_words(arm, finding)}"


def _claims(grid: Chapter, retrieval: Chapter, claims: str) -> str:
    """What became of the paper's claims on the grids, and of the one about retrieval on real languages."""
    links = {
        "[The grid on real languages](real.md)": grid,
        f"[{markdown_text(CLAIMS[CLAIM].short)} on real languages](questions/{CLAIM}.md)": retrieval,
    }
    lines = [f"- {markdown_text(claims)}: [What holds?](claims.md)"]
    for link, chapter in links.items():
        if finding := chapter.primary:
            sentence = markdown_text(answer(chapter, chapter.protocol.primary, finding))
            lines.append(f"- {link}: {sentence} {status_words(chapter, finding)}")
    return "\n".join(lines)


def _figure(chapters: Chapters) -> list[str]:
    """The main figure of the study of retrieval; before it has been run, the intervals of the five answers."""
    studies, real = chapters
    chapter = studies[CLAIM]
    if chapter.primary:
        title = markdown_text(headline(chapter, chapter.protocol.primary, chapter.primary))
        return [f"![{title}](generated/questions/{CLAIM}.svg)", CLAIMS[CLAIM].caption(chapter)]
    asked = {name: studies[name] for name in QUESTIONS}
    if any(entry.primary for name in asked for entry in (asked[name], real.get(name)) if entry):
        title = markdown_text(answers_title(asked, real))
        return [f"![{title}]({ANSWERS_FIGURE})"]
    return []
