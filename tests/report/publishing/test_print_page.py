"""The page to print: whole, without the theme's controls, and with every link where a reader of paper finds it."""

import re

import pytest
from bs4 import BeautifulSoup
from small_site import ADDRESS, REPOSITORY, write_site

from stilts_core.errors import ConfigError
from stilts_core.report.publishing.addresses import Commit
from stilts_core.report.publishing.print_page import build_print_page, find_first_part
from stilts_core.report.publishing.publication import Publication

PUBLICATION = Publication("1.2.3", Commit("ab" * 20, "2026-03-05", (), True), REPOSITORY, ADDRESS)


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    return BeautifulSoup(build_print_page(write_site(tmp_path_factory.mktemp("site")), PUBLICATION), "html.parser")


def test_first_part_has_its_own_chapters_only_in_their_order(tmp_path):
    part, chapters, title = find_first_part(write_site(tmp_path))
    assert (part, title) == ("What we found", "A small book")
    assert list(chapters.items()) == [("book/answers.html", "Answers"), ("book/claims.html", "What holds?")]


def test_page_needs_no_other_file(page):
    assert not page.select("script, link[rel=stylesheet], iframe")
    assert page.img["src"].startswith("data:image/svg+xml;base64,") and page.img["alt"] == "A line"
    assert "@page" in page.style.get_text()


def test_links_lead_within_the_page_or_to_a_full_address(page):
    ids = [element["id"] for element in page.select("[id]")]
    assert len(ids) == len(set(ids))
    for link in page.select("a[href]"):
        href = link["href"]
        assert href.removeprefix("#") in ids if href.startswith("#") else href.startswith("https://"), href
    assert page.find("a", string="why")["href"] == "#book-claims--why"
    assert page.find("a", string="how")["href"] == f"{ADDRESS}book/method.html#how"


def test_address_of_another_host_is_printed_once_under_one_number(page):
    (entry,) = page.select(".notes li")
    assert entry.get_text() == "https://example.org/paper?a=1&b=2" and entry["id"] == "link-1"
    assert [note.get_text() for note in page.select("sup")] == ["1", "1"]


def test_cited_work_is_printed(page):
    work = page.find(id=page.select_one(".bibtex-citation a")["href"].removeprefix("#"))
    assert work.get_text() == "[A20] Anna Author. A work. 2020."


def test_controls_are_left_out_and_folded_text_is_open(page):
    assert (
        not page.select("button, nav, .headerlink, a.download") and "Folded." in page.select_one("details[open]").text
    )


def test_headings_are_one_outline(page):
    assert [(heading.name, heading.get_text()) for heading in page.find_all(re.compile("^h[1-6]$"))] == [
        ("h1", "What we found"), ("h2", "Answers"), ("h2", "What holds?"), ("h3", "Why"), ("h2", "Works and addresses"),
    ]  # fmt: skip
    assert page.table["aria-labelledby"] == "book-claims--label" and page.find(id="book-claims--label").name == "h3"


def test_edition_is_named_with_its_day_and_its_commit(page):
    header = page.header
    assert "Version 1.2.3 of 5 March 2026" in header.get_text()
    assert f"{REPOSITORY}/commit/{'ab' * 20}" in [link["href"] for link in header.select("a")]


def test_missing_chapter_or_part_is_refused(tmp_path):
    site = write_site(tmp_path)
    (site / "book" / "claims.html").unlink()
    with pytest.raises(ConfigError, match=r"claims\.html not found.*make book"):
        build_print_page(site, PUBLICATION)
    (site / "book" / "answers.html").write_text("<html></html>")
    with pytest.raises(ConfigError, match=r"no part.*_toc\.yml"):
        build_print_page(site, PUBLICATION)
