"""Strict reading of files: UTF-8, complete, with every column; and splitting their items by hash.

A `Row` is one item of a file. It knows its file and line, so that every error can name them.
"""

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from stilts_core.errors import DataError


class Defect(DataError):
    """A faulty item. It is dropped and counted where the publisher's file is known to have such items."""

    reason: str


class MisplacedAnswer(Defect):
    """An answer that is not at its offset in the context."""

    reason = "answer not at its offset"


class BrokenLine(Defect):
    """A line that lacks a column."""

    reason = "line broken off"


class EmptyText(Defect):
    """A text field without text."""

    reason = "empty sentence"


class Row(dict):
    """One item of a file: its fields by column name, with the file's name and the line number.

    `prefix` goes before ids, where a part has several files.
    """

    __slots__ = ("line", "name", "prefix")

    def __init__(
        self, fields: Mapping[str, Any] | Iterable[tuple[str, Any]], name: str, line: int, prefix: str = ""
    ) -> None:
        super().__init__(fields)
        self.name, self.line, self.prefix = name, line, prefix

    @property
    def where(self) -> str:
        """The file and the line, for error messages."""
        return f"{self.name}, line {self.line}"

    def __missing__(self, column: str) -> None:
        raise BrokenLine(
            f"{self.where}: no column '{column}', only {', '.join(map(str, self))}; is the line cut off, or is this "
            "not the publisher's file?"
        )

    def text(self, column: str) -> str:
        """A text field; raises EmptyText where it is empty."""
        value = self[column]
        if not isinstance(value, str) or not value.strip():
            raise EmptyText(f"{self.where}: '{column}' is empty ({value!r}); restore the text or remove the item")
        return value

    def id(self, column: str | None = None) -> str:
        """The publisher's id where the file has one; else the line number."""
        return f"{self.prefix}{self.get(column, self.line) if column else self.line}"

    def label(self, column: str, names: Sequence[str]) -> str | None:
        """A label, given by name or by number; None where there is no gold label ('-', '' or -1)."""
        value = self[column]
        if value in ("-", "", -1, None):
            return None
        if isinstance(value, int) and 0 <= value < len(names):
            return names[value]
        if value not in names:
            raise DataError(f"{self.where}: unknown label {value!r} in '{column}'; expected one of {', '.join(names)}")
        return value

    def choice(self, column: str, count: int, first: int = 0) -> int | None:
        """The index of the right choice, which the file counts from `first`; None where it is unknown."""
        value = self[column]
        if value in ("", -1, "-1", None):
            return None
        if not str(value).isdigit() or not 0 <= int(value) - first < count:
            raise DataError(f"{self.where}: '{column}' is {value!r}; expected {first} to {first + count - 1}")
        return int(value) - first


def read_text(path: Path, name: str) -> str:
    """The text of a UTF-8 file, without its byte-order mark and with '\\n' as the only line end."""
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{name}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8; convert the file "
            f"(iconv -f latin1 -t utf-8) or download it again"
        ) from None


def lines(text: str) -> list[str]:
    """The lines of a text: split at '\\n' alone, as sentences may hold other separators (PAWS-X ko has U+001C)."""
    split = text.split("\n")
    return split[:-1] if split[-1] == "" else split


def tsv(text: str, name: str, columns: Sequence[str] | None = None) -> Iterator[Row]:
    """Rows of a tab-separated file without quoting; the header names the columns unless they are given.

    A line that is cut off gives a row without its last columns; reading them raises BrokenLine. A file without header
    may lack its last column in all lines, as XTREME's blind test files do; the column is then None.
    """
    body = enumerate(lines(text), start=1)
    if columns is None:
        columns = next(body, (0, ""))[1].split("\t")
        blind = False
    else:
        blind = text.partition("\n")[0].count("\t") == len(columns) - 2
    for number, line in body:
        cells: list[str | None] = [*line.split("\t")]
        if blind:
            cells.append(None)
        if len(cells) > len(columns):
            raise DataError(
                f"{name}, line {number}: {len(cells)} columns; expected {len(columns)} "
                f"({', '.join(columns)}); remove the extra tab"
            )
        yield Row(zip(columns, cells, strict=False), name, number)


def comma_separated(text: str, name: str) -> Iterator[Row]:
    """Rows of a CSV file with a header; quoted fields may span lines."""
    reader = csv.reader(io.StringIO(text, newline="\n"), strict=True)
    columns = next(reader, [])
    line = reader.line_num + 1
    try:
        for cells in reader:
            if len(cells) != len(columns):
                expected = f"expected {len(columns)} ({', '.join(columns)})"
                raise DataError(f"{name}, line {line}: {len(cells)} columns; {expected}; restore the line")
            yield Row(zip(columns, cells, strict=True), name, line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{name}, line {line}: {error}; close the open quotation, or download the file again") from None


def json_lines(text: str, name: str) -> Iterator[Row]:
    """Rows of a file with one JSON object a line; objects inside these are rows, too."""
    for number, line in enumerate(lines(text), start=1):
        yield parse_json(line, name, number, object_hook=partial(Row, name=name, line=number))


def parse_json(text: str, name: str, line: int = 1, **options: Any) -> Any:
    """One JSON value; `line` is where the text begins in its file. Raises DataError for invalid JSON."""
    try:
        return json.loads(text, **options)
    except json.JSONDecodeError as error:
        line += error.lineno - 1
        raise DataError(
            f"{name}, line {line}: invalid JSON ({error.msg}); is the file cut off? download it again"
        ) from None


def tagged_sentences(text: str, name: str) -> Iterator[Row]:
    """Sentences of a file with one word and its tag a line, and an empty line between sentences.

    In a file without any tags (a blind test part) the tags are None.
    """
    start = 1
    words: list[str] = []
    tags: list[str] = []
    blind = "\t" not in text
    for number, line in enumerate([*lines(text), ""], start=1):
        if line.strip():
            word, *tag = line.split("\t")
            if not word.strip() or len(tag) != (not blind):
                raise DataError(f"{name}, line {number}: {line!r} is not a word, a tab and a tag")
            start = start if words else number
            words.append(word)
            tags += tag
        elif words:
            yield Row({"words": words, "tags": None if blind else tags}, name, start)
            words, tags = [], []


def percentile(group: str) -> int:
    """The position of a group in a split, 0 to 99: a hash of its name, so that no order or language changes it."""
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") % 100


def normalize(text: str) -> str:
    """A text without case, punctuation and spaces: the same text in another tokenisation is equal."""
    return re.sub(r"[\W_]+", "", text.casefold())
