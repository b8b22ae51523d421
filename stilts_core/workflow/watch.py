"""The report of a sweep while it runs: a line for each job that ends, with its score and the time remaining."""

import re
import sys
import threading
import time
from datetime import timedelta
from pathlib import Path

from stilts_core.runs.record import RECORD, read_record
from stilts_core.workflow.plan import Job

INTERVAL = 0.3  # seconds between two looks at the jobs' files
LARGEST_SHARE = 0.05  # of the time is spent looking: with thousands of jobs it looks less often


class Watch(threading.Thread):
    """Prints a line for each of `jobs` that ends while the context lasts.

    `failed` holds the jobs that failed, `remaining` those that have not ended.
    """

    def __init__(self, jobs: list[Job]):
        super().__init__(daemon=True)
        self.total, self.remaining = len(jobs), list(jobs)
        self.failed: list[Job] = []
        self.start_times: dict[Path, float] = {}  # by output
        self.seconds: dict[str, list[float]] = {}  # by kind
        self.stopped, self.out = threading.Event(), sys.stdout
        for job in jobs:  # logs of an earlier sweep
            job.log.unlink(missing_ok=True)
            job.failed_log.unlink(missing_ok=True)

    def __enter__(self) -> "Watch":
        self.start()
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self.stopped.set()
        self.join()
        self.report()
        if error is None:  # no command runs any more: one that left its log under its first name was killed
            for job in [job for job in self.remaining if job.log.exists()]:
                job.log.replace(job.failed_log)
            self.report()

    def run(self) -> None:
        """Report until the context ends."""
        pause = INTERVAL
        while not self.stopped.wait(pause):
            started = time.monotonic()
            self.report()
            pause = max(INTERVAL, (time.monotonic() - started) / LARGEST_SHARE)

    def report(self) -> None:
        """Print a line for each job that has ended since the last report."""
        now = time.monotonic()
        for job in self.remaining:
            if job.output not in self.start_times and job.log.exists():
                self.start_times[job.output] = now
        for job in [job for job in self.remaining if job.done or job.failed_log.exists()]:
            self.remaining.remove(job)
            seconds = now - self.start_times.get(job.output, now)
            self.seconds.setdefault(job.kind, []).append(seconds)
            if not job.done:
                self.failed.append(job)
            number = self.total - len(self.remaining)
            result = _score(job) if job.done else "failed"
            line = f"{number:>4}/{self.total}  {job.title:<44} {result:>6}  {seconds:>5.0f} s  {self.time_remaining()}"
            print(line.rstrip(), file=self.out, flush=True)

    def time_remaining(self) -> str:
        """Estimate the time remaining, "" before a job of each remaining kind has ended.

        The estimate takes the mean time of each kind of job, and as many jobs at once as are running now.
        """
        means = {kind: sum(seconds) / len(seconds) for kind, seconds in self.seconds.items()}
        kinds = [job.kind for job in self.remaining]
        if not kinds or not set(kinds) <= means.keys():
            return ""
        at_once = 1 + sum(job.output in self.start_times for job in self.remaining)  # one more starts now
        return f"{timedelta(seconds=round(sum(means[kind] for kind in kinds) / at_once))} left"

    def summary(self) -> str:
        """Return what failed and why, and how many jobs were skipped for it."""
        lines = [f"{len(self.failed)} of {self.total} jobs failed:"]
        lines += [f"  {job.title}: {_reason(job.failed_log)}\n    {job.failed_log}" for job in self.failed]
        if self.remaining:
            lines.append(f"{len(self.remaining)} jobs were skipped because a job they depend on failed.")
        return "\n".join([*lines, "Run the same command again to resume."])


def _score(job: Job) -> str:
    if job.kind != "pair":
        return ""
    averages = read_record(job.output.with_name(RECORD)).averages
    mean = averages.non_english or averages.all
    return f"{mean.score:.1f}" if mean else ""


def _reason(log: Path) -> str:
    """The error that ended a command, from its log."""
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if re.match(r"[\w.]*(Error|Exception|Interrupt)\b", line)]
    return (errors or lines or ["killed before it wrote anything"])[-1]
