"""Errors that a user can act on: every message names what is wrong, the value, and the remedy."""

import errno
import re
import resource
import sys
from collections.abc import Iterable
from difflib import get_close_matches

_OTHER_FOLDER = "or name another folder (--runs-dir for runs, STILTS_CACHE for the cache)"
_REMEDIES = {
    errno.ENOSPC: f"Free space on the disk, {_OTHER_FOLDER}",
    errno.EDQUOT: f"Free space in your quota, {_OTHER_FOLDER}",
    errno.EFBIG: f"Raise the limit of the size of files: ulimit -f unlimited, {_OTHER_FOLDER}",
    errno.EACCES: f"Change the permissions, {_OTHER_FOLDER}",
    errno.EPERM: f"Change the owner or the permissions, {_OTHER_FOLDER}",
    errno.EROFS: f"The file system is read-only: mount it for writing, {_OTHER_FOLDER}",
    errno.ENAMETOOLONG: "Use a shorter path: name a shorter folder, or fewer tasks at once",
    errno.ENOENT: "Check the path",
    errno.ENOTDIR: f"A file is where a folder is needed: move it, {_OTHER_FOLDER}",
    errno.EISDIR: f"A folder is where a file is needed: move it, {_OTHER_FOLDER}",
    errno.EMFILE: "Raise the limit of open files: ulimit -n 4096",
}
_MEMORY = re.compile(
    r"MemoryError|OutOfMemoryError|out of memory|allocate memory|DefaultCPUAllocator|\[Errno 12\]"
    r"|could not create a primitive"  # oneDNN, which says no more
)
LESS_MEMORY = "Lower batch_size, token_budget, max_length or the number of examples, or run fewer jobs at once"


LONGEST_VALUE = 80  # characters of a value that a message shows


def shown(value: object) -> str:
    """A value as a message shows it: on one line, not too long, and with nothing that a terminal would obey."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no integer of more than 4,300 digits
        return "a number with thousands of digits"
    return text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…"


def suggestion(wrong: str, known: Iterable[str]) -> str:
    """The known name that is closest to a wrong one, as a part of a sentence; empty if none is close.

    Capital letters do not count.
    """
    names = {name.lower(): name for name in known}
    similar = get_close_matches(wrong.lower(), names, n=1)
    return f" (did you mean {names[similar[0]]!r}?)" if similar else ""


class StiltsError(Exception):
    """The base of all errors that the `stilts` command prints without a traceback."""


class ConfigError(StiltsError, ValueError):
    """A configuration that cannot run; the message names the field, its value and what would be right."""


class DataError(StiltsError, ValueError):
    """Data that cannot be used; the message names the file, the line or id, the value and the remedy."""


class DataNotFound(DataError):
    """Data that is neither under the data root nor on a hub that can be reached; the message lists the files."""


class EncoderError(StiltsError, ValueError):
    """An encoder that cannot be used; the message names it and says what would be right."""


class TrainingError(StiltsError, RuntimeError):
    """Training that cannot continue; the message names the step, the task and the remedy."""


class CheckpointError(StiltsError, ValueError):
    """A damaged checkpoint; the message names the folder and the remedy."""


class RecordError(StiltsError, ValueError):
    """A record that cannot be read; the message names the file and the remedy."""


class RunError(StiltsError, RuntimeError):
    """A run that failed in its notebook; the message names the error and the notebook that shows where."""


class StudyError(StiltsError, ValueError):
    """Results that cannot answer a study's question; the message says what is missing and how to get it."""


class SweepError(StiltsError, RuntimeError):
    """A sweep that cannot begin, or that had failed runs; the message says which runs failed and why."""


class BenchError(StiltsError, RuntimeError):
    """A benchmark that failed; the message says what failed and how to continue."""


def explain(name: str, message: str) -> str:
    """Return the message of an error with its remedy, if Python's own message for the error has none.

    `name` is the name of the exception's class and `message` its text, of this process or of a notebook's kernel.
    """
    text = f"{name}: {message}".removesuffix(": ")
    if _MEMORY.search(text):
        return f"{text}. Memory ran out{peak_memory()}. {LESS_MEMORY}"
    if (number := re.match(r"\[Errno (\d+)\]", message)) and int(number[1]) in _REMEDIES:
        return f"{text}. {_REMEDIES[int(number[1])]}"
    if name == "UnicodeEncodeError" and "surrogates not allowed" in message:
        return f"{text}. A text has a half of a character (a lone surrogate): write it in UTF-8"
    return text


def peak_memory() -> str:
    """Return the largest memory of this process or of an ended child, as a part of a sentence."""
    usages = (resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    unit = 1 if sys.platform == "darwin" else 1024
    return f" (peak {max(usages) * unit / 2**30:.1f} GiB)"
