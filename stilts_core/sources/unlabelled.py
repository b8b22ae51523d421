"""Unlabelled text for masked language modelling: one sentence a line in a file per language under the data root."""

from pathlib import Path

from stilts_core.errors import DataNotFound
from stilts_core.sources.locations import NO_ROOT, data_root, find_languages
from stilts_core.sources.rows import checksum, lines, read_text
from stilts_core.tasks.auxiliaries import LONG_TEXT
from stilts_core.tasks.examples import ExampleSet, TextExample
from stilts_core.tasks.layouts import Layout

TEMPLATES = {"": "text/{language}.txt", LONG_TEXT: "text_long/{language}.txt.gz"}  # by origin


def running_text(language: str, data: Path | str | None = None, origin: str = "") -> ExampleSet:
    """All texts of a language; empty lines are dropped and counted. Raises DataNotFound where there is no file."""
    path, name = _text_file(language, data, origin)
    texts = lines(read_text(path, name))
    items = [TextExample(str(number), language, text) for number, text in enumerate(texts, start=1) if text.strip()]
    dropped = {"empty line": len(texts) - len(items)} if len(items) < len(texts) else {}
    return ExampleSet(items, {name: checksum(path, name)}, dropped, None)


def text_checksums(language: str, data: Path | str | None = None, origin: str = "") -> dict[str, str]:
    """The `files` that `running_text` returns."""
    path, name = _text_file(language, data, origin)
    return {name: checksum(path, name)}


def _text_file(language: str, data: Path | str | None, origin: str) -> tuple[Path, str]:
    root, name = data_root(data), TEMPLATES[origin].format(language=language)
    if root is None or not (root / name).is_file():
        raise DataNotFound(
            f"no unlabelled text in '{language}': {_missing(root)}. Expected file: {name}, one sentence a line"
        )
    return root / name, name


def text_languages(data: Path | str | None = None, origin: str = "") -> tuple[str, ...]:
    """The languages that have unlabelled text. Raises DataNotFound where there is none."""
    root, template = data_root(data), TEMPLATES[origin]
    if root is None or not (found := find_languages(root, template, Layout())):
        expected = template.format(language="LANGUAGE")
        raise DataNotFound(
            f"no unlabelled text: {_missing(root)}. Expected files: {expected}, one sentence a line; or leave masked "
            "language modelling out"
        )
    return tuple(sorted(found))


def _missing(root: Path | None) -> str:
    return f"not found under {root}" if root else NO_ROOT
