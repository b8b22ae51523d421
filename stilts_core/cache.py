"""The user's cache folder, and the checksums of large files that are kept there."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from uuid import uuid4

LARGE = 16 * 2**20  # bytes from which a checksum is kept on disk: below, computing it costs a few milliseconds


def cache_folder() -> Path:
    """Where everything is kept that can be made anew: `$STILTS_CACHE`, else `~/.cache/stilts`."""
    return Path(os.environ.get("STILTS_CACHE") or Path.home() / ".cache" / "stilts")


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A file to write, which takes its place at `path` when the block ends; of two writers the last one wins."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.{uuid4().hex}")
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def checksum(path: Path) -> str:
    """The SHA-256 of a file, computed once for each version of it, which its size and times tell.

    That of a large file is kept in the cache folder, so that no other process computes it again.
    """
    stat = path.stat()
    return _checksum(path.resolve(), stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns)


@cache
def _checksum(path: Path, size: int, *times: int) -> str:
    version = hashlib.sha256(f"{path} {size} {times}".encode()).hexdigest()
    kept = cache_folder() / "checksums" / version[:32]
    if size >= LARGE and kept.exists() and len(digest := kept.read_text()) == 64:
        return digest
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if size >= LARGE:
        with written_whole(kept) as part:
            part.write_text(digest)
    return digest
