"""The glossary: its terms are linked from the pages, and every link names a term."""

import re
from pathlib import Path

import pytest

BOOK = Path(__file__).parents[2] / "book"
PAGES = sorted(path for path in [*BOOK.glob("*.md"), *BOOK.glob("questions/*.md")] if path.name != "glossary.md")
MAIN = [BOOK / f"{name}.md" for name in ("introduction", "method", "scores", "answers")] + sorted(
    BOOK.glob("questions/*")
)
LINK = re.compile(r"\{term\}`(?:([^`<]+?)\s*<([^>`]+)>|([^`<>]+))`")
COMMON = {"interval", "difference", "state", "forgotten", "controls"}  # words that also have a wider meaning


def read_entries() -> dict[tuple[str, ...], str]:
    """The names of every entry of the glossary, with its definition."""
    directive = re.search(r"^```\{glossary\}\n(.*?)^```$", (BOOK / "glossary.md").read_text(), re.MULTILINE | re.DOTALL)
    entries = {}
    for block in directive[1].strip().split("\n\n"):
        lines = block.splitlines()
        names = tuple(line for line in lines if not line.startswith(" "))
        entries[names] = " ".join(line.strip() for line in lines[len(names) :])
    return entries


ENTRIES = read_entries()


def links_of(text: str) -> list[tuple[str, str]]:
    """The words and the term of every link."""
    return [(match[1] or match[3], match[2] or match[3]) for match in LINK.finditer(text)]


def test_every_link_names_a_term_of_the_glossary():
    names = {name for entry in ENTRIES for name in entry}
    linked = {term for page in [*PAGES, BOOK / "glossary.md"] for _, term in links_of(page.read_text())}
    assert linked - names == set()


def test_every_term_is_linked_from_a_page_outside_the_glossary():
    linked = {term for page in PAGES for _, term in links_of(page.read_text())}
    assert [names for names in ENTRIES if not linked & set(names)] == []


@pytest.mark.parametrize("page", MAIN, ids=lambda page: page.stem)
def test_a_page_links_a_term_where_it_first_uses_it_and_only_there(page):
    text = re.sub(r"^#.*$|^\w[\w ,]*(?=\n: )", "", page.read_text(), flags=re.MULTILINE)  # no headings
    found = links_of(text)
    assert found and len(found) == len({term for _, term in found})
    for match in LINK.finditer(text):
        words = match[1] or match[3]
        before = re.sub(r"\s+", " ", LINK.sub("", text[: match.start()]))
        earlier = re.search(rf"\b{re.escape(words)}\b", before, re.IGNORECASE)
        assert words in COMMON or not earlier, f"{words!r} is used before its link"


def test_definitions_are_short_and_in_order_of_their_terms():
    first = [names[0].casefold() for names in ENTRIES]
    assert first == sorted(first) and len(set(first)) == len(first) > 40
    for names, definition in ENTRIES.items():
        sentences = re.split(r"(?<=[.!?])\s+", re.sub(r"\bCompare .*$", "", LINK.sub(r"\3\1", definition)).strip())
        assert definition.endswith(".") and len(sentences) <= 3, names
        assert all(len(sentence.split()) <= 40 for sentence in sentences), names
