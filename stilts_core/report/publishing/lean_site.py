"""A Sphinx extension that removes from a built book what no page loads, and what the book holds twice.

The theme brings maps for debuggers, translations that it needs while it builds, fonts in two formats, and a script of
1.5 MB that draws the icons for which its style sheet has a font. MathJax brings entry points beside the book's own. The
notebooks that readers download would repeat the figures of their pages.
"""

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stilts_core.report.publishing.links import list_pages
from stilts_core.storage.atomic import write_whole

if TYPE_CHECKING:  # Sphinx is needed only where a book is built
    from sphinx.application import Sphinx

AFTER_COPIES = 900  # MathJax is copied with priority 500 when the build has finished
STATIC, SOURCES = "_static", "_sources"
ICON_SCRIPT = "scripts/fontawesome.js"
_ICONS = re.compile(rf'<script\b[^>]*\bsrc="[^"]*{re.escape(ICON_SCRIPT)}[^"]*"[^>]*></script>')
_ENTRY = re.compile(rf"{STATIC}/mathjax/([\w.-]+\.js)")
NEVER_LOADED = (ICON_SCRIPT, "locales", "mathjax/adaptors", "mathjax/output/svg", "mathjax/output/svg.js")
SPEECH = {"base.json", "en.json", "nemeth.json"}  # MathJax's speech in English, and its braille


def setup(app: "Sphinx") -> dict[str, Any]:
    """Connect to Sphinx, as it asks of every extension."""
    app.connect("build-finished", _finish, priority=AFTER_COPIES)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def make_lean(site: Path) -> None:
    """Remove from a built site what its readers do not need; on a lean site nothing changes.

    Pages lose the script for icons, and the notebooks in `_sources` their outputs.
    """
    entries: set[str] = set()
    for path in list_pages(site):
        page = path.read_text(encoding="utf-8")
        entries.update(_ENTRY.findall(page))
        if (lean := _ICONS.sub("", page)) != page:
            write_whole(path, lean, durable=False)
    for path in list(_find_unused(site / STATIC, entries)):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    for path in (site / SOURCES).rglob("*.ipynb"):
        _clear_outputs(path)


def _find_unused(static: Path, entries: set[str]) -> Iterator[Path]:
    """The static files and folders that no page loads; `entries` are the entry points of MathJax that pages name."""
    yield from (place for name in NEVER_LOADED if (place := static / name).exists())
    yield from static.rglob("*.map")
    yield from (font for font in static.rglob("*.ttf") if font.with_suffix(".woff2").exists())
    yield from (script for script in (static / "mathjax").glob("*.js") if script.name not in entries)
    yield from (words for words in (static / "mathjax/sre/mathmaps").glob("*") if words.name not in SPEECH)


def _clear_outputs(path: Path) -> None:
    """Remove the outputs of a notebook's cells, which its page shows."""
    content = json.loads(path.read_text(encoding="utf-8"))
    executed = [cell for cell in content["cells"] if cell.get("outputs") or cell.get("execution_count")]
    for cell in executed:
        cell |= {"outputs": [], "execution_count": None}
    if executed:
        text = json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False)
        write_whole(path, f"{text}\n", durable=False)


def _finish(app: "Sphinx", exception: Exception | None) -> None:
    """Make a book lean that was built as HTML without an error."""
    if exception is None and app.builder.format == "html":
        make_lean(Path(app.outdir))
