"""The extension that removes what no reader needs: what pages load stays, and nothing is stored twice."""

import json
from pathlib import Path

import pytest

from stilts_core.report.publishing.lean_site import make_lean

ICONS = '<script defer src="../_static/scripts/fontawesome.js?digest=55c2"></script>'
OTHERS = (
    '<script src="../_static/scripts/bootstrap.js"></script><script src="../_static/mathjax/tex-chtml.js"></script>'
)
LOADED = (
    "scripts/bootstrap.js",
    "styles/theme.css",
    "fonts/solid.woff2",
    "fonts/only.ttf",
    "mathjax/tex-chtml.js",
    "mathjax/a11y/explorer.js",
    "mathjax/sre/mathmaps/en.json",
)
UNUSED = (
    "scripts/fontawesome.js",
    "scripts/bootstrap.js.map",
    "fonts/solid.ttf",
    "locales/de/theme.mo",
    "mathjax/tex-svg.js",
    "mathjax/output/svg.js",
    "mathjax/output/svg/fonts/tex.js",
    "mathjax/adaptors/liteDOM.js",
    "mathjax/sre/mathmaps/de.json",
)
CODE = {
    "cell_type": "code",
    "id": "one",
    "metadata": {"tags": ["parameters"]},
    "source": 'target = "xnli"  # 文',
    "execution_count": 1,
    "outputs": [{"output_type": "display_data", "metadata": {}, "data": {"image/svg+xml": "<svg/>"}}],
}
TEXT = {"cell_type": "markdown", "id": "two", "metadata": {}, "source": "# A run"}


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def read_files(site: Path) -> dict[str, bytes]:
    return {str(path.relative_to(site)): path.read_bytes() for path in site.rglob("*") if path.is_file()}


@pytest.fixture
def site(tmp_path) -> Path:
    for name in (*LOADED, *UNUSED):
        write(tmp_path / "_static" / name, name)
    write(tmp_path / "book" / "method.html", f"<head>{ICONS}{OTHERS}</head><p>Formulas.</p>")
    write(tmp_path / "book" / "plain.html", "<p>fontawesome.js</p>")
    write(tmp_path / "_sources" / "book" / "method.md", "# Method")
    notebook = {"cells": [TEXT, CODE], "metadata": {"orphan": True}, "nbformat": 4, "nbformat_minor": 5}
    write(tmp_path / "_sources" / "book" / "pairs" / "run.ipynb", json.dumps(notebook))
    make_lean(tmp_path)
    return tmp_path


def test_files_that_no_page_loads_are_removed_and_all_others_stay(site):
    assert read_files(site / "_static").keys() == {*LOADED}


def test_pages_lose_the_script_of_icons_and_nothing_else(site):
    assert (site / "book" / "method.html").read_text() == f"<head>{OTHERS}</head><p>Formulas.</p>"
    assert (site / "book" / "plain.html").read_text() == "<p>fontawesome.js</p>"


def test_downloaded_notebook_has_every_cell_and_no_output(site):
    content = json.loads((site / "_sources" / "book" / "pairs" / "run.ipynb").read_text(encoding="utf-8"))
    assert content["cells"] == [TEXT, CODE | {"outputs": [], "execution_count": None}]
    assert content["metadata"] == {"orphan": True} and content["nbformat"] == 4
    assert (site / "_sources" / "book" / "method.md").read_text() == "# Method"


def test_lean_site_stays_as_it_is(site):
    before = read_files(site)
    make_lean(site)
    assert read_files(site) == before
