"""The warm process: what is forked from it behaves as a command of its own would."""

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

from stilts_core.workflow import warm
from stilts_core.workflow.warm import WarmProcess

pytestmark = pytest.mark.skipif(not warm.AVAILABLE, reason="there is a warm process on Linux only")


@pytest.fixture
def start(monkeypatch):
    """Starts a warm process whose jobs only say where they are."""
    popen = subprocess.Popen

    def instead(command, **options):
        if "stilts_core.workflow.warm" in command:
            command = [command[0], str(Path(__file__).with_name("echo_server.py")), *command[3:]]
        return popen(command, **options)

    monkeypatch.setattr(subprocess, "Popen", instead)
    return WarmProcess


@contextmanager
def asked(process: WarmProcess, *arguments: str, **options):
    """A client, and the first line that its job says."""
    with subprocess.Popen(process.command(*arguments), stdout=subprocess.PIPE, text=True, **options) as client:
        try:
            yield client, client.stdout.readline().split()
        finally:
            client.kill()


def gone(pid: str) -> bool:
    """Whether a process ends, sooner or later."""
    for _ in range(600):
        if not Path(f"/proc/{pid}").exists():
            return True
        time.sleep(0.05)
    return False


def test_job_has_the_folder_the_environment_and_the_output_of_its_client_and_gives_its_status(start, tmp_path):
    with start([]) as process, asked(process, "7", cwd=tmp_path, env=os.environ | {"WHO": "me"}) as (client, said):
        assert said[:2] == [str(tmp_path), "me"] and said[3] != str(client.pid)
        assert client.wait() == 7


def test_jobs_are_spread_over_the_gpus_and_share_them_evenly(start):
    with start(["0", "1"]) as process, asked(process, "stay") as (_, one), asked(process, "stay") as (_, two):
        assert {one[2], two[2]} == {"0", "1"}
        with asked(process, "stay") as (_, three), asked(process, "stay") as (_, four):
            assert {three[2], four[2]} == {"0", "1"}


def test_job_ends_with_its_client(start):
    with start([]) as process, asked(process, "stay") as (client, said):
        client.send_signal(signal.SIGKILL)
        assert gone(said[3])
        with asked(process, "0") as (other, _):
            assert other.wait() == 0


def test_killed_job_gives_the_status_that_a_shell_gives(start):
    with start([]) as process, asked(process, "stay") as (client, said):
        os.kill(int(said[3]), signal.SIGTERM)
        assert client.wait() == 128 + signal.SIGTERM


def test_all_ends_with_the_process_that_started_it(start):
    with start([]) as process, asked(process, "stay") as (client, said):
        process.process.stdin.close()
        assert gone(said[3])
        assert client.wait() != 0


def test_client_that_dies_before_it_asks_does_no_harm(start):
    with start([]) as process:
        for said in (b"", b"\0\0\0\0\0\0\0\7{"):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(process.address)
                client.sendall(said)
        with asked(process, "3") as (client, _):
            assert client.wait() == 3


def test_no_import_starts_a_thread():
    code = "from stilts_core.workflow import warm; import os; warm.warm_up(); print(len(os.listdir('/proc/self/task')))"
    environment = os.environ | warm.ONE_THREAD
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert done.stdout.strip() == "1"
