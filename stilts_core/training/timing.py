"""A stopwatch for the stages of a run."""

import os
import time


class Stopwatch:
    """Measures how many seconds each stage of a run takes; `seconds` maps the name of a stage to its time."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._stage_started = time.perf_counter()
        self._processor_started = _processor_seconds()

    @property
    def processor_seconds(self) -> float:
        """The processor time (user and system) since the start, of this process and of its children that ended."""
        return _processor_seconds() - self._processor_started

    def end_stage(self, name: str) -> None:
        """End the stage that began when the last one ended, and store its time under `name`."""
        now = time.perf_counter()
        self.seconds[name] = round(now - self._stage_started, 2)
        self._stage_started = now


def _processor_seconds() -> float:
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
