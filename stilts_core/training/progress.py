"""Progress of a long phase: a bar on a terminal, a line every 15 seconds in a log.

rich.progress was tried and is not used. It is fast enough (28 ms to import, 0.6 ms to draw), but in a log it prints
nothing until the phase ends. On a terminal it hides the cursor, and a kernel that is killed never shows it again.
"""

import os
import sys
import time
from datetime import timedelta

TERMINAL_INTERVAL = 0.2  # seconds between two updates of the bar
LOG_INTERVAL = 15.0  # seconds between two lines of a log
BAR_WIDTH = 24  # characters


class Progress:
    """Show step, loss, tokens per second and remaining time; `quiet` shows nothing.

    `done` is the number of steps that an earlier process has already done. The output goes to standard error, or to the
    file that STILTS_PROGRESS names: so a notebook's kernel reaches the terminal of the command that started it.
    """

    def __init__(self, title: str, total: int, *, done: int = 0, quiet: bool = False) -> None:
        self.title, self.total, self.quiet = title, total, quiet
        path = os.environ.get("STILTS_PROGRESS")
        self.file = open(path, "a", encoding="utf-8") if path and not quiet else sys.stderr  # noqa: SIM115
        self.is_terminal = self.file.isatty()
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
            self.file.write(f"\r\033[K{bar} {line}" + "\n" * is_last)
        else:
            self.file.write(line + "\n")
        self.file.flush()


def say(sentence: str, *, quiet: bool = False) -> None:
    """Write one line where the progress goes, before anything long begins."""
    progress = Progress(sentence, 1, quiet=quiet)
    if not quiet:
        progress.file.write(f"Note: {sentence}\n")
        progress.file.flush()
