"""Strict reading of files: UTF-8, complete, with every column; and splitting their items by hash.

A `Row` is one item of a file. It knows its file and line, so that every error can name them.
"""

import csv
import gzip
import hashlib
import io
import json
import math
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

from stilts_core.errors import DataError, DataNotFound, shown
from stilts_core.storage.cache import checksum as file_checksum

_SURROGATE = re.compile(r"\\u[dD][89abABcdefCDEF]")
_MARKS = {b"\xff\xfe\0\0": "utf-32", b"\0\0\xfe\xff": "utf-32", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_PACKED = {  # how the content of packed files begins
    re.compile(rb"\x1f\x8b"): ("gzip", "gunzip -c"),
    re.compile(rb"PK\x03\x04"): ("zip", "unzip -p"),
    re.compile(rb"BZh[1-9]1AY&SY"): ("bzip2", "bunzip2 -c"),
    re.compile(rb"\xfd7zXZ\0"): ("xz", "unxz -c"),
}
_POINTERS = {
    b"version https://git-lfs.github.com/spec/": "a Git LFS pointer, not the file; fetch the file (git lfs pull)",
    b"/annex/objects/": "a git-annex pointer, not the file; fetch the file (git annex get)",
}


class Defect(DataError):
    """A faulty item. It is dropped and counted where the publisher's file is known to have such items."""

    reason: str


class MisplacedAnswer(Defect):
    """An answer that is not at its offset in the context."""

    reason = "answer not at its offset"


class LeftOut(Defect):
    """An item that is left out although it is whole. It is counted, and is no fault."""


class BrokenLine(Defect):
    """A line that lacks a column."""

    reason = "line broken off"


class EmptyText(Defect):
    """A text field without text."""

    reason = "empty sentence"


class Row(dict):
    """One item of a file: its fields by column name, with the file's name and the line number.

    `prefix` goes before ids, where a part has several files. `place` says where in the file the item is, where that is
    not its line.
    """

    __slots__ = ("line", "name", "place", "prefix")

    def __init__(
        self,
        fields: Mapping[str, Any] | Iterable[tuple[str, Any]],
        name: str,
        line: int,
        prefix: str = "",
        place: str = "",
    ) -> None:
        super().__init__(fields)
        self.name, self.line, self.prefix, self.place = name, line, prefix, place

    @property
    def where(self) -> str:
        """The file and the line, for error messages."""
        return f"{self.name}, {self.place or f'line {self.line}'}"

    def __missing__(self, column: str) -> None:
        if [*self.values()] == [""]:
            raise BrokenLine(f"{self.where}: the line is empty; remove it")
        raise BrokenLine(
            f"{self.where}: no column '{column}', only {', '.join(map(str, self))}; is the line cut off, or is this "
            "not the publisher's file?"
        )

    def text(self, column: str) -> str:
        """A text field; raises EmptyText where it is empty."""
        value = self[column]
        if value is None or (isinstance(value, str) and not value.strip()):
            if [*self.values()] in ([""], ["", None]):
                raise BrokenLine(f"{self.where}: the line is empty; remove it")
            raise EmptyText(f"{self.where}: '{column}' is empty ({value!r}); restore the text or remove the item")
        return self._of_type(column, value, str, "a text")

    def texts(self, column: str) -> list[str]:
        """A field with a list of texts, none of which is empty."""
        for value in (values := self.array(column)):
            if value is None or (isinstance(value, str) and not value.strip()):
                raise EmptyText(f"{self.where}: one of the texts in '{column}' is empty ({shown(values)}); restore it")
            self._of_type(column, value, str, "a list of texts")
        return values

    def array(self, column: str) -> list:
        """A field with a list; a text is none."""
        return self._of_type(column, self[column], list, "a list")

    def nested(self, column: str) -> "Row":
        """A field with a JSON object; its errors name the file and the line, too."""
        value = self._of_type(column, self[column], dict, "an object")
        return Row(value, self.name, self.line, self.prefix, self.place)

    def nested_array(self, column: str) -> "list[Row]":
        """A field with a list of JSON objects."""
        wrapped = (Row({column: value}, self.name, self.line, place=self.place) for value in self.array(column))
        return [item.nested(column) for item in wrapped]

    def _of_type(self, column: str, value: Any, kind: type, expected: str) -> Any:
        if not isinstance(value, kind):
            raise DataError(f"{self.where}: '{column}' is {shown(value)}; expected {expected}")
        return value

    def id(self, column: str | None = None, *, required: bool = False) -> str:
        """The publisher's id where the file has one; else the line number, or DataError where an id is `required`."""
        value = self.get(column) if column else None
        if value is None and required:
            raise DataError(f"{self.where}: no id in '{column}'; restore it, because items are matched by their ids")
        if value is None:
            return f"{self.prefix}{self.line}"
        if isinstance(value, bool) or not isinstance(value, str | int):
            raise DataError(f"{self.where}: the id '{column}' is {shown(value)}; expected a text or a whole number")
        text = str(value)
        if text != text.strip() or not text or not text.isprintable():
            raise DataError(f"{self.where}: the id '{column}' is {shown(value)}; remove its blanks or give it a name")
        return f"{self.prefix}{text}"

    def check_language(self, language: str) -> None:
        """Raises DataError where the row says that it is in another language."""
        if (other := self.get("language", language)) != language:
            raise DataError(f"{self.where}: the language is {shown(other)}; put the file of '{language}' in its place")

    def label(self, column: str, names: Sequence[str]) -> str | None:
        """A label, given by name or by number; None where there is no gold label ('-', '' or -1)."""
        value = self[column]
        if _is_number(value) and 0 <= value < len(names):
            return names[value]
        if value is None or value in names:
            return value
        if value in ("-", "", "-1") or (_is_number(value) and value == -1):
            return None
        raise DataError(f"{self.where}: unknown label {shown(value)} in '{column}'; expected {', '.join(names)}")

    def choice(self, column: str, count: int, first: int = 0) -> int | None:
        """The index of the right choice, which the file counts from `first`; None where it is unknown ('' or -1).

        A text must be the number as Python writes it: '1', but not '01', '1.0' or a digit of another script.
        """
        value = self[column]
        if value in ("", "-1", None) or (_is_number(value) and value == -1):
            return None
        number = next((index for index in range(count) if _is_index(value, index + first)), None)
        if number is None:
            expected = f"a whole number from {first} to {first + count - 1}"
            raise DataError(f"{self.where}: '{column}' is {shown(value)}; expected {expected}")
        return number


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_index(value: Any, index: int) -> bool:
    return value == (str(index) if isinstance(value, str) else index) and (isinstance(value, str) or _is_number(value))


@contextmanager
def opened_file(name: str) -> Iterator[None]:
    """Turns the errors of opening and reading a file into DataError, which names it."""
    try:
        yield
    except FileNotFoundError:
        raise DataNotFound(f"{name} not found; put the publisher's file there") from None
    except IsADirectoryError:
        raise DataError(f"{name} is a folder; put the publisher's file of this name in its place") from None
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise DataError(f"{name} cannot be read ({reason}); check the permissions of the file and the disk") from None


def checksum(path: Path, name: str) -> str:
    """The SHA-256 of a file's content; errors as for `read_text`."""
    with opened_file(name):
        return file_checksum(path)


def read_text(path: Path, name: str) -> str:
    """The text of a UTF-8 file, without its byte-order marks and with '\\n' as the only line end; `.gz` is unpacked.

    Raises DataNotFound where the file is missing, and DataError where it cannot be read, is not UTF-8, or is no text.
    """
    with opened_file(name):
        data = path.read_bytes()
    for start, what in _POINTERS.items():
        if data.startswith(start):
            raise DataError(f"{name} is {what}")
    if name.endswith(".gz"):
        data = _unpack(data, name)
    for beginning, (kind, command) in _PACKED.items():
        if beginning.match(data):
            raise DataError(f"{name} is a {kind} file; put its content there under this name ({command})")
    for mark, encoding in _MARKS.items():
        if data.startswith(mark):
            raise DataError(f"{name} is {encoding.upper()}; convert the file (iconv -f {encoding} -t utf-8)")
    if (place := data.find(b"\0")) >= 0:
        line = data.count(b"\n", 0, place) + 1
        raise DataError(
            f"{name}, line {line}: a NUL byte; if the file is UTF-16, convert it "
            "(iconv -f utf-16le -t utf-8), else download it again"
        )
    try:
        text = data.decode("utf-8-sig").lstrip("\ufeff").replace("\r\n", "\n")
    except UnicodeDecodeError as error:  # its positions do not count a byte-order mark
        line = error.object.count(b"\n", 0, error.start) + 1
        raise DataError(
            f"{name}, line {line}: byte 0x{error.object[error.start]:02x} is not UTF-8; convert the file "
            f"(iconv -f latin1 -t utf-8) or download it again"
        ) from None
    if "\r" in text and "\n" not in text:
        raise DataError(f"{name}: its lines end in carriage returns alone; write line feeds (tr '\\r' '\\n')")
    if text[:100].lstrip().lower().startswith(("<!doctype html", "<html")):
        raise DataError(f"{name} is a web page, such as an error message of the publisher's server; download it again")
    return text


def read_items(path: Path, name: str) -> str:
    """The text of a file that has items; as `read_text`, but raises DataError for an empty file, too."""
    if text := read_text(path, name):
        return text
    raise DataError(f"{name}: the file is empty; download it again")


def _unpack(data: bytes, name: str) -> bytes:
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{name} is not a whole gzip file: {error}; download it again") from None


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
        columns = _column_names(next(body, (0, ""))[1].split("\t"), name)
        blind = False
    else:
        blind = text.partition("\n")[0].count("\t") == len(columns) - 2
    for number, line in body:
        cells: list[str | None] = [*line.split("\t")]
        if blind:
            cells.append(None)
        if blind and len(cells) == len(columns) + 1:
            raise DataError(
                f"{name}, line {number}: there is a {columns[-1]!r} here and none in line 1; complete the file, or "
                "remove the column from all lines"
            )
        if len(cells) > len(columns):
            raise DataError(
                f"{name}, line {number}: {len(cells)} columns; expected {len(columns)} "
                f"({', '.join(columns)}); remove the extra tab"
            )
        yield Row(zip(columns, cells, strict=False), name, number)


def _column_names(columns: list[str], name: str) -> list[str]:
    """The columns of a header. Raises DataError for one that it names twice."""
    if twice := [column for column in columns if column and columns.count(column) > 1]:
        raise DataError(
            f"{name}, line 1: the column {shown(twice[0])} occurs {columns.count(twice[0])} times; remove all but the "
            "right one"
        )
    return columns


def comma_separated(text: str, name: str) -> Iterator[Row]:
    """Rows of a CSV file with a header; quoted fields may span lines."""
    reader = csv.reader(io.StringIO(text, newline="\n"), strict=True)
    line = 1
    try:
        columns = _column_names(next(reader, []), name)
        line = reader.line_num + 1
        for cells in reader:
            if len(cells) != len(columns):
                expected = f"expected {len(columns)} ({', '.join(columns)})"
                raise DataError(f"{name}, line {line}: {len(cells)} columns; {expected}; restore the line")
            yield Row(zip(columns, cells, strict=True), name, line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{name}, line {line}: {error}; close the open quotation, or download the file again") from None


def json_lines(text: str, name: str) -> Iterator[Row]:
    """Rows of a file with one JSON object a line."""
    for number, line in enumerate(lines(text), start=1):
        if not line.strip():
            raise DataError(f"{name}, line {number}: the line is empty; remove it")
        row = parse_json(line, name, number)
        if not isinstance(row, dict):
            raise DataError(f"{name}, line {number}: {shown(row)} is not a JSON object; expected one object a line")
        yield Row(row, name, number)


def with_labels(rows: Sequence[Row], text: str, name: str) -> Iterator[Row]:
    """The rows of one file with the labels of another, which has one a line and is called `name`."""
    labels = lines(text)
    if len(labels) != len(rows):
        raise DataError(
            f"{name} has {len(labels)} labels, and the file that it belongs to has {len(rows)} items; one of the files "
            "is cut off: download both again"
        )
    for row, label in zip(rows, labels, strict=True):
        row["label"] = label.strip()
        row.place = f"line {row.line}, labelled in {name}"
        yield row


def parse_json(text: str, name: str, line: int = 1) -> Any:
    """One JSON value; `line` is where the text begins in its file.

    Raises DataError for invalid JSON, and for what strict JSON does not have: NaN and infinities, a name twice in one
    object, half a surrogate pair ("half an emoji"), and nesting or numbers beyond all measure.
    """

    def fail(reason: str, remedy: str) -> NoReturn:
        raise DataError(f"{name}, line {line}: invalid JSON ({reason}); {remedy}")

    def make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        fields = dict(pairs)
        if len(fields) < len(pairs):
            names = [key for key, _ in pairs]
            twice = next(key for key in names if names.count(key) > 1)
            fail(f"the name {shown(twice)} occurs twice in one object", "remove one of the two")
        return fields

    def refuse(number: str) -> NoReturn:
        fail(f"{number} is not a JSON number", "write a finite number, or null where there is none")

    def make_number(digits: str) -> float:
        return number if math.isfinite(number := float(digits)) else refuse(digits)

    try:
        value = json.loads(text, object_pairs_hook=make_object, parse_constant=refuse, parse_float=make_number)
        if _SURROGATE.search(text):
            json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except json.JSONDecodeError as error:
        line += error.lineno - 1
        fail(error.msg, "is the file cut off? write it or download it again")
    except UnicodeEncodeError:
        fail("half a surrogate pair, such as half an emoji", "write the whole character")
    except RecursionError:
        fail("nested too deeply", "is this the right file?")
    except DataError:
        raise
    except ValueError:  # Python refuses integers of thousands of digits
        fail("a number has too many digits", "is this the right file?")
    return value


def percentile(group: str) -> int:
    """The position of a group in a split, 0 to 99: a hash of its name, so that no order or language changes it."""
    return int.from_bytes(hashlib.sha256(group.encode()).digest()[:8], "big") % 100


def normalize(text: str) -> str:
    """A text without case, punctuation and spaces: the same text in another tokenisation is equal.

    Vowel signs and other combining marks are removed, too, so two texts that differ in them alone are equal: का and की.
    """
    return re.sub(r"[\W_]+", "", text.casefold())
