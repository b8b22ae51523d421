"""The lifeline of a sweep: a pipe by which its commands notice that the sweep has died, however it died.

The sweep holds the pipe open for writing. A command that finds the pipe's path in its environment waits, in a thread,
for the end of the pipe, which the system brings about when the sweep ends. Children of the warm process do not need it:
they end with the warm process, which ends with the sweep.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

VARIABLE = "STILTS_LIFELINE"  # the environment variable with the path of the pipe


@contextmanager
def lifeline(folder: Path) -> Iterator[None]:
    """Keep the commands that this process starts alive while the block lasts, through a named pipe in `folder`."""
    path = folder / "lifeline"
    os.mkfifo(path)
    writer = os.open(path, os.O_RDWR)  # for writing alone it would wait for a reader
    os.environ[VARIABLE] = str(path)
    try:
        yield
    finally:
        del os.environ[VARIABLE]
        path.unlink()
        os.close(writer)


def follow_lifeline() -> None:
    """End this process as soon as the sweep that started it has ended; without a sweep, do nothing."""
    if path := os.environ.get(VARIABLE):
        threading.Thread(target=_end_with, args=(path,), daemon=True).start()


def _end_with(path: str) -> None:
    with suppress(OSError):  # no pipe: the sweep has ended already
        reader = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # would wait for a writer otherwise
        os.set_blocking(reader, True)
        os.read(reader, 1)  # returns when nobody holds the pipe open for writing
    os._exit(1)
