"""A stopwatch for the stages of a run."""

import time


class Stopwatch:
    """Measures how many seconds each stage of a run takes; `seconds` maps the name of a stage to its time."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._stage_started = time.perf_counter()

    def end_stage(self, name: str) -> None:
        """End the stage that began when the last one ended, and store its time under `name`."""
        now = time.perf_counter()
        self.seconds[name] = round(now - self._stage_started, 2)
        self._stage_started = now
