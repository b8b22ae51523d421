"""A Sphinx extension that adds what the theme leaves out for readers with a keyboard or a screen reader.

docutils writes the headers of tables without a scope. The theme names neither the buttons that unfold the contents nor
the side bar, and gives other names to buttons than those that they show. Its icons are characters of a font, which no
screen reader can pronounce.
"""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stilts_core.storage.atomic import write_whole

if TYPE_CHECKING:  # Sphinx is needed only where a book is built
    from sphinx.application import Sphinx

_HEADER = re.compile(r"<th(?=[\s>])(?![^>]*\sscope=)")
_UNFOLD = re.compile(r'(<a class="[^"]*reference internal[^>]*>)(.*?)(</a><details[^>]*><summary)(?=>)')
_SEARCH = re.compile(r'(<button class="[^"]*search-button-field[^>]*?) aria-label="[^"]*"')
_HIDDEN = '<summary aria-label="Toggle hidden content">'
_ICON = re.compile(r'<i(?= class="fa[a-z]*[ -])(?![^>]*\saria-hidden)')
_SIDE_BAR = '<div class="sidebar-primary-items__start sidebar-primary__section">'


def setup(app: "Sphinx") -> dict[str, Any]:
    """Connect to Sphinx, as it asks of every extension."""
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


def _finish(app: "Sphinx", exception: Exception | None) -> None:
    """Rewrite the pages of a book that was built without an error."""
    if exception is not None or app.builder.format != "html":
        return
    for path in Path(app.outdir).rglob("*.html"):
        page = path.read_text(encoding="utf-8")
        if (finished := make_accessible(page)) != page:
            write_whole(path, finished.encode(), durable=False)
