"""The warm process: its children behave as commands would that import everything themselves."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stilts_core.storage.environment import limit_threads
from stilts_core.workflow import warm_process
from stilts_core.workflow.warm_process import WarmProcess

pytestmark = pytest.mark.skipif(not warm_process.AVAILABLE, reason="the warm process exists on Linux only")


@pytest.fixture
def start(monkeypatch) -> type[WarmProcess]:
    """Starts a warm process whose children only print where they run."""
    popen = subprocess.Popen

    def start_echo_server(command, **options):
        if "stilts_core.workflow.warm_process" in command:
            command = [command[0], str(Path(__file__).with_name("echo_server.py")), *command[3:]]
        return popen(command, **options)

    monkeypatch.setattr(subprocess, "Popen", start_echo_server)
    return WarmProcess


@contextmanager
def client_of(process: WarmProcess, *arguments: str, **options) -> Iterator[tuple[subprocess.Popen, list[str]]]:
    """A client, and the first line that its child prints: its folder, WHO, its GPU, its process id."""
    with subprocess.Popen(process.command(*arguments), stdout=subprocess.PIPE, text=True, **options) as client:
        try:
            yield client, client.stdout.readline().split()
        finally:
            client.kill()


def ends(pid: str) -> bool:
    """Whether a process ends within five minutes: a busy machine needs seconds."""
    for _ in range(6000):
        if not Path(f"/proc/{pid}").exists():
            return True
        time.sleep(0.05)
    return False


def test_child_has_the_folder_environment_and_output_of_its_client_which_ends_with_its_status(start, tmp_path):
    with start([]) as process, client_of(process, "7", cwd=tmp_path, env=os.environ | {"WHO": "me"}) as (client, line):
        assert line[:2] == [str(tmp_path), "me"] and line[3] != str(client.pid)
        assert client.wait() == 7


def test_children_are_spread_evenly_over_the_gpus(start):
    with start(["0", "1"]) as process, client_of(process, "stay") as (_, one), client_of(process, "stay") as (_, two):
        assert {one[2], two[2]} == {"0", "1"}
        with client_of(process, "stay") as (_, three), client_of(process, "stay") as (_, four):
            assert {three[2], four[2]} == {"0", "1"}


def test_child_ends_with_its_client(start):
    with start([]) as process, client_of(process, "stay") as (client, line):
        client.send_signal(signal.SIGKILL)
        assert ends(line[3])
        with client_of(process, "0") as (other, _):
            assert other.wait() == 0


def test_killed_child_gives_the_status_that_a_shell_gives(start):
    with start([]) as process, client_of(process, "stay") as (client, line):
        os.kill(int(line[3]), signal.SIGTERM)
        assert client.wait() == 128 + signal.SIGTERM


def test_children_end_with_the_process_that_started_the_warm_one(start):
    with start([]) as process, client_of(process, "stay") as (client, line):
        process.process.stdin.close()
        assert ends(line[3])
        assert client.wait() != 0


def test_children_end_with_a_warm_process_that_is_killed(start):
    with start([]) as process, client_of(process, "stay") as (client, line):
        process.process.kill()
        assert ends(line[3])
        assert client.wait() != 0
        with client_of(process, "0", stderr=subprocess.PIPE) as (late, _):
            assert late.wait() == 1 and "SweepError: the warm process of this sweep has died" in late.stderr.read()


def test_client_that_ends_before_its_request_is_complete_does_no_harm(start):
    with start([]) as process:
        for message in (b"", b"\0\0\0\0\0\0\0\7{"):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(process.address)
                client.sendall(message)
        with client_of(process, "3") as (client, _):
            assert client.wait() == 3


def run_python(code: str) -> subprocess.CompletedProcess:
    environment = os.environ | limit_threads(1)
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)


def test_no_import_starts_a_thread():
    code = "from stilts_core.workflow import warm_process; import os; warm_process.warm_up()"
    done = run_python(f"{code}; print(len(os.listdir('/proc/self/task')))")
    assert done.stdout.strip() == "1"


def test_stilts_command_of_a_child_behaves_as_on_the_command_line():
    code = "from stilts_core.workflow.warm_process import execute; print(execute(['stilts', 'tasks']))"
    done = run_python(f"{code}; print(execute(['stilts', 'tasks', 'xquod']))")
    assert "commonsenseqa" in done.stdout and done.stdout.endswith("\n0\n1\n")
    assert done.stderr.startswith("ConfigError: ") and "xquad" in done.stderr and "Traceback" not in done.stderr
