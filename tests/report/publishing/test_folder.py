"""The published folder: complete, checked, and nothing of it written where it would be wrong."""

import re
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
from small_site import ADDRESS, REPOSITORY, commit_checkout, git, write_site, write_sources

from stilts_core.errors import ConfigError
from stilts_core.report.publishing import folder as publishing
from stilts_core.report.publishing.folder import publish
from stilts_core.report.publishing.launch import source_notebook
from stilts_core.report.publishing.links import find_broken_links, list_pages

ROOT = Path(__file__).parents[3]
LARGEST_BOOK = 60e6  # bytes of the book that `make book` builds, of which the theme and MathJax are the same here
SITEMAP = "{http://www.sitemaps.org/schemas/sitemap/0.9}"


@pytest.fixture(autouse=True, scope="module")
def no_addresses_in_the_environment():
    with pytest.MonkeyPatch.context() as patch:
        for name in ("STILTS_REPOSITORY", "STILTS_BOOK_URL"):
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(scope="module")
def checkout(tmp_path_factory, no_addresses_in_the_environment) -> Path:
    """A small book, built with this repository's configuration from a commit that GitHub has."""
    folder = tmp_path_factory.mktemp("checkout")
    write_sources(folder)
    commit_checkout(folder)
    command = [str(Path(sys.executable).with_name("jupyter-book")), "build", str(folder), "-n", "-W", "--keep-going"]
    completed = subprocess.run(command, capture_output=True, text=True)
    assert completed.returncode == 0, completed.stdout + completed.stderr
    return folder


@pytest.fixture(scope="module")
def public(checkout) -> Path:
    sentence = publish(checkout, checkout / "_build" / "html", checkout / "public")
    assert git(checkout, "rev-parse", "--short=12", "HEAD") in sentence and ADDRESS in sentence
    return checkout / "public"


@pytest.fixture
def small(tmp_path) -> Path:
    """A checkout with a site that was written by hand."""
    commit_checkout(tmp_path)
    write_site(tmp_path / "_build" / "html")
    return tmp_path


def publish_small(folder: Path) -> str:
    return publish(folder, folder / "_build" / "html", folder / "public")


def test_every_notebook_page_opens_the_notebook_that_made_it_at_the_exact_commit(checkout, public):
    commit = git(checkout, "rev-parse", "HEAD")
    for page in ("book/pairs/mnli-xnli-lab-s0-0123456789", "book/lessons/three_phases", "book/lessons/question-ratio"):
        text, notebook = (public / f"{page}.html").read_text(), source_notebook(page)
        links = re.findall(r'href="(https://(?:mybinder|colab)[^"]*)"', text)
        assert links == [
            f"https://mybinder.org/v2/gh/Some-Owner/some-book/{commit}?urlpath=lab/tree/{notebook}",
            f"https://colab.research.google.com/github/Some-Owner/some-book/blob/{commit}/{notebook}",
        ]
        assert (ROOT / notebook).is_file()


def test_page_without_a_committed_notebook_has_no_launch_button(public):
    for page in ("own", "answers"):
        text = (public / "book" / f"{page}.html").read_text()
        assert "mybinder" not in text and "colab" not in text and "launch-buttons" not in text


def test_every_page_names_its_address_the_version_and_the_commit(checkout, public):
    commit = git(checkout, "rev-parse", "HEAD")
    pages = [page for page in list_pages(public) if page.name not in ("index.html", "print.html")]
    assert len(pages) > 8
    for page in pages:
        text = page.read_text()
        assert f'<link rel="canonical" href="{ADDRESS}{page.relative_to(public)}" />' in text
        assert text.count(f'<a href="{REPOSITORY}/commit/{commit}">{commit[:12]}</a>') == 1
        assert "Version 0.1.0" in text and "/commit/" in text


def test_sitemap_lists_the_pages_by_their_addresses(public):
    tree = ElementTree.parse(public / "sitemap.xml").getroot()
    listed = [element.text.removeprefix(ADDRESS) for element in tree.iter(f"{SITEMAP}loc")]
    assert "book/answers.html" in listed and "book/pairs/mnli-xnli-lab-s0-0123456789.html" in listed
    assert all((public / name).is_file() for name in listed) and "search.html" not in listed
    assert f"Sitemap: {ADDRESS}sitemap.xml" in (public / "robots.txt").read_text()


