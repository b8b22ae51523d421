"""Temporary files and folders: held by a lock while their process lives, and recognised as left over afterwards."""

import errno
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

GRACE = 1.0  # seconds in which a process may not yet have locked what it has created
ABANDONED = 24 * 3600.0  # seconds after which something that cannot be locked counts as left over
PREFIX, HELD = "stilts-", ".held"  # a temporary folder, and the file in it that its owner locks


def hold(descriptor: int) -> None:
    """Lock an open file or folder until its descriptor is closed, in this process and in those it has forked."""
    if fcntl:
        with suppress(OSError):  # some network file systems have no locks: age decides there
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_left_over(path: Path, grace: float = GRACE) -> bool:
    """Whether no living process holds a temporary file or folder. Where there are no locks, its age decides."""
    try:
        age = time.time() - path.lstat().st_mtime
        if path.is_symlink() or age < grace:
            return False
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return False  # it is already gone, or it belongs to somebody else
    try:
        if fcntl is None:
            return age > ABANDONED
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError as error:
        return error.errno not in (errno.EWOULDBLOCK, errno.EACCES) and age > ABANDONED
    finally:
        os.close(descriptor)


def remove(path: Path) -> None:
    """Remove a file or a folder; what cannot be removed stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


@contextmanager
def temporary_folder(root: str) -> Iterator[str]:
    """Yield a new folder under `root`, which is removed at the end; first remove those that killed processes left."""
    for leftover in find_temporary_folders(Path(root)):
        remove(leftover)
    folder = tempfile.mkdtemp(prefix=PREFIX, dir=root)
    descriptor = os.open(os.path.join(folder, HELD), os.O_RDWR | os.O_CREAT, 0o600)
    try:
        hold(descriptor)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def find_temporary_folders(root: Path) -> list[Path]:
    """The temporary folders of this user under `root` that no living process holds.

    A folder without the file that its owner locks comes from an older version, and counts as left over after a day.
    """
    found = []
    for folder in root.glob(f"{PREFIX}*"):
        with suppress(OSError):
            status = folder.lstat()
            if folder.is_symlink() or not folder.is_dir() or (hasattr(os, "getuid") and status.st_uid != os.getuid()):
                continue
            held = folder / HELD
            if is_left_over(held) if held.exists() else time.time() - status.st_mtime > ABANDONED:
                found.append(folder)
    return sorted(found)
