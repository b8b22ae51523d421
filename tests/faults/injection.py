"""Faults at the N-th change that a process makes to files, without a hook in the package.

Python announces every change to a file in an audit event before it makes the change (PEP 578). Only fsync and
safetensors' files, which Rust writes, have no event; these functions are wrapped.
"""

import errno
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path

FAULTS = ("kill", "cut", "full", "torn")
# What each fault stands for:
# kill: the process dies before the change, that is, after the one before it
# cut:  the process dies in the middle of a write
# full: the disk is full from this change on, so that nothing can be opened for writing, made or flushed
# torn: the disk is full in the middle of a write, which leaves a part of the file
READ_ONLY = "read-only"  # nothing in the cache folder can be changed
MOUNTED = "mounted"  # the cache folder is on a read-only file system: empty (case 0), or filled by an earlier run (1)
SMALL_DISK = "small-disk"  # the disk has the room of the case's number, in KiB
MEMORY = "memory"  # the process may have as much more memory as the case's number says, in KiB
WRITTEN_BEFORE_CUT = 64  # bytes
KILLED = 137

# Audit events, and how many of their first arguments are paths.
CHANGES = {
    "os.rename": 2,
    "os.remove": 1,
    "os.rmdir": 1,
    "os.mkdir": 1,
    "os.link": 2,
    "os.symlink": 2,
    "os.truncate": 1,
}
MAKING = {"open", "fsync", "safetensors", "os.mkdir", "os.rename", "os.link", "os.symlink"}
WRITING = {"open", "safetensors"}
WRITE_FLAGS = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND


class Injection:
    """Counts the changes below `root`; from change `number` on, the process suffers `fault`. `changes` lists them."""

    def __init__(self, root: Path, fault: str = "", number: int = -1):
        self.root, self.fault, self.number = str(root.resolve()) + os.sep, fault, number
        self.changes: list[tuple[str, str]] = []
        self.process = os.getpid()
        self.active = True

    def install(self) -> None:
        """Watch this process until it ends."""
        import safetensors.numpy
        import safetensors.torch

        sys.addaudithook(self._audit)
        os.fsync = self._wrapped("fsync", os.fsync)
        for module in (safetensors.torch, safetensors.numpy):
            for name in ("serialize_file", "serialize"):
                if name == "serialize_file" and hasattr(module, name):
                    setattr(module, name, self._wrapped("safetensors", getattr(module, name)))

    def _wrapped(self, kind: str, function: Callable) -> Callable:
        def wrapper(*arguments, **named):
            place = arguments[0] if kind == "fsync" else arguments[1]
            self._change(kind, os.readlink(f"/proc/self/fd/{place}") if kind == "fsync" else os.fspath(place))
            return function(*arguments, **named)

        return wrapper

    def _audit(self, event: str, arguments: tuple) -> None:
        if event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & WRITE_FLAGS and isinstance(path, str | bytes | os.PathLike):
                self._change("open", os.fsdecode(path))
        elif event in CHANGES:
            folder = arguments[-1] if event in ("os.remove", "os.rmdir") else -1
            for path in arguments[: CHANGES[event]]:
                if isinstance(path, str | bytes | os.PathLike):
                    name = os.fsdecode(path)
                    if isinstance(folder, int) and folder >= 0:
                        name = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), name)
                    if self._change(event, name):
                        return

    def _change(self, kind: str, path: str) -> bool:
        """Count a change, if it is one below the root, and inflict the fault if its turn has come."""
        path = os.path.abspath(path)
        if not self.active or not path.startswith(self.root) or os.getpid() != self.process:
            return False
        number = len(self.changes)
        self.changes.append((kind, path.removeprefix(self.root)))
        if self.fault in (MOUNTED, SMALL_DISK, MEMORY):
            return True
        if self.fault == READ_ONLY:
            if path.startswith(os.path.join(self.root, "cache") + os.sep):
                raise OSError(errno.EROFS, "Read-only file system", path)
        elif self.fault == "full":
            if number >= self.number >= 0 and kind in MAKING:
                raise OSError(errno.ENOSPC, "No space left on device", path)
        elif number == self.number:
            self._strike()
        return True

    def _strike(self) -> None:
        if self.fault == "kill":
            os._exit(KILLED)
        # The first write beyond the limit gets a signal, which kills or (as Python starts) is ignored for EFBIG.
        signal.signal(signal.SIGXFSZ, signal.SIG_DFL if self.fault == "cut" else signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (WRITTEN_BEFORE_CUT, resource.RLIM_INFINITY))
