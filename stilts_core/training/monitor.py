"""What a phase does between its steps: add points to the curve, read losses, show progress, write checkpoints."""

import time
from collections.abc import Callable

from stilts_core.training.phase import Curve, Phase
from stilts_core.training.progress import Progress

CURVE_POINTS = 200  # the training curve has at most about this many points
READING_INTERVAL = 1.0  # seconds between two readings of the losses: each reading waits for a GPU
# Seconds that writing a checkpoint may take. If it takes n times as long, checkpoints are written n times less often.
WRITING_SECONDS = 2.0
FINAL_SHARE = 0.1  # the last checkpoint is written only if the one before is older than this share of the interval


class CheckpointTimer:
    """Decides when to write the next checkpoint: `interval` seconds after the last one, later if writing is slow."""

    def __init__(self, interval: float, started: float) -> None:
        self.interval = self.pause = interval
        self.last_written = started

    def is_due(self, now: float, *, is_last: bool) -> bool:
        """Whether to write a checkpoint `now`; `is_last` says that the phase ends with this step."""
        return now - self.last_written > (self.pause * FINAL_SHARE if is_last else self.pause)

    def record_write(self, started: float, ended: float) -> None:
        """Adapt the pause to how long writing a checkpoint took."""
        self.last_written = ended
        self.pause = self.interval * max(1, (ended - started) / WRITING_SECONDS)


class Monitor:
    """Follows the steps of a phase: curve, losses, progress and checkpoints.

    `write_checkpoint` writes the checkpoint of the number of steps that it gets; None writes no checkpoints.
    """

    def __init__(
        self,
        phase: Phase,
        progress: Progress,
        write_checkpoint: Callable[[int], None] | None,
        checkpoint_seconds: float,
    ) -> None:
        self.phase, self.progress, self.write_checkpoint = phase, progress, write_checkpoint
        self.curve = Curve(phase)
        self.steps_per_point = max(1, phase.steps // CURVE_POINTS)
        self.started = self.last_reading = self.last_check = time.perf_counter()
        self.earlier_seconds = phase.seconds  # of the processes that this one resumes
        self.processor_offset = phase.processor_seconds - time.process_time()
        self.timer = CheckpointTimer(checkpoint_seconds, self.started)

    def end_step(self, done: int, lr: float) -> None:
        """Follow a step; `done` is the number of steps done so far, `lr` the learning rate of this step."""
        is_last = done == self.phase.steps
        now = time.perf_counter()
        if done % self.steps_per_point and not is_last:
            if now - self.last_check > READING_INTERVAL:  # a point may take minutes, and a lost run should end now
                self.curve.check_losses(done, lr)
                self.last_check = time.perf_counter()
            return
        self.curve.add_point(done, lr, self._seconds_until(now))
        checkpoint_due = self.timer.is_due(now, is_last=is_last)
        if checkpoint_due or is_last or now - self.last_reading > READING_INTERVAL:
            self._read_losses(done)
        if checkpoint_due and self.write_checkpoint:
            started = time.perf_counter()
            self.write_checkpoint(done)
            self.timer.record_write(started, time.perf_counter())

    def _read_losses(self, done: int) -> None:
        """Read the losses, which also checks that they are finite, and show the progress."""
        loss = self.curve.read_losses()
        self.last_reading = self.last_check = time.perf_counter()
        self.phase.seconds = self._seconds_until(self.last_reading)
        self.phase.processor_seconds = self.processor_offset + time.process_time()
        tokens_per_second = self.phase.tokens / self.phase.seconds
        self.progress.update(done, loss=f"{loss:.3f}", **{"tok/s": f"{tokens_per_second:,.0f}"})

    def _seconds_until(self, moment: float) -> float:
        """The training time of the phase until a moment, over all its processes."""
        return self.earlier_seconds + moment - self.started
