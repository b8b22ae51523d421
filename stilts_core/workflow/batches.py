"""Batches: runs that start from one checkpoint, done by one job in one process, one after the other.

A laboratory run without a page takes less than a second. A job of its own costs half as much again: a process, an entry
in Snakemake's graph, and first uses of everything. Each run of a batch is still whole or not there, has its own log,
and fails alone.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from pathlib import Path

from stilts_core.config import LABORATORY, RunConfig
from stilts_core.workflow.plan import Job, RunBatch, failed_log_of

LONGEST = 32  # runs of a batch: some 20 seconds
BATCHES_PER_CORE = 4  # at least, if there are enough runs, so that all cores have work until the end


def group_runs(jobs: Sequence[Job], cores: int) -> list[RunBatch]:
    """Batches of those jobs that are short runs: of the laboratory, without a page."""
    short = [job for job in jobs if job.config and not job.page and job.config.data_source == LABORATORY]
    size = max(1, min(LONGEST, len(short) // (BATCHES_PER_CORE * cores)))
    batches = []
    for _, group in groupby(sorted(short, key=_place), key=lambda job: job.needs):
        runs = list(group)
        batches += [RunBatch(tuple(runs[start : start + size])) for start in range(0, len(runs), size)]
    return batches


def _place(job: Job) -> tuple:
    """Where a run comes: beside the other runs of its checkpoint, and there beside those of its target."""
    return *map(str, job.needs), job.config.target if job.config else "", job.name


def run_batch(path: Path, guard: Callable[[Callable[[], object]], int]) -> int:
    """Do the runs of a batch and return how many of them failed; what a run prints goes into its log.

    `guard` calls a function, prints its error, and returns an exit status.
    """
    from stilts_core.notebooks.pair import run_without_page
    from stilts_core.training.machine import begin_run

    failed = 0
    for entry in json.loads(path.read_text(encoding="utf-8")):
        config, log = RunConfig.from_dict(entry["config"]), Path(entry["log"])
        begin_run()
        with _printing_to(log):
            status = guard(partial(run_without_page, config))
        if status:
            os.replace(log, failed_log_of(log))
            failed += 1
        if status == 128 + signal.SIGINT:
            break
    return failed


@contextmanager
def _printing_to(log: Path) -> Iterator[None]:
    """Let this process's standard outputs be the file `log` while the block lasts."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    outer = [os.dup(descriptor) for descriptor in (1, 2)]
    file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o666)
    try:
        for descriptor in (1, 2):
            os.dup2(file, descriptor)
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        for descriptor, saved in zip((1, 2), outer, strict=True):
            os.dup2(saved, descriptor)
            os.close(saved)
        os.close(file)
