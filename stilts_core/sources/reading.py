"""Reading files strictly: UTF-8, whole, with every column; and splitting them by hash.

A `Row` is one item of a file with its place in it, so that whatever is wrong is reported with file and line.
"""

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path


class DataError(ValueError):
    """Data that cannot be used: the message names the file, the line or id, the value and the remedy."""


class NotAtHand(DataError):
    """Data that lies neither under the data root nor on a hub within reach."""


class Defect(DataError):
    """A fault of one item, which is dropped and counted where the publisher's file is known to have such items."""

    reason: str


class MisplacedAnswer(Defect):
    reason = "answer not at its offset"


class BrokenLine(Defect):
    reason = "line broken off"


class EmptyText(Defect):
    reason = "empty sentence"


@dataclass(frozen=True)
class Examples:
    """What was loaded and what it was made of.

    `items` are the family's examples (for the test part of a retrieval task: its RetrievalSets). `files` maps each
    file (relative to the data root) or hub split to its SHA-256. `dropped` counts left-out items by reason.
    `stand_in` is the sentence that every table must print, None where the real set was read.
    """

    items: list
    files: dict[str, str]
    dropped: dict[str, int]
    stand_in: str | None


class Row(dict):
    """One item of a file: its fields by column name, and where it stands."""

    __slots__ = ("line", "name", "prefix")

    def __init__(self, fields, name: str, line: int, prefix: str = ""):
        super().__init__(fields)
        self.name, self.line, self.prefix = name, line, prefix

    @property
    def where(self) -> str:
        return f"{self.name}, line {self.line}"

    def __missing__(self, column):
        raise BrokenLine(
            f"{self.where}: no column '{column}', only {', '.join(map(str, self))}; is the line cut off, or the file "
            "another than the publisher's?"
        )

    def text(self, column: str) -> str:
        """A text field that may not be empty."""
        value = self[column]
        if not isinstance(value, str) or not value.strip():
            raise EmptyText(f"{self.where}: '{column}' is empty ({value!r}); restore the text or remove the item")
        return value

    def id(self, column: str | None = None) -> str:
        """The publisher's id where the file has one, else the line number."""
        return f"{self.prefix}{self.get(column, self.line)}"

    def label(self, column: str, names: Sequence[str]) -> str | None:
        """A label by name or by number; None where the publisher gives no gold label ('-', '' or -1)."""
        value = self[column]
        if value in ("-", "", -1, None):
            return None
        if isinstance(value, int) and 0 <= value < len(names):
            return names[value]
        if value not in names:
            raise DataError(f"{self.where}: unknown label {value!r} in '{column}'; expected one of {', '.join(names)}")
        return value

    def choice(self, column: str, count: int, first: int = 0) -> int | None:
        """The index of the right choice, numbered from `first` in the file; None where it is unknown."""
        value = self[column]
        if value in ("", -1, "-1", None):
            return None
        if not str(value).isdigit() or not 0 <= int(value) - first < count:
            raise DataError(f"{self.where}: '{column}' is {value!r}; expected {first} to {first + count - 1}")
        return int(value) - first


def read_text(path: Path, name: str) -> str:
    """The text of a UTF-8 file, without a byte-order mark and with '\\n' as its only line end."""
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{name}, line {line}: byte 0x{data[error.start]:02x} is not UTF-8; convert the file "
            f"(iconv -f latin1 -t utf-8) or fetch it again"
        ) from None


def lines(text: str) -> list[str]:
    """The lines of a text: split at '\\n' alone, as sentences may hold other separators (PAWS-X ko has U+001C)."""
    split = text.split("\n")
    return split[:-1] if split[-1] == "" else split


def tsv(text: str, name: str, columns: Sequence[str] | None = None) -> Iterator[Row]:
    """Rows of a tab-separated file without quoting; the header names the columns unless they are given.

    A line that breaks off gives a row without its last columns, and an error to whoever asks for them. A headerless
    file may lack its last column throughout, as XTREME's blind test files do: it is None then.
    """
    body = enumerate(lines(text), start=1)
    if columns is None:
        columns = next(body, (0, ""))[1].split("\t")
        blind = False
    else:
        blind = text.partition("\n")[0].count("\t") == len(columns) - 2
    for number, line in body:
        cells = line.split("\t")
        if blind:
            cells.append(None)
        if len(cells) > len(columns):
            raise DataError(
                f"{name}, line {number}: {len(cells)} columns where {len(columns)} are expected "
                f"({', '.join(columns)}); take out the tab that is too many"
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
                wanted = f"{len(columns)} are expected ({', '.join(columns)})"
                raise DataError(f"{name}, line {line}: {len(cells)} columns where {wanted}; restore the line")
            yield Row(zip(columns, cells, strict=True), name, line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{name}, line {line}: {error}; a quotation is left open or the file is cut off") from None


def json_lines(text: str, name: str) -> Iterator[Row]:
    """Rows of a file with one JSON object on each line; objects inside them are rows as well."""
    for number, line in enumerate(lines(text), start=1):
        yield parse_json(line, name, number, object_hook=partial(Row, name=name, line=number))


def parse_json(text: str, name: str, line: int = 1, **options):
    """One JSON value."""
    try:
        return json.loads(text, **options)
    except json.JSONDecodeError as error:
        line += error.lineno - 1
        raise DataError(f"{name}, line {line}: not valid JSON ({error.msg}); cut off? fetch the file again") from None


def tagged_sentences(text: str, name: str) -> Iterator[Row]:
    """Sentences of a file with a word and its tag on each line and a blank line between sentences.

    A file without tags throughout (a blind test part) gives tags None.
    """
    start, words, tags = 1, [], []
    blind = "\t" not in text
    for number, line in enumerate([*lines(text), ""], start=1):
        if line.strip():
            word, *tag = line.split("\t")
            if not word.strip() or len(tag) != (not blind):
                raise DataError(f"{name}, line {number}: {line!r} is not a word, a tab and its tag")
            start = start if words else number
            words.append(word)
            tags += tag
        elif words:
            yield Row({"words": words, "tags": None if blind else tags}, name, start)
            words, tags = [], []


def percentile(group: str) -> int:
    """Where a group falls in a split, 0 to 99: a hash of its name alone, so no order or language changes it."""
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") % 100


def normalized(text: str) -> str:
    """A text without case, punctuation and spaces, to recognise it in another tokenisation."""
    return re.sub(r"[\W_]+", "", text.casefold())
