"""A lock keeps other processes out, reports that they wait, and is released when its process ends."""

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stilts_core.storage.locks import Locked, lock_on

# Holds a lock until a line arrives on standard input.
HOLDER = """
import sys
from pathlib import Path
from stilts_core.storage.locks import lock_on
with lock_on(Path(sys.argv[1])):
    print("holding", flush=True)
    sys.stdin.readline()
"""
# Increments the number in a file 100 times, reading and writing under the lock.
COUNTER = """
import sys
from pathlib import Path
from stilts_core.storage.locks import lock_on
path = Path(sys.argv[1])
for _ in range(100):
    with lock_on(path):
        path.write_text(str(int(path.read_text()) + 1))
"""


@contextmanager
def another_process_holding(path: Path) -> Iterator[subprocess.Popen]:
    """A process that holds the lock on `path` until it receives a line or is killed."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "holding\n"
        yield holder


def test_lock_of_another_process_raises_without_wait(tmp_path):
    path = tmp_path / "run"
    with another_process_holding(path), pytest.raises(Locked, match=str(path)), lock_on(path, wait=False):
        pass
    with lock_on(path, wait=False):
        pass


def test_waiting_process_reports_what_it_waits_for(tmp_path, capsys):
    path, events = tmp_path / "mnli-xnli", []
    with another_process_holding(path) as holder:

        def release() -> None:
            events.append("released")
            print(file=holder.stdin, flush=True)

        timer = threading.Timer(0.2, release)
        timer.start()
        with lock_on(path):
            events.append("acquired")
        timer.join()
    assert events == ["released", "acquired"]
    assert capsys.readouterr().err == "Waiting for another process that is computing mnli-xnli.\n"


def test_free_lock_is_taken_without_a_message(tmp_path, capsys):
    with lock_on(tmp_path / "new" / "run"):
        pass
    assert capsys.readouterr() == ("", "")


def test_killed_process_releases_its_lock(tmp_path):
    path = tmp_path / "run"
    with another_process_holding(path) as holder:
        holder.send_signal(signal.SIGKILL)
    with lock_on(path, wait=False):
        pass


def test_error_in_the_block_releases_the_lock(tmp_path):
    path = tmp_path / "run"
    with pytest.raises(KeyError), lock_on(path):
        raise KeyError
    with another_process_holding(path):
        pass


def test_locks_on_different_paths_are_independent(tmp_path):
    with another_process_holding(tmp_path / "run"), lock_on(tmp_path / "run-2", wait=False):
        pass


def test_writers_under_one_lock_do_not_overlap(tmp_path):
    path = tmp_path / "count"
    path.write_text("0")
    writers = [subprocess.Popen([sys.executable, "-c", COUNTER, str(path)], stderr=subprocess.DEVNULL) for _ in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    assert path.read_text() == "200"
