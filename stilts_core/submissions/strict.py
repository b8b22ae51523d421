"""Strict reading of files that other systems wrote: every fault of a file is a DataError that names the file."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from reprlib import Repr
from typing import Any, NoReturn

from stilts_core.errors import DataError
from stilts_core.sources.rows import read_text

_SHORT = Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = 60


def show(value: object) -> str:
    """A value for an error message: short, on one line, and printable in every terminal."""
    return _SHORT.repr(value)


def show_id(key: str) -> str:
    """An id for an error message; in quotation marks only if it needs them."""
    return key if key.isascii() and key.isprintable() and key.strip() == key != "" else show(key)


@contextmanager
def file_errors() -> Iterator[None]:
    """Turn the errors of the operating system (a folder, no permission, a broken disk) into DataErrors."""
    try:
        yield
    except OSError as error:
        raise DataError(f"{error.filename}: {error.strerror}; expected a file that can be read") from None


def read(path: Path) -> str:
    """The text of a file. Raises DataError where it cannot be read or is not UTF-8."""
    with file_errors():
        return read_text(path, str(path))


def parse(text: str, path: Path, line: int = 1) -> Any:
    """One JSON value; `line` is where the text begins in its file.

    Raises DataError for invalid JSON, a name that an object has twice, NaN, infinite numbers, and values that are
    nested too deeply.
    """

    def fail(what: str) -> NoReturn:
        raise DataError(f"{path}, line {line}: {what}")

    def make_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        content = dict(pairs)
        if len(content) < len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for number, name in enumerate(names) if name in names[:number])
            raise DataError(f"{path}: {show(twice)} occurs twice in one JSON object; remove one of the two")
        return content

    def refuse(number: str) -> NoReturn:
        raise DataError(f"{path}: {number} is not a JSON number; write a finite number")

    def make_number(digits: str) -> float:
        return number if abs(number := float(digits)) < float("inf") else refuse(digits)

    try:
        return json.loads(text, object_pairs_hook=make_object, parse_constant=refuse, parse_float=make_number)
    except DataError:
        raise
    except json.JSONDecodeError as error:
        line += error.lineno - 1
        fail(f"invalid JSON ({error.msg}); is the file cut off? write it again")
    except RecursionError:
        fail("JSON that is nested too deeply; is this the right file?")
    except ValueError as error:  # Python refuses integers of more than 4300 digits
        fail(f"a number with too many digits ({error})")
