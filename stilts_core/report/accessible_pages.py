"""A Sphinx extension that adds what the theme leaves out for readers with a keyboard, a screen reader or a phone.

docutils writes the headers of tables without a scope. The theme names neither the buttons that unfold the contents nor
the side bar, and gives other names to buttons than those that they show. Its icons are characters of a font, which no
screen reader can pronounce. On a narrow screen, lines break between a number and its unit, and a table cannot tell its
short cells from its sentences.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stilts_core.storage.atomic import write_whole

if TYPE_CHECKING:  # Sphinx is needed only where a book is built
    from docutils import nodes
    from sphinx.application import Sphinx

_HEADER = re.compile(r"<th(?=[\s>])(?![^>]*\sscope=)")
_UNFOLD = re.compile(r'(<a class="[^"]*reference internal[^>]*>)(.*?)(</a><details[^>]*><summary)(?=>)')
_SEARCH = re.compile(r'(<button class="[^"]*search-button-field[^>]*?) aria-label="[^"]*"')
_HIDDEN = '<summary aria-label="Toggle hidden content">'
_ICON = re.compile(r'<i(?= class="fa[a-z]*[ -])(?![^>]*\saria-hidden)')
_SIDE_BAR = '<div class="sidebar-primary-items__start sidebar-primary__section">'
_BEFORE_UNIT = re.compile(r"(?<=[\d\]]) (?=(?:%|s|min|h|ms|GiB|MiB|points?)(?![\w-]))")
_NO_BREAK = "\u00a0"
_TAG_OR_LINE_END = re.compile(r"<[^>]*>|\n")
_SHORT = 14  # characters in the lines of a cell that is no sentence


def setup(app: "Sphinx") -> dict[str, Any]:
    """Connect to Sphinx, as it asks of every extension."""
    app.connect("doctree-resolved", mend_document)
    app.connect("build-finished", _finish)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def make_accessible(page: str) -> str:
    """A built page with names and scopes; a page that has them already is returned unchanged."""
    page = _HEADER.sub('<th scope="col"', page)
    page = _UNFOLD.sub(r'\1\2\3 aria-label="pages below \2"', page)
    page = _SEARCH.sub(r"\1", page)
    page = _ICON.sub('<i aria-hidden="true"', page)
    page = page.replace(_HIDDEN, "<summary>")
    return page.replace(_SIDE_BAR, f'{_SIDE_BAR[:-1]} role="region" aria-label="Book">')


def keep_units(text: str) -> str:
    """A text whose lines do not break between a number, or an interval, and its unit."""
    return _BEFORE_UNIT.sub(_NO_BREAK, text)


def mend_document(_app: "Sphinx", document: "nodes.document", _name: str) -> None:
    """Keep units with their numbers, and mark the short cells of tables for the style sheet."""
    from docutils import nodes

    for text in list(document.findall(nodes.Text)):
        kept = keep_units(text)
        if kept != text and not isinstance(text.parent, nodes.FixedTextElement | nodes.literal | nodes.raw):
            text.parent.replace(text, nodes.Text(kept))
    for cell in document.findall(nodes.entry):
        if max(map(len, _TAG_OR_LINE_END.split(cell.astext()))) <= _SHORT:
            cell["classes"].append("short")


def _finish(app: "Sphinx", exception: Exception | None) -> None:
    """Rewrite the pages of a book that was built without an error."""
    if exception is not None or app.builder.format != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        if (finished := make_accessible(page)) != page:
            write_whole(path, finished.encode(), durable=False)
