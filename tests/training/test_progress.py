import os
import socket
import sys

import pytest

from stilts_core.training import progress
from stilts_core.training.progress import Progress


class Clock:
    now = 1000.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_log_has_a_line_every_15_seconds_and_the_last_line(clock, capsys):
    shown = Progress("target phase", 100)
    for step in range(1, 101):
        clock.now += 1
        shown.update(step, loss=f"{1 / step:.2f}")
    lines = capsys.readouterr().err.splitlines()
    assert [line.split()[2] for line in lines] == [f"{step}/100" for step in (1, 16, 31, 46, 61, 76, 91, 100)]
    assert lines[1] == "target phase  16/100  loss 0.06  0:01:24 left"
    assert lines[-1].endswith("0:00:00 left")


def test_remaining_time_ignores_the_steps_before_resuming(clock, capsys):
    shown = Progress("target phase", 100, done=90)
    clock.now += 20
    shown.update(92)
    assert "0:01:20 left" in capsys.readouterr().err


def test_remaining_time_is_given_in_days(clock, capsys):
    shown = Progress("target phase", 1001)
    clock.now += 200
    shown.update(1)
    assert "2 days, 7:33:20 left" in capsys.readouterr().err


def test_terminal_redraws_one_line_and_ends_it_once(clock, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    shown = Progress("target phase", 10)
    for step in range(1, 11):
        clock.now += 0.11
        shown.update(step)
    text = capsys.readouterr().err
    assert text.count("\n") == 1 and text.endswith("\n")
    assert text.count("\r") == 6  # at most five times a second
    assert text.splitlines()[-1].count("━") == 24 and "╌" not in text.rpartition("\r")[2]


def test_quiet_shows_nothing(clock, capsys):
    shown = Progress("target phase", 2, quiet=True)
    shown.update(1)
    shown.update(2)
    assert capsys.readouterr() == ("", "")


def test_pipe_that_nobody_reads_is_neither_waited_for_nor_an_error(tmp_path, monkeypatch):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    monkeypatch.setenv("STILTS_PROGRESS", str(pipe))
    Progress("target phase", 1).update(1)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    shown = Progress("target phase", 2)
    shown.update(2)
    assert b"2/2" in os.read(reader, 1000)
    os.close(reader)
    shown.update(2)


def test_socket_as_standard_error_shows_nothing(tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket"))
        monkeypatch.setenv("STILTS_PROGRESS", str(tmp_path / "socket"))
        Progress("target phase", 1).update(1)
