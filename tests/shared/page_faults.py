"""Faults of a built page for readers with a screen reader, found in its HTML without a browser."""

import re
import unicodedata

from bs4 import BeautifulSoup, NavigableString, Tag

LANGUAGE = "en"  # of the book
RIGHT_TO_LEFT = ("R", "AL")  # Unicode's classes of direction
FILE_NAME = re.compile(r"\S+\.(svg|png|jpe?g|gif)", re.IGNORECASE)
SHORT_RUN = 2  # letters of another script: symbols such as χ² need no language


def find_faults(html: str) -> list[str]:
    """All faults of a page, each in a few words with the element that it is about."""
    page = BeautifulSoup(html, "html.parser")
    article = page.find("article") or page
    return [
        *(f"page without language: {tag.name}" for tag in page.find_all("html") if not tag.get("lang")),
        *(f"image without words: {tag.get('src')}" for tag in page.find_all("img") if not _has_words(tag)),
        *(f"header without scope: {tag.get_text(' ', strip=True)}" for tag in page.find_all("th") if not _scoped(tag)),
        *_skipped_levels(article),
        *_foreign_text(article),
    ]


def _has_words(image: Tag) -> bool:
    """Whether an image has an alternative text of several words, and not its file name."""
    alt = str(image.get("alt", ""))
    return len(alt.split()) > 1 and not FILE_NAME.fullmatch(alt)


def _scoped(header: Tag) -> bool:
    return header.get("scope") in ("col", "row", "colgroup", "rowgroup")


def _skipped_levels(article: Tag) -> list[str]:
    """Headings that are more than one level below the heading before, and pages with another number of h1 than one."""
    headings = article.find_all(re.compile(r"h[1-6]"))
    levels = [int(heading.name[1]) for heading in headings]
    faults = [] if levels.count(1) == 1 else [f"{levels.count(1)} headings of level 1"]
    for before, level, heading in zip(levels, levels[1:], headings[1:], strict=False):
        if level > before + 1:
            faults.append(f"level {before} is followed by {level}: {heading.get_text(strip=True)}")
    return faults


def _language(text: NavigableString) -> str:
    """The language that the nearest element around a text names."""
    named = text.find_parent(lang=True)
    return str(named["lang"]) if named else LANGUAGE


def _foreign_text(article: Tag) -> list[str]:
    """Text of another script without a language, or from right to left without a direction of its own."""
    faults = []
    for text in article.find_all(string=True):
        if type(text) is not NavigableString or text.find_parent(["script", "style"]):
            continue
        letters = [char for char in text if char.isalpha()]
        if any(unicodedata.bidirectional(char) in RIGHT_TO_LEFT for char in letters) and not text.find_parent(dir=True):
            faults.append(f"text without direction: {text.strip()[:60]}")
        foreign = [char for char in letters if not unicodedata.name(char, "LATIN").startswith(("LATIN", "MODIFIER"))]
        if len(foreign) > SHORT_RUN and _language(text) == LANGUAGE:
            faults.append(f"text without language: {text.strip()[:60]}")
    return faults
