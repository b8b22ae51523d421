"""Files and folders that appear whole or not at all.

Everything is written under a temporary name that no other process uses. A rename gives it its real name when it is
complete. A reader therefore finds the old content or the new content, never a part of either. Of two writers, the last
one to finish wins.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4


@contextmanager
def whole_file(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Yield a temporary path to write to, and rename that file to `path` when the block ends without an error.

    A file that replaces another one takes over its permissions. With `durable` the call waits until the data are on the
    disk, so that a power failure leaves no empty file. A cache entry that carries its own checksum does not need this.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        yield temporary
        if durable:
            _sync(temporary)
        with suppress(FileNotFoundError):
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
        if durable:
            _sync(path.parent)
    except OSError as error:
        error.filename = error.filename or str(path)  # a write to a full disk names no file
        raise
    finally:
        temporary.unlink(missing_ok=True)


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
    removed first, so only one process at a time may write a path: hold its lock (see `storage.locks`). The files are
    on the disk before the folder gets its name.
    """
    remove_unfinished(path)
    temporary = path.with_name(f".{path.name}.{uuid4().hex}")
    temporary.mkdir(parents=True)
    try:
        yield temporary
        for file in temporary.rglob("*"):
            _sync(file)
        _sync(temporary)
        os.rename(temporary, path)
        _sync(path.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def remove_unfinished(path: Path) -> None:
    """Remove the temporary folders that killed writers of `path` left."""
    for leftover in path.parent.glob(f".{path.name}.*"):
        shutil.rmtree(leftover, ignore_errors=True)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
