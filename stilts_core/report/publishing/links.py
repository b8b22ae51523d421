"""Broken links within a built site: files and anchors that do not exist. Other hosts are not asked."""

import html
import os
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Scripts and comments hold no links of the page. A tag's quoted values may hold a `>`.
NO_MARKUP = re.compile(r"<!--.*?-->|(<script\b[^>]*>).*?</script>", re.DOTALL)
TAG = re.compile(r"<[a-zA-Z](?:[^>\"']|\"[^\"]*\"|'[^']*')*>")
LINK = re.compile(r"\s(?:href|src|data)=\"([^\"]*)\"")
ANCHOR = re.compile(r"\s(?:id|name)=\"([^\"]*)\"")
NO_PAGES = "_static"  # the theme's files: its HTML is not of this book


def find_broken_links(site: Path) -> list[str]:
    """Every link from a page of `site` to a file or an anchor of it that does not exist, as a line of text.

    A path from the host's root is broken, too: a book is usually served below it.
    """
    root = site.resolve()

    @cache
    def anchors(page: Path) -> frozenset[str]:
        return frozenset(html.unescape(name) for tag in _tags(page) for name in ANCHOR.findall(tag))

    @cache
    def is_file(path: Path) -> bool:
        return path.is_file()

    def problem(page: Path, link: str) -> str | None:
        parts = urlsplit(link)
        if parts.scheme or parts.netloc:
            return None
        if parts.path.startswith("/"):
            return "is a path from the root of the host"
        target = Path(os.path.normpath(page.parent / unquote(parts.path))) if parts.path else page
        if not target.is_relative_to(root):
            return "leads out of the site"
        target = target if is_file(target) else target / "index.html"
        if not is_file(target):
            return "names a file that does not exist"
        if parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in anchors(target):
            return "names an anchor that does not exist"
        return None

    broken = []
    for page in list_pages(root):
        links = dict.fromkeys(html.unescape(link) for tag in _tags(page) for link in LINK.findall(tag))
        found = ((link, problem(page, link)) for link in links)
        broken += [f"{page.relative_to(root)}: {link!r} {reason}" for link, reason in found if reason]
    return broken


def list_pages(site: Path) -> list[Path]:
    """The HTML pages of a built site, sorted; without those that the theme ships."""
    return sorted(page for page in site.rglob("*.html") if page.relative_to(site).parts[0] != NO_PAGES)


def _tags(page: Path) -> Iterator[str]:
    """The opening tags of a page."""
    text = NO_MARKUP.sub(lambda match: match[1] or "", page.read_text(encoding="utf-8"))
    return (match[0] for match in TAG.finditer(text))
