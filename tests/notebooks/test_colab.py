"""On Colab each notebook first installs the package; elsewhere the cell that does so changes nothing."""

import builtins
import importlib.util
import json
import sys
from types import SimpleNamespace

import pytest

from stilts_core.notebooks.paths import notebook_path

NOTEBOOKS = sorted(path.stem for path in notebook_path("pair").parent.glob("*.ipynb"))


def first_code(name: str) -> dict:
    cells = json.loads(notebook_path(name).read_text(encoding="utf-8"))["cells"]
    return next(cell for cell in cells if cell["cell_type"] == "code")


def execute(name: str) -> list[tuple[str, str]]:
    """The magics that the first code cell of a notebook calls."""
    called: list[tuple[str, str]] = []
    shell = SimpleNamespace(run_line_magic=lambda magic, line: called.append((magic, line)))
    exec("".join(first_code(name)["source"]), {"get_ipython": lambda: shell})
    return called


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_first_code_cell_installs_the_repository_that_the_reader_names_on_colab(name, monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace())
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    monkeypatch.setattr(builtins, "input", lambda prompt: "Owner/name")
    assert execute(name) == [("pip", "install --quiet git+https://github.com/Owner/name")]


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_first_code_cell_does_nothing_elsewhere_and_no_page_shows_it(name):
    assert execute(name) == []
    assert first_code(name)["metadata"]["tags"] == ["remove-cell"]
