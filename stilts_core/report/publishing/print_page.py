"""One page to print: the chapters of the book's first part, from their built pages.

The page needs no other file. Figures are in it, as data. A link to another host gets a number, and the addresses are
listed at the end, as are the cited works. A link to a page that is not printed leads to the published book.
"""

import base64
import html
import mimetypes
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from os.path import normpath
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

from stilts_core.errors import ConfigError
from stilts_core.report.publishing.publication import Publication

NAME = "print.html"
STYLES = ("stilts.css", "print.css")  # in the site's _static
NOT_PRINTED = "script, style, nav, button, .headerlink, .stilts-way, .d-print-none, a.download"
REFERRING = ("aria-labelledby", "aria-describedby", "aria-controls", "for", "headers")  # attributes that hold ids
CITED = "cited"  # prefix of the ids of cited works


@dataclass
class _Notes:
    """What the end of the page lists: the links by address, and the cited works by id, from their parsed pages."""

    links: dict[str, int] = field(default_factory=dict)
    works: dict[str, Any] = field(default_factory=dict)
    pages: dict[Path, Any] = field(default_factory=dict)

    def add_work(self, page: Path, name: str) -> str:
        """Add an entry of the bibliography in `page`, and return its id on the printed page."""
        if page not in self.pages:
            self.pages[page] = _read(page)
        self.works[name] = self.pages[page].select_one(f'.citation[id="{name}"]')
        return f"{CITED}-{name}"


def build_print_page(site: Path, publication: Publication) -> str:
    """The HTML of the page with all chapters of the first part of a built book.

    Raises ConfigError if the contents of the built book have no part, or if a chapter is missing.
    """
    part, chapters, book_title = find_first_part(site)
    slugs = {page: re.sub(r"\W+", "-", page.removesuffix(".html")) for page in chapters}
    notes = _Notes()
    bodies = [_print_chapter(site, page, slugs, publication.address, notes) for page in chapters]
    contents = "".join(
        f'<li><a href="#{slugs[page]}">{html.escape(title)}</a></li>' for page, title in chapters.items()
    )
    style = "\n".join((site / "_static" / name).read_text(encoding="utf-8") for name in STYLES)
    return "\n".join(
        [
            f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8" />\n<title>{html.escape(part)}</title>',
            '<meta name="viewport" content="width=device-width, initial-scale=1" />',
            f'<link rel="canonical" href="{html.escape(publication.address + NAME)}" />',
            f"<style>{style}</style>\n</head>",
            f"<body>\n<header>\n<p>{html.escape(book_title)}</p>\n<h1>{html.escape(part)}</h1>",
            f"<p>Version {html.escape(publication.version)} of {publication.day}. "
            f'<a href="{html.escape(publication.address)}">The whole book</a>, '
            f'<a href="{html.escape(publication.commit_url)}">its sources</a>.</p>',
            f'<ol class="contents">{contents}</ol>\n</header>\n<main>',
            *bodies,
            _print_notes(notes),
            "</main>\n</body>\n</html>\n",
        ]
    )


def find_first_part(site: Path) -> tuple[str, dict[str, str], str]:
    """The first part in a built book's contents: its name, the titles of its chapters by page, and the book's title.

    Pages are paths in the site. Raises ConfigError if there is no such part.
    """
    start = re.search(r"url=([^\"]+)", (site / "index.html").read_text(encoding="utf-8"))
    page = unquote(start[1]) if start else "index.html"
    soup = _read(site / page)
    caption = soup.select_one("nav.bd-links .caption")
    chapters = caption.find_next("ul").select("li.toctree-l1 > a") if caption else []
    if not chapters:
        raise ConfigError(f"the contents of {site / page} have no part; see that _toc.yml has `parts`")
    titles = {normpath(f"{Path(page).parent}/{unquote(link['href'])}"): link.get_text(strip=True) for link in chapters}
    heading = soup.title.get_text() if soup.title else ""
    return caption.get_text(strip=True), titles, heading.split(" — ")[-1]


def _read(page: Path) -> Any:
    """The parsed HTML of a page. Raises ConfigError if there is none."""
    from bs4 import BeautifulSoup  # belongs to the book's tools, which only a checkout needs

    if not page.is_file():
        raise ConfigError(f"page {page} not found, but the book's contents list it; build the book again: make book")
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser")


def _print_chapter(site: Path, page: str, slugs: Mapping[str, str], address: str, notes: _Notes) -> str:
    """The HTML of one chapter: a section whose ids begin with the chapter's own."""
    article = _read(site / page).select_one("article.bd-article")
    for element in article.select(NOT_PRINTED):
        element.decompose()
    for element in article.select("details"):
        element["open"] = ""
    for element in article.select("img"):
        element["src"] = _embed(site / Path(page).parent / unquote(element["src"]))
    for level in range(5, 0, -1):  # the page has a title above the chapters'
        for heading in article.find_all(f"h{level}"):
            heading.name = f"h{level + 1}"
    slug = slugs[page]
    for element in article.select("[id]"):
        element["id"] = f"{slug}--{element['id']}"
    for name in REFERRING:
        for element in article.select(f"[{name}]"):
            element[name] = " ".join(f"{slug}--{part}" for part in str(element[name]).split())
    for link in article.select("a[href]"):
        _print_link(site, page, link, slugs, address, notes)
    return f'<section class="chapter" id="{slug}">{article.decode_contents()}</section>'


def _print_link(site: Path, page: str, link: Any, slugs: Mapping[str, str], address: str, notes: _Notes) -> None:
    """Let a link of a chapter lead within the printed page, to a note at its end, or to the published book."""
    parts = urlsplit(link["href"])
    if parts.scheme or parts.netloc:
        number = notes.links.setdefault(link["href"], len(notes.links) + 1)
        note = f'<sup><a href="#link-{number}">{number}</a></sup>'
        link.insert_after(_fragment(note))
        return
    target = normpath(f"{Path(page).parent}/{unquote(parts.path)}") if parts.path else page
    if target in slugs:
        link["href"] = f"#{slugs[target]}" + f"--{parts.fragment}" * bool(parts.fragment)
    elif link.find_parent(class_="bibtex-citation"):
        link["href"] = f"#{notes.add_work(site / target, parts.fragment)}"
    else:
        link["href"] = urljoin(address, quote(target)) + f"#{parts.fragment}" * bool(parts.fragment)


def _print_notes(notes: _Notes) -> str:
    """The HTML of the cited works and of the addresses of links; empty without any."""
    if not notes.works and not notes.links:
        return ""
    works = []
    for name, work in sorted(notes.works.items(), key=lambda item: item[1].get_text()):
        label, words = ("".join(work.select_one(".label").get_text().split()), " ".join(work.p.get_text().split()))
        works.append(f'<p id="{CITED}-{name}">{html.escape(label)} {html.escape(words)}</p>')
    links = [
        f'<li id="link-{number}"><a href="{html.escape(link)}">{html.escape(link)}</a></li>'
        for link, number in notes.links.items()
    ]
    numbered = f"<ol>{''.join(links)}</ol>" if links else ""
    return f'<section class="notes" id="notes"><h2>Works and addresses</h2>{"".join(works)}{numbered}</section>'


def _embed(picture: Path) -> str:
    """The address of a picture that holds the picture itself."""
    kind = mimetypes.guess_type(picture.name)[0] or "application/octet-stream"
    return f"data:{kind};base64,{base64.b64encode(picture.read_bytes()).decode()}"


def _fragment(text: str) -> Any:
    """A piece of HTML as elements."""
    from bs4 import BeautifulSoup

    return BeautifulSoup(text, "html.parser")
