"""Batches of short runs: how they are made, what a failure leaves, and a sweep of them that is killed and resumed."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from toy_data import scores_of

from stilts_core.config import RunConfig
from stilts_core.runs import pipeline
from stilts_core.runs.record import Record, find_records
from stilts_core.terminal import run_guarded
from stilts_core.training import machine
from stilts_core.workflow.batches import LONGEST, group_runs, run_batch
from stilts_core.workflow.plan import RunBatch, grid, jobs_of, write_plan

PATIENCE = 300  # seconds, for a busy machine
SIZES = {
    "intermediate_examples": 16, "target_examples": 16, "dev_examples": 8, "test_examples": 8,
    "intermediate_epochs": 1.0, "target_epochs": 1.0, "batch_size": 8,
}  # fmt: skip


@pytest.fixture(scope="module")
def base(tmp_path_factory, tiny_xlmr) -> RunConfig:
    """A short run of a tiny encoder on generated data; its record is in the folder `plain`."""
    runs = tmp_path_factory.mktemp("plain")
    fields = {"source": "laboratory", "languages": "en,qbe", "device": "cpu", "quiet": True, **SIZES}
    return RunConfig(profile="small", encoder=str(tiny_xlmr), target="xnli", runs_dir=str(runs), **fields)


def lab_jobs(rows: list[str], targets: list[str], seeds: int, *, page: bool = False) -> list:
    return jobs_of(grid(RunConfig(), rows, targets, list(range(seeds))), page=page)


def test_runs_of_a_batch_share_their_checkpoint_and_every_run_is_in_one_batch():
    jobs = lab_jobs(["none", "mnli"], ["xnli", "udpos", "tatoeba"], 8)
    batches = group_runs(jobs, cores=2)
    assert {len(batch.jobs) for batch in batches} == {3, 6}  # of a checkpoint, of none; at least four batches a core
    assert all(job.needs == batch.needs for batch in batches for job in batch.jobs)
    grouped = [job.output for batch in batches for job in batch.jobs]
    assert sorted(grouped) == sorted(job.output for job in jobs if job.kind == "pair")
    assert len({batch.name for batch in batches}) == len(batches)


def test_large_grid_has_batches_of_bounded_length_and_a_small_one_has_single_runs():
    jobs = lab_jobs(["none"], ["xnli", "udpos"], 150)
    assert max(len(batch.jobs) for batch in group_runs(jobs, cores=2)) == LONGEST
    assert {len(batch.jobs) for batch in group_runs(jobs[:8], cores=2)} == {1}


def test_runs_with_pages_and_long_runs_are_jobs_of_their_own(base):
    assert group_runs(lab_jobs(["none"], ["xnli"], 8, page=True), cores=1) == []
    real = [replace(job, config=replace(base, source="publishers")) for job in lab_jobs(["none"], ["xnli"], 8)]
    assert group_runs(real, cores=1) == []


def test_plan_has_each_run_once(tmp_path):
    jobs = lab_jobs(["none", "mnli"], ["xnli", "udpos"], 2)
    batches = group_runs(jobs[:-1], cores=1)
    write_plan(tmp_path / "plan.json", jobs, batches)
    plan = json.loads((tmp_path / "plan.json").read_text())["jobs"]
    assert list(plan["pair"]) == [jobs[-1].name] and set(plan["batch"]) == {batch.name for batch in batches}
    marks = {entry["mark"] for entries in plan.values() for entry in entries.values()}
    assert all(need in marks for entry in plan["batch"].values() for need in entry["needs"])
    logs = [
        run["log"] for batch in batches for run in json.loads((tmp_path / f"batches/{batch.name}.json").read_text())
    ]
    assert sorted(logs) == sorted(str(job.log) for job in jobs[:-1] if job.kind == "pair")


def by_run(records: list[Record]) -> dict[str, str]:
    return {record.run_id: scores_of(record) for record in records}


def test_failed_run_of_a_batch_leaves_its_log_and_does_not_stop_the_others(base, tmp_path, capfd, monkeypatch):
    monkeypatch.setattr(machine, "_begun", None)  # restored after the test
    configs = [
        replace(base, seed=1),
        replace(base, target_lr=1e30),
        replace(base, target="udpos"),
        replace(base, seed=2),
    ]
    here = [replace(config, runs_dir=str(tmp_path)) for config in configs]
    jobs = jobs_of(here, page=False)
    RunBatch(tuple(jobs)).write(tmp_path / "batch.json")
    with capfd.disabled():  # pytest's own standard outputs lead elsewhere
        assert run_batch(tmp_path / "batch.json", run_guarded) == 1
    assert [job.done for job in jobs] == [True, False, True, True]
    assert "lower the learning rate" in jobs[1].failed_log.read_text()
    assert [job.log.exists() for job in jobs] == [True, False, True, True]
    alone = [pipeline.run(configs[number]) for number in (0, 2, 3)]
    assert by_run(find_records(tmp_path)) == by_run(alone)
    times = [record.cost.first_step_seconds for record in find_records(tmp_path)]
    assert all(0 < seconds < record.cost.seconds for seconds, record in zip(times, find_records(tmp_path), strict=True))


@pytest.fixture(scope="module")
def sweep(base, tmp_path_factory):
    """Starts a sweep of six short runs without pages; `sweep.runs` is the folder of runs."""
    folder = tmp_path_factory.mktemp("sweep")

    def sweep(*more: str) -> subprocess.Popen:
        options = [part for name, size in SIZES.items() for part in (f"--{name.replace('_', '-')}", str(size))]
        command = [sys.executable, "-m", "stilts_core.cli", "sweep", "--profile", "small", "--encoder", base.encoder]
        command += ["--source", "laboratory", "--languages", "en,qbe", "--device", "cpu", "--cores", "1", *options]
        command += ["--runs-dir", str(folder), *more]
        environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, env=environment, cwd=folder, **pipes)

    sweep.runs = folder
    return sweep


GRID = ("--intermediate", "none,mnli", "--target", "xnli", "--seeds", "0,1,2")


def written(runs: Path) -> dict[str, int]:
    return {str(path): path.stat().st_mtime_ns for path in runs.glob("small/*/record.json")}


@pytest.fixture(scope="module")
def killed(sweep) -> tuple[dict[str, int], tuple[int, str]]:
    """The records of a sweep when it was killed; exit status and text of the next one."""
    process = sweep("--no-page", *GRID)
    give_up = time.monotonic() + PATIENCE
    while not written(sweep.runs) and process.poll() is None and time.monotonic() < give_up:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=PATIENCE)
    before = written(sweep.runs)
    process = sweep("--no-page", *GRID)
    text, _ = process.communicate(timeout=PATIENCE)
    return before, (process.returncode, text)


def test_killed_sweep_of_batches_resumes_and_computes_no_run_twice(sweep, killed):
    before, (status, text) = killed
    after = written(sweep.runs)
    assert status == 0 and "6 of    6" not in text, text
    assert 0 < len(before) < 6 and len(after) == 6 and {path: after[path] for path in before} == before
    assert not list(sweep.runs.rglob("*.ipynb"))


def test_results_of_a_sweep_of_batches_are_those_of_single_runs(base, sweep, killed, one_thread):
    configs = grid(base, ["none", "mnli"], ["xnli"], [0, 1])
    alone = by_run([pipeline.run(config) for config in configs])
    found = by_run(find_records(sweep.runs))
    assert {name: found[name] for name in alone} == alone


def test_sweep_with_pages_adds_them_without_training(sweep, killed):
    before = written(sweep.runs)
    process = sweep("--intermediate", "none", "--target", "xnli", "--seeds", "0")
    text, _ = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, text
    assert len(list(sweep.runs.glob("small/*/pair.ipynb"))) == 1 and written(sweep.runs) == before
