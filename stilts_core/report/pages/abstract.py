"""The abstract on the book's first page: the answers to the five questions, the paper's claims, and one figure."""

from collections.abc import Mapping

from stilts_core.report.escape import markdown_text
from stilts_core.report.pages.questions.answers import FIGURE as ANSWERS_FIGURE
from stilts_core.report.pages.questions.answers import answers_title
from stilts_core.report.pages.questions.build import CLAIMS, QUESTIONS
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.wording import answer, headline, progress, status

CLAIM = "retrieval"  # the study whose figure stands on the first page


def build_abstract(chapters: Mapping[str, Chapter], claims: str) -> str:
    """The abstract as MyST, with links from the folder of pages; `claims` says what became of the claims."""
    answers = [_answer(chapters[name], QUESTIONS[name].short) for name in QUESTIONS]
    return "\n\n".join(["\n".join(answers), _claims(chapters[CLAIM], claims), *_figure(chapters)]) + "\n"


def _answer(chapter: Chapter, short: str) -> str:
    """The answer of a chapter in one sentence, or how far its study is."""
    link = f"[{markdown_text(short)}](questions/{chapter.name}.md)"
    finding = chapter.primary
    if finding is None:
        if chapter.table and not chapter.is_interim:
            return f"- {link}: no answer yet; its chapter says why."
        return f"- {link}: no answer yet{f' ({progress(chapter)})' if chapter.table else ''}."
    sentence = answer(chapter, chapter.protocol.primary, finding)
    return f"- {link}: {markdown_text(sentence)} *{status(chapter, finding).capitalize()}.*"


def _claims(retrieval: Chapter, claims: str) -> str:
    """What became of the paper's claims, and of the one about retrieval on real languages."""
    sentences = [f"{markdown_text(claims)}: [What holds?](claims.md)"]
    if finding := retrieval.primary:
        sentence = markdown_text(answer(retrieval, retrieval.protocol.primary, finding))
        link = f"[{markdown_text(CLAIMS[CLAIM].short)} on real languages](questions/{CLAIM}.md)"
        sentences.append(f"{link}: {sentence} *{status(retrieval, finding).capitalize()}.*")
    return " ".join(sentences)


def _figure(chapters: Mapping[str, Chapter]) -> list[str]:
    """The main figure of the study of retrieval; before it has been run, the intervals of the five answers."""
    chapter = chapters[CLAIM]
    if chapter.primary:
        title = markdown_text(headline(chapter, chapter.protocol.primary, chapter.primary))
        return [f"![{title}](generated/questions/{CLAIM}.svg)", CLAIMS[CLAIM].caption(chapter)]
    if any(chapters[name].primary for name in QUESTIONS):
        title = markdown_text(answers_title({name: chapters[name] for name in QUESTIONS}))
        return [f"![{title}]({ANSWERS_FIGURE})"]
    return []
