"""The check of links within a site finds each kind of broken link, and raises no false alarm."""

import pytest

from stilts_core.report.publishing.links import find_broken_links, list_pages


def write(site, pages):
    for name, body in pages.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(f"<html><head></head><body>{body}</body></html>", encoding="utf-8")
    return site


@pytest.mark.parametrize(
    "link, reason",
    [
        ("b.html", "a file that does not exist"),
        ("../sub/b.html", "a file that does not exist"),
        ("page.html#nowhere", "an anchor that does not exist"),
        ("#nowhere", "an anchor that does not exist"),
        ("../../outside.html", "out of the site"),
        ("/page.html", "from the root of the host"),
        ("empty", "a file that does not exist"),
    ],
)
def test_planted_broken_link_is_found_with_its_page_and_the_reason(tmp_path, link, reason):
    (tmp_path / "sub" / "empty").mkdir(parents=True)
    site = write(tmp_path, {"sub/page.html": f'<p id="here"><a class="x" href="{link}">words</a></p>'})
    (problem,) = find_broken_links(site)
    assert problem.startswith("sub/page.html: ") and repr(link) in problem and reason in problem


def test_missing_picture_and_script_are_found(tmp_path):
    site = write(
        tmp_path, {"page.html": '<img src="a.svg"/><script src="b.js"></script><object data="c.svg"></object>'}
    )
    assert [line.split("'")[1] for line in find_broken_links(site)] == ["a.svg", "b.js", "c.svg"]


def test_good_links_are_no_problem(tmp_path):
    good = [
        "https://example.org/x.html", "//example.org/x", "mailto:a@example.org", "data:image/png;base64,AA", "#", "",
        "page.html", "page.html?x=1#here", "sub/", "sub", "sub/index.html#a%20b", "sub/a%20file.csv", "#q&amp;a",
    ]  # fmt: skip
    body = "".join(f'<a title="1 > 0" href="{link}">x</a>' for link in good)
    body += '<p id="here"></p><p id="q&amp;a"></p><!-- <a href="gone.html"> -->'
    body += "<script>x = '<a href=\"gone.html\">'</script>"
    site = write(tmp_path, {"page.html": body, "sub/index.html": '<p id="a b"></p>'})
    (site / "sub" / "a file.csv").touch()
    assert find_broken_links(site) == []


def test_files_of_the_theme_are_no_pages(tmp_path):
    site = write(tmp_path, {"page.html": "", "_static/macros.html": '<a href="gone.html">'})
    assert list_pages(site) == [site / "page.html"] and find_broken_links(site) == []
