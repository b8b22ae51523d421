"""Locks between processes. A lock is released when the process that holds it ends, even if that process is killed."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout


class Locked(RuntimeError):
    """Another process holds the lock."""


@contextmanager
def lock_on(path: Path, *, wait: bool = True, message: str | None = None) -> Iterator[None]:
    """Hold the lock on `path` until the block ends; the lock is the file `PATH.lock` beside it.

    If another process holds the lock, print a message (`message`, if given) on standard error and wait. Without `wait`,
    raise Locked.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(path.with_name(f"{path.name}.lock"))
    try:
        lock.acquire(timeout=0)
    except Timeout:
        if not wait:
            raise Locked(f"another process holds the lock on {path}; wait until it has finished") from None
        sys.stderr.write(message or f"Waiting for another process that is computing {path.name}.\n")
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
