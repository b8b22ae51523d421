"""The user's cache folder: entries that are checked when they are read, and the checksums of large files.

Everything in the cache can be computed again. A damaged entry is therefore a cache miss, and a folder that cannot be
written means work without a cache; each is reported with one line on standard error.
"""

import hashlib
import json
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

from stilts_core.storage.atomic import whole_file

LARGE = 16 * 2**20  # bytes from which a checksum is stored on disk: below, computing it takes a few milliseconds


def cache_folder() -> Path:
    """Return the folder for everything that can be computed again: `$STILTS_CACHE`, or else `~/.cache/stilts`."""
    return Path(os.environ.get("STILTS_CACHE") or Path.home() / ".cache" / "stilts")


@cache
def writable_cache_folder(folder: Path) -> Path:
    """Return the cache folder `folder`, or, if it cannot be written, a temporary folder of this user's own.

    It is for entries that a run cannot do without, such as a converted encoder.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"x")
        return folder
    except OSError as error:
        substitute = private_folder()
        _say(f"The cache folder {folder} cannot be written ({_reason(error)}); using {substitute} instead.")
        return substitute


def is_private(folder: Path) -> bool:
    """Whether only this user can write to `folder`: it is a folder, not a link to one, of this user, with such a mode.

    Code is loaded only from such folders, as ccache and Git do.
    """
    try:
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == _user() and not status.st_mode & 0o022


@cache
def private_folder() -> Path:
    """Return a folder for temporary files that is this user's alone.

    If somebody else has its name, it is a new folder, which no other process uses.
    """
    folder = Path(tempfile.gettempdir()) / f"cache-of-stilts-{_user()}"
    try:
        folder.mkdir(mode=0o700)
    except OSError:
        if not is_private(folder):
            return Path(tempfile.mkdtemp(prefix=f"{folder.name}-"))
    return folder


def _user() -> int:
    return os.getuid() if hasattr(os, "getuid") else 0  # Windows has no numbers of users


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits.

    It is computed once for each version of the file. A version is identified by the path, the size, and the times of
    the last change of content and of metadata. The checksum of a large file is stored in the cache folder, so that no
    other process computes it again.
    """
    status = path.stat()
    return _checksum(path.resolve(), status.st_size, status.st_mtime_ns, status.st_ctime_ns)


@cache
def _checksum(path: Path, size: int, *times: int) -> str:
    version = hashlib.sha256(f"{path} {size} {times}".encode()).hexdigest()
    stored = cache_folder() / "checksums" / f"{version[:32]}.json"
    if size >= LARGE and isinstance(digest := read_entry(stored), str) and len(digest) == 64:
        return digest
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if size >= LARGE:
        write_entry(stored, digest)
    return digest


def read_entry(path: Path) -> Any | None:
    """Read what `write_entry` wrote to `path`; None for no entry, and for a damaged one, which is reported."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        report_damage(path, _reason(error))
        return None
    digest, _, content = data.partition(b"\n")
    if digest != hashlib.sha256(content).hexdigest().encode():
        report_damage(path, "its SHA-256 is not the stored one")
        return None
    return json.loads(content)


def write_entry(path: Path, content: Any) -> None:
    """Write JSON to a cache entry, after a line with its SHA-256; a folder that cannot be written is reported."""
    data = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(
        "utf-8", "surrogatepass"
    )
    digest = hashlib.sha256(data).hexdigest().encode()
    store(path, lambda temporary: temporary.write_bytes(digest + b"\n" + data))


def store(path: Path, write: Callable[[Path], object]) -> None:
    """Write a cache entry whole with `write`, in place of whatever is there; go on without it if that fails."""
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        with whole_file(path, durable=False) as temporary:
            write(temporary)
    except OSError as error:
        _report_unwritable(cache_folder(), _reason(error))


def report_damage(path: Path, reason: str) -> None:
    """Print one line about a damaged cache entry."""
    _say(f"Cache entry {path} is damaged ({reason}); it is computed again.")


@cache
def _report_unwritable(folder: Path, reason: str) -> None:
    """Print one line, once, about a cache folder that cannot be written."""
    _say(f"The cache folder {folder} cannot be written ({reason}); continuing without it. Set STILTS_CACHE to another.")


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")
