"""Processes of a sweep that are killed, and sweeps and runs at the same time: nothing survives, nothing differs."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

import pytest
import toy_data
from toy_data import scores_of

from stilts_core.runs.record import find_records

MARK = "STILTS_TEST_SWEEP"  # an environment variable that all processes of a sweep inherit
PATIENCE = 300  # seconds, for a busy machine
SOON = 10  # seconds in which all processes must end
pytestmark = [pytest.mark.faults, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]


@pytest.fixture(scope="module")
def start(tmp_path_factory, tiny_xlmr):
    """Starts a `stilts` command on the toy data, with runs in a folder; its mark is `process.mark`."""
    folder = tmp_path_factory.mktemp("processes")
    data = toy_data.write_data(folder / "data")
    cache = {"STILTS_CACHE": str(folder / "cache"), "STILTS_KERNELS": "off", "CUDA_VISIBLE_DEVICES": ""}
    one_thread = {"OMP_NUM_THREADS": "1"}  # as in a sweep: more threads would round sums differently

    def start(command: str, runs: Path, *options: str) -> subprocess.Popen:
        mark = uuid4().hex
        arguments = [
            sys.executable,
            "-m",
            "stilts_core.cli",
            command,
            "--profile",
            "small",
            "--encoder",
            str(tiny_xlmr),
        ]
        arguments += ["--batch-size", "8", "--runs-dir", str(runs), "--checkpoint-seconds", "0", *options]
        arguments += ["--intermediate-epochs", "1", "--target-epochs", "1"]
        environment = os.environ | cache | one_thread | {"STILTS_DATA": str(data), MARK: mark}
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        process = subprocess.Popen(arguments, env=environment, cwd=folder, **pipes)
        process.mark = mark
        return process

    return start


def start_sweep(start: Callable, runs: Path) -> subprocess.Popen:
    """A sweep of an intermediate checkpoint and two pairs."""
    return start("sweep", runs, "--intermediate", "mnli", "--target", "xnli,tatoeba", "--cores", "2")


def wait(process: subprocess.Popen) -> tuple[int, str]:
    """The exit status of a process and all that it printed."""
    out, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, out


def results(runs: Path) -> dict[str, tuple[str, list[bytes]]]:
    """Scores, losses and predictions of every run under a folder."""
    return {
        record.run_id: (
            scores_of(record),
            [
                (runs / record.profile / record.run_id / score.predictions).read_bytes()
                for score in record.scores.values()
            ],
        )
        for record in find_records(runs)
    }


@pytest.fixture(scope="module")
def undisturbed(start, tmp_path_factory) -> dict:
    """The results of a sweep that nothing disturbs."""
    runs = tmp_path_factory.mktemp("undisturbed")
    status, text = wait(start_sweep(start, runs))
    assert status == 0, text
    found = results(runs)
    assert len(found) == 2
    return found


def alive(mark: str) -> dict[int, str]:
    """The command lines of the living processes that inherited a mark, by process id."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            state = (folder / "stat").read_text().rsplit(")", 1)[1].split()[0]
            if state not in "ZX" and f"{MARK}={mark}".encode() in (folder / "environ").read_bytes().split(b"\0"):
                found[int(folder.name)] = (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode()
        except (OSError, IndexError):
            continue
    return found


def parent(pid: int) -> int:
    """The parent of a process, 0 if the process has ended."""
    try:
        return int((Path("/proc") / str(pid) / "stat").read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def of_kind(kind: str, sweep: subprocess.Popen) -> list[int]:
    """The living processes of a kind: sweep, warm, client, or worker (forked by the warm process)."""
    lines = alive(sweep.mark)
    warm = [pid for pid, line in lines.items() if "workflow.warm_process" in line and parent(pid) == sweep.pid]
    return {
        "sweep": [sweep.pid],
        "warm": warm,
        "worker": [pid for pid in lines if parent(pid) in warm],
        "client": [pid for pid, line in lines.items() if "warm_client.py" in line and "bash" not in line],
    }[kind]


def wait_for(condition: Callable[[], object], seconds: float) -> object:
    """The first true value of a condition, or its last one when the time is over."""
    end = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < end:
        time.sleep(0.02)
    return value


@pytest.mark.parametrize("kind", ["sweep", "warm", "worker", "client"])
def test_no_process_outlives_a_sweep_of_which_one_was_killed(start, tmp_path, undisturbed, kind):
    sweep = start_sweep(start, tmp_path)
    wait_for(lambda: of_kind("worker", sweep), PATIENCE)  # something computes
    (victim, *_) = of_kind(kind, sweep)
    os.kill(victim, signal.SIGKILL)
    status, text = wait(sweep)  # a sweep that was not killed itself reports the failure
    assert status == -signal.SIGKILL if kind == "sweep" else status in (0, 1), text
    assert "Traceback" not in text
    assert wait_for(lambda: not alive(sweep.mark), SOON), alive(sweep.mark)
    status, text = wait(start_sweep(start, tmp_path))
    assert status == 0, text
    assert results(tmp_path) == undisturbed


def test_two_sweeps_at_once_give_what_one_gives(start, tmp_path, undisturbed):
    for status, text in map(wait, [start_sweep(start, tmp_path) for _ in range(2)]):
        assert status == 0, text
    assert results(tmp_path) == undisturbed


def test_two_runs_of_one_pair_at_once_give_what_one_gives(start, tmp_path, undisturbed):
    options = ("--intermediate", "mnli", "--target", "xnli", "--quiet")
    for status, text in map(wait, [start("run", tmp_path, *options) for _ in range(2)]):
        assert status == 0, text
    (found,) = results(tmp_path).items()
    assert found in undisturbed.items()
    assert len(list(tmp_path.glob("small/*/pair.ipynb"))) == 1 and not list(tmp_path.glob("small/*/unfinished.ipynb"))
