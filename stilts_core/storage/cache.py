"""The user's cache folder, and the checksums of large files that it stores."""

import hashlib
import os
from functools import cache
from pathlib import Path

from stilts_core.storage.atomic import write_whole

LARGE = 16 * 2**20  # bytes from which a checksum is stored on disk: below, computing it takes a few milliseconds


def cache_folder() -> Path:
    """Return the folder for everything that can be computed again: `$STILTS_CACHE`, or else `~/.cache/stilts`."""
    return Path(os.environ.get("STILTS_CACHE") or Path.home() / ".cache" / "stilts")


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file as 64 hexadecimal digits.

    It is computed once for each version of the file. A version is identified by the path, the size, and the times of
    the last change of content and of metadata. The checksum of a large file is stored in the cache folder, so that no
    other process computes it again.
    """
    stat = path.stat()
    return _checksum(path.resolve(), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


@cache
def _checksum(path: Path, size: int, *times: int) -> str:
    version = hashlib.sha256(f"{path} {size} {times}".encode()).hexdigest()
    stored = cache_folder() / "checksums" / version[:32]
    if size >= LARGE and stored.exists() and len(digest := stored.read_text()) == 64:
        return digest
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if size >= LARGE:
        write_whole(stored, digest)
    return digest
