"""How long a run takes, part by part, and how long its process has been alive."""

import os
import time
from pathlib import Path

_IMPORTED = time.monotonic()


class Laps:
    """A clock that says how many seconds each part took."""

    def __init__(self):
        self.seconds: dict[str, float] = {}
        self.last = time.perf_counter()

    def end(self, part: str) -> None:
        """The part that began when the last one ended, ends."""
        self.last, before = time.perf_counter(), self.last
        self.seconds[part] = round(self.last - before, 2)


def process_seconds() -> float:
    """The age of this process in seconds, from its start, imports included, to a hundredth.

    Where the system does not tell (it does on Linux), the seconds since this module was imported.
    """
    stat = Path("/proc/self/stat")
    if not stat.exists():
        return time.monotonic() - _IMPORTED
    started = int(stat.read_text().rpartition(")")[2].split()[19])  # in ticks since boot: proc(5), field 22
    return time.clock_gettime(time.CLOCK_BOOTTIME) - started / os.sysconf("SC_CLK_TCK")
