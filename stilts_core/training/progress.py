"""Progress of a long phase: a bar on a terminal, a line every 15 seconds in a log.

rich.progress was tried and is not used. It is fast enough (28 ms to import, 0.6 ms to draw), but in a log it prints
nothing until the phase ends. On a terminal it hides the cursor, and a kernel that is killed never shows it again.
"""

import io
import locale
import os
import sys
import time
from datetime import timedelta
from typing import BinaryIO, TextIO, cast

TERMINAL_INTERVAL = 0.2  # seconds between two updates of the bar
LOG_INTERVAL = 15.0  # seconds between two lines of a log
BAR_WIDTH = 24  # characters


class Progress:
    """Show step, loss, tokens per second and remaining time; `quiet` shows nothing.

    `done` is the number of steps that an earlier process has already done. The output goes to standard error, or to the
    file that STILTS_PROGRESS names: so a notebook's kernel reaches the terminal of the command that started it.
    """

    def __init__(self, title: str, total: int, *, done: int = 0, quiet: bool = False) -> None:
        self.title, self.total = title, total
        path = os.environ.get("STILTS_PROGRESS")
        file = _open(path) if path and not quiet else sys.stderr
        self.file, self.quiet = file or sys.stderr, quiet or file is None
        self.is_terminal = self.file is not None and self.file.isatty()
        self.started, self.first, self.last_shown = time.perf_counter(), done, 0.0

    def update(self, step: int, **figures: str) -> None:
        """Report that `step` of the total is done; `figures` are shown beside it, by their names."""
        now = time.perf_counter()
        is_last = step >= self.total
        interval = TERMINAL_INTERVAL if self.is_terminal else LOG_INTERVAL
        if self.quiet or (now - self.last_shown < interval and not is_last):
            return
        self.last_shown = now
        seconds_per_step = (now - self.started) / max(1, step - self.first)
        remaining = timedelta(seconds=round(seconds_per_step * (self.total - step)))
        details = "  ".join(f"{name} {value}" for name, value in figures.items())
        line = f"{self.title}  {step}/{self.total}  {details}  {remaining} left"
        if self.is_terminal:
            filled = int(BAR_WIDTH * step / self.total)
            bar = "━" * filled + "╌" * (BAR_WIDTH - filled)
            self._write(f"\r\033[K{bar} {line}" + "\n" * is_last)
        else:
            self._write(line + "\n")

    def note(self, sentence: str) -> None:
        """Write one line, before anything long begins."""
        if not self.quiet:
            self._write(f"Note: {sentence}\n")

    def _write(self, text: str) -> None:
        try:
            self.file.write(text)
            self.file.flush()
        except OSError:  # nobody reads it any more, or the disk of the log is full: the work goes on
            self.quiet = True


def _open(path: str) -> TextIO | None:
    """The file of the progress, or None where it cannot be opened: it is a socket, or a pipe that nobody reads."""
    try:  # without O_NONBLOCK a pipe without a reader would be waited for
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NONBLOCK, 0o666)
    except OSError:
        return None
    os.set_blocking(descriptor, True)
    file = cast(BinaryIO, io.FileIO(descriptor, "a"))  # without a buffer, which Python would flush at its end
    return io.TextIOWrapper(file, encoding=locale.getencoding(), errors="replace", write_through=True)
