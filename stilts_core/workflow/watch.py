"""What a sweep tells while it is at work: a line for each run that ends, with its score and the time that is left."""

import re
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

from stilts_core.records import RECORD, read_record
from stilts_core.workflow.plan import Job

LOOK = 0.3  # seconds between two looks at what is there


class Watch(threading.Thread):
    """Watches the outputs of jobs while the context lasts.

    `failed` holds the jobs that failed, `open` those that have not ended yet.
    """

    def __init__(self, jobs: list[Job]):
        super().__init__(daemon=True)
        self.total, self.open, self.failed = len(jobs), list(jobs), []
        self.begun: dict[Path, float] = {}
        self.seconds: dict[str, list[float]] = {}
        self.ended, self.out = threading.Event(), sys.stdout
        for job in jobs:  # what an earlier sweep left
            job.log.unlink(missing_ok=True)
            job.failed_log.unlink(missing_ok=True)

    def __enter__(self) -> "Watch":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.ended.set()
        self.join()
        self.look()

    def run(self) -> None:
        while not self.ended.wait(LOOK):
            self.look()

    def look(self) -> None:
        """Say what has ended since the last look."""
        now = time.monotonic()
        for job in self.open:
            if job.output not in self.begun and job.log.exists():
                self.begun[job.output] = now
        for job in [job for job in self.open if job.done or job.failed_log.exists()]:
            self.open.remove(job)
            took = now - self.begun.get(job.output, now)
            self.seconds.setdefault(job.kind, []).append(took)
            if not job.done:
                self.failed.append(job)
            number = self.total - len(self.open)
            result = _score(job) if job.done else "failed"
            line = f"{number:>4}/{self.total}  {job.title:<44} {result:>6}  {took:>5.0f} s  {self.left()}"
            print(line.rstrip(), file=self.out, flush=True)

    def left(self) -> str:
        """The time that is left, if jobs take as long as those of their kind did, and as many go on at once as now."""
        means = {kind: sum(took) / len(took) for kind, took in self.seconds.items()}
        to_come = [job.kind for job in self.open]
        if not to_come or not set(to_come) <= means.keys():
            return ""
        at_once = 1 + sum(job.output in self.begun for job in self.open)  # the one that has just ended makes room
        return f"{timedelta(seconds=round(sum(means[kind] for kind in to_come) / at_once))} left"

    def verdict(self) -> str:
        """What failed and why, and what could not be begun."""
        lines = [f"{len(self.failed)} of {self.total} failed:"]
        lines += [f"  {job.title}: {_reason(job.failed_log)}\n    {job.failed_log}" for job in self.failed]
        if self.open:
            lines.append(f"{len(self.open)} more were not done, as they need what failed.")
        return "\n".join([*lines, "The same command does what is left."])


def _score(job: Job) -> str:
    if job.kind != "pair":
        return ""
    means = read_record(job.output.with_name(RECORD))["averages"]
    return f"{(means['non_english'] or means['all'])['score']:.1f}"


def _reason(log: Path) -> str:
    """The error that ended a command, as its log tells it."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Interrupt)\b", line)]
    return (errors or lines or ["it was killed"])[-1]
