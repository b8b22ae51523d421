"""Files and folders that appear whole or not at all.

Everything is written under a temporary name that no other process uses. A rename gives it its real name when it is
complete. A reader therefore finds the old content or the new content, never a part of either. Of two writers, the last
one to finish wins.

The temporary name is locked while its writer lives. What a killed writer left is not locked, and the next writer in the
same folder removes it.
"""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from uuid import uuid4

from stilts_core.storage.leftovers import hold, is_left_over, remove

TEMPORARY = re.compile(r"\..+\.[0-9a-f]{32}")  # the names that `_name_temporary` makes
RUST_ERROR = re.compile(r"\(os error (\d+)\)$")  # how safetensors says that a disk is full
LONGEST_NAME = 255  # bytes, on all common file systems


@contextmanager
def whole_file(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield the path of an empty temporary file, and rename that file to `path` when the block ends without an error.

    A file that replaces another one takes over its permissions. With `durable` the call waits until the data are on the
    disk, so that a power failure leaves no empty file. A cache entry that carries its own checksum does not need this.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _clean_once(path.parent.resolve())
    temporary = _name_temporary(path)
    # O_EXCL: a file that another process has under this name is never touched.
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        hold(descriptor)
        with _system_errors(path):
            yield temporary
            if durable:
                _sync(temporary)
            with suppress(FileNotFoundError):
                shutil.copymode(path, temporary)
            os.replace(temporary, path)
            if durable:
                _sync(path.parent)
    finally:
        temporary.unlink(missing_ok=True)
        os.close(descriptor)


def write_whole(path: Path, content: str | bytes, *, durable: bool = True) -> Path:
    """Write a text (as UTF-8, line ends unchanged) or bytes to `path`, whole or not at all, and return the path."""
    data = content.encode() if isinstance(content, str) else content
    with whole_file(path, durable=durable) as temporary:
        temporary.write_bytes(data)
    return path


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Yield a temporary folder to fill, and rename it to `path` when the block ends without an error.

    Raises OSError if `path` is then a folder with content. The temporary folders that killed writers of `path` left are
    removed first. The files are on the disk before the folder gets its name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    remove_unfinished(path)
    temporary = _name_temporary(path)
    temporary.mkdir()
    descriptor = os.open(temporary, os.O_RDONLY)
    try:
        hold(descriptor)
        with _system_errors(path):
            yield temporary
            for file in temporary.rglob("*"):
                _sync(file)
            _sync(temporary)
            os.rename(temporary, path)
            _sync(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
        os.close(descriptor)


@contextmanager
def _system_errors(path: Path) -> Iterator[None]:
    """Raise errors that the operating system causes while `path` is written as OSErrors that name a file."""
    try:
        yield
    except OSError as error:
        if error.errno and not error.filename:  # a write to a full disk names no file
            error.filename = str(path)
        raise
    except Exception as error:
        if number := RUST_ERROR.search(str(error)):
            raise OSError(int(number[1]), os.strerror(int(number[1])), str(path)) from error
        raise


def remove_unfinished(path: Path) -> None:
    """Remove the temporary files and folders that killed writers of `path` left."""
    for leftover in path.parent.glob(f".{path.name}.*"):
        if TEMPORARY.fullmatch(leftover.name) and is_left_over(leftover, grace=0):
            remove(leftover)


def find_unfinished(folder: Path) -> list[Path]:
    """The temporary files and folders that killed writers left in `folder`."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return sorted(path for name in names if TEMPORARY.fullmatch(name) and is_left_over(path := folder / name))


@cache
def _clean_once(folder: Path) -> None:
    """Remove what killed writers left in a folder, at this process's first write to it."""
    for leftover in find_unfinished(folder):
        remove(leftover)


def _name_temporary(path: Path) -> Path:
    """A name in the folder of `path` that is random and not too long."""
    token = uuid4().hex
    room = LONGEST_NAME - len(token) - 2
    return path.with_name(f".{path.name.encode()[:room].decode(errors='ignore')}.{token}")


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
