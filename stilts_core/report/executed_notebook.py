"""Executed notebooks as pages: the text of the committed notebook, and the outputs of the executed one.

An executed notebook may be truncated, or come from elsewhere. Its page is therefore built anew: text, tags and options
come from the committed notebook, code is shown as it is, and outputs are those that `safe_output` lets through. An
option of a notebook can make the book's builder execute it, so that no other metadata are copied.

The notebook is read as plain JSON: nbformat would validate it first, which takes 9 ms more, as long as all of the rest.
"""

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from stilts_core.notebooks.paths import notebook_path
from stilts_core.report.escape import markdown_text, one_line
from stilts_core.report.figures.image import alternative_text
from stilts_core.report.safe_output import NOT_SHOWN, clean_html, is_plain_svg

PAPERMILL_NOTE = "papermill-error-cell-tag"  # tags the cell that papermill inserts above an error, in large red letters
INJECTED = "injected-parameters"
KEPT_TAGS = frozenset({INJECTED, "parameters", "remove-input", "hide-input", "remove-cell", "hide-cell"})
CELL_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
UNDESCRIBED = "A figure of this notebook."
BASE64 = re.compile(r"[A-Za-z0-9+/=\s]*")

Notebook = dict[str, Any]


class UnreadableNotebook(ValueError):
    """A notebook that cannot be shown; the message says why."""


def read_executed(path: Path, folder: Path) -> Notebook:
    """The content of an executed notebook. Raises UnreadableNotebook if it is damaged or not inside `folder`."""
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UnreadableNotebook("it is a link to a file elsewhere")
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError, OSError) as error:
        raise UnreadableNotebook(f"it is damaged or incomplete: {type(error).__name__}") from error
    if not isinstance(content, dict) or content.get("nbformat") != 4 or not isinstance(content.get("cells"), list):
        raise UnreadableNotebook("it is not a notebook of format 4")
    return content


def build_notebook(content: Mapping[str, Any], name: str) -> Notebook:
    """An executed notebook, built anew beside the committed notebook `name`.

    Raises UnreadableNotebook if a cell does not have the form of a cell.
    """
    try:
        cells = [_build_cell(cell, _committed_cells(name)) for cell in content["cells"]]
    except (KeyError, TypeError, AttributeError, ValueError, IndexError) as error:
        raise UnreadableNotebook("one of its cells does not have the form of a cell") from error
    seen: set[str] = set()
    present = [cell for cell in cells if cell]
    for number, cell in enumerate(present):
        if cell["id"] in seen:
            cell["id"] = f"cell-{number}"
        seen.add(cell["id"])
    return {
        "cells": present,
        "metadata": {"kernelspec": KERNEL, "language_info": {"name": "python", "pygments_lexer": "ipython3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }


@cache
def _committed_cells(name: str) -> dict[str, dict]:
    content = json.loads(notebook_path(name).read_text(encoding="utf-8"))
    return {cell["id"]: cell for cell in content["cells"]}


def _build_cell(cell: Mapping[str, Any], committed: Mapping[str, dict]) -> dict | None:
    """A cell built anew; None for one that no page shows."""
    kind, source, name = cell["cell_type"], _joined(cell["source"]), str(cell.get("id", ""))
    own_tags = cell["metadata"].get("tags", [])
    if kind not in ("markdown", "code") or PAPERMILL_NOTE in own_tags:
        return None
    original = committed.get(name)
    if original and original["cell_type"] != kind:
        original = None
    built: dict[str, Any] = {"cell_type": kind, "id": name if CELL_ID.fullmatch(name) else "cell"}
    if kind == "markdown":
        known = original is not None and _joined(original["source"]) == source
        return built | {"metadata": {}, "source": source if known else _as_text(source)}
    tags = [tag for tag in own_tags if isinstance(tag, str) and tag in KEPT_TAGS]
    count = cell.get("execution_count")
    outputs = [_build_output(output) for output in cell["outputs"]]
    return built | {
        "metadata": _describe_figures(dict(original["metadata"]) if original else {"tags": tags}, outputs),
        "source": source,
        "execution_count": count if isinstance(count, int) else None,
        "outputs": outputs,
    }


def _describe_figures(metadata: dict[str, Any], outputs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The metadata of a cell, whose figures get an alternative text: their titles, then what the notebook says."""
    figures = [svg for output in outputs if (svg := output.get("data", {}).get("image/svg+xml"))]
    if not figures:
        return metadata
    own = metadata.get("mystnb", {})
    image = own.get("image", {})
    alt = alternative_text(figures[0], image.get("alt", UNDESCRIBED))
    return metadata | {"mystnb": own | {"image": image | {"alt": alt}}}


def _as_text(source: str) -> str:
    """Markdown that is not of this package, as its words: a heading stays one."""
    lines = []
    for line in source.splitlines():
        marks = re.match(r"#{1,6} (?=\S)", line)
        lines.append((marks[0] if marks else "") + markdown_text(line[marks.end() :] if marks else line))
    return "\n".join(lines)


def _build_output(output: Mapping[str, Any]) -> dict:
    kind = output["output_type"]
    if kind == "stream":
        name = "stderr" if output.get("name") == "stderr" else "stdout"
        return {"output_type": kind, "name": name, "text": _joined(output["text"])}
    if kind == "error":
        traceback = [_joined(line) for line in output["traceback"]]
        return {
            "output_type": kind,
            "ename": one_line(output["ename"]),
            "evalue": one_line(output["evalue"]),
            "traceback": traceback,
        }
    if kind not in ("display_data", "execute_result"):
        return _plain_output(NOT_SHOWN)
    shown = _build_data(output["data"])
    return {"output_type": "display_data", "metadata": {}, "data": shown} if shown else _plain_output(NOT_SHOWN)


def _build_data(data: Mapping[str, Any]) -> dict[str, str]:
    """The forms of an output that the book's builder shows without reading them as markup."""
    shown: dict[str, str] = {}
    if "image/svg+xml" in data and is_plain_svg(svg := _joined(data["image/svg+xml"])):
        shown["image/svg+xml"] = svg
    elif "text/html" in data:
        shown["text/html"] = clean_html(_joined(data["text/html"]))
    elif "image/png" in data and BASE64.fullmatch(png := _joined(data["image/png"])):
        shown["image/png"] = png
    if "text/plain" in data and (shown or not data.keys() - {"text/plain"}):
        shown["text/plain"] = _joined(data["text/plain"])
    return shown


def _plain_output(text: str) -> dict:
    return {"output_type": "display_data", "metadata": {}, "data": {"text/plain": text}}


def _joined(source: str | list[str]) -> str:
    if not isinstance(source, str) and not all(isinstance(line, str) for line in source):
        raise TypeError("a text of a notebook is a string or a list of strings")
    return "".join(source)