def test_companions_are_published(public):
    assert all((public / name).is_file() for name in (".nojekyll", "LICENSE", "CITATION.cff", "print.html"))


def test_folder_has_no_broken_link_no_local_path_no_large_file_and_is_small(checkout, public):
    assert find_broken_links(public) == []
    files = [path for path in public.rglob("*") if path.is_file()]
    for path in files:
        content = path.read_bytes()
        assert str(checkout).encode() not in content and b"/home/" not in content, path
    assert max(path.stat().st_size for path in files) < 100e6
    assert sum(path.stat().st_size for path in files) < LARGEST_BOOK
    assert not [path for path in files if path.suffix == ".map"]


def test_pages_keep_the_one_entry_point_of_mathjax_that_they_load(public):
    (name,) = {path.name for path in (public / "_static" / "mathjax").glob("*.js")}
    assert f'src="../_static/mathjax/{name}' in (public / "book" / "method.html").read_text()


def test_second_publication_replaces_the_first(small):
    publish_small(small)
    (small / "public" / "old.html").touch()
    publish_small(small)
    assert not (small / "public" / "old.html").exists() and (small / "public" / "print.html").is_file()


def test_changes_are_refused_with_the_names_of_their_files(small):
    (small / "notes.md").touch()
    with pytest.raises(ConfigError, match=r"changes that are not committed(.|\n)*notes\.md"):
        publish_small(small)
    assert not (small / "public").exists()


def test_commit_that_the_remote_lacks_is_refused(small):
    git(small, "commit", "--allow-empty", "--quiet", "--message=More")
    with pytest.raises(ConfigError, match="push it"):
        publish_small(small)


def test_book_that_is_not_built_is_refused(small):
    with pytest.raises(ConfigError, match="make book"):
        publish(small, small / "elsewhere", small / "public")


def test_broken_link_is_refused_with_its_page_and_leaves_the_earlier_publication(small):
    publish_small(small)
    page = small / "_build" / "html" / "book" / "method.html"
    page.write_text(page.read_text().replace("So.", '<a href="gone.html">So.</a>'))
    with pytest.raises(ConfigError, match=r"1 links within(.|\n)*book/method\.html: 'gone\.html'"):
        publish_small(small)
    assert (small / "public" / "print.html").is_file() and not list(small.glob(".public.*"))


def test_path_of_this_machine_is_refused_with_file_and_line(small):
    (small / "_build" / "html" / "data.csv").write_text(f"a\nb,{small}/runs\n")
    with pytest.raises(ConfigError, match=r"name a folder of this machine(.|\n)*data\.csv, line 2"):
        publish_small(small)


def test_file_above_the_limit_is_refused(small, monkeypatch):
    monkeypatch.setattr(publishing, "LARGEST_FILE", 20_000)
    (small / "_build" / "html" / "large.bin").write_bytes(bytes(20_001))
    with pytest.raises(ConfigError, match=r"larger than GitHub allows(.|\n)*large\.bin"):
        publish_small(small)


def test_folder_with_other_content_is_never_replaced(small):
    (small / "public").mkdir()
    (small / "public" / "thesis.txt").write_text("mine")
    with pytest.raises(ConfigError, match="holds no published book"):
        publish_small(small)
    assert (small / "public" / "thesis.txt").read_text() == "mine"


@pytest.mark.parametrize("remote, missing", [("/srv/book.git", "STILTS_REPOSITORY="), (None, "STILTS_BOOK_URL=")])
def test_unknown_address_is_refused_with_the_variable_that_names_it(small, monkeypatch, remote, missing):
    if remote:
        git(small, "remote", "set-url", "origin", remote)
    else:
        monkeypatch.setenv("STILTS_REPOSITORY", "https://gitlab.com/group/book")
    with pytest.raises(ConfigError, match=missing):
        publish_small(small)
