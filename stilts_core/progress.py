"""Progress of a long phase, on a terminal as a bar and elsewhere as a line now and then."""

import os
import sys
import time
from datetime import timedelta


class Progress:
    """Shows step, loss, tokens per second and remaining time; `quiet` shows nothing.

    On a terminal it redraws one line at most five times a second; in a log it prints a line every 15 seconds. It shows
    on standard error, or on the file that STILTS_PROGRESS names: that is how a notebook's kernel reaches the terminal
    of the command that started it.
    """

    def __init__(self, title: str, total: int, *, done: int = 0, quiet: bool = False):
        self.title, self.total, self.quiet = title, total, quiet
        shared = os.environ.get("STILTS_PROGRESS")
        self.file = open(shared, "a", encoding="utf-8") if shared and not quiet else sys.stderr  # noqa: SIM115
        self.terminal = self.file.isatty()
        self.started, self.first, self.shown = time.perf_counter(), done, 0.0

    def update(self, step: int, **figures: str) -> None:
        """Say that `step` of the total is done, with some figures to show beside it."""
        now = time.perf_counter()
        last = step >= self.total
        if self.quiet or (now - self.shown < (0.2 if self.terminal else 15) and not last):
            return
        self.shown = now
        per_step = (now - self.started) / max(1, step - self.first)
        remaining = timedelta(seconds=round(per_step * (self.total - step)))
        shown = "  ".join(f"{name} {value}" for name, value in figures.items())
        line = f"{self.title}  {step}/{self.total}  {shown}  {remaining} left"
        if self.terminal:
            filled = int(24 * step / self.total)
            bar = "━" * filled + "╌" * (24 - filled)
            self.file.write(f"\r\033[K{bar} {line}" + "\n" * last)
        else:
            self.file.write(line + "\n")
        self.file.flush()
