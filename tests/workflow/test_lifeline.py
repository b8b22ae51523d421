"""The lifeline: a command ends with its sweep, however the sweep ends."""

import os
import signal
import subprocess
import sys

import pytest

from stilts_core.workflow.lifeline import VARIABLE, follow_lifeline, lifeline

FOLLOWER = "import time; from stilts_core.workflow.lifeline import follow_lifeline; follow_lifeline(); "
STAY = FOLLOWER + "print(flush=True); time.sleep(600)"
OWNER = f"""
import subprocess, sys, time
from pathlib import Path
from stilts_core.workflow.lifeline import lifeline
with lifeline(Path(sys.argv[1])):
    subprocess.Popen([sys.executable, "-c", {STAY!r}])
    time.sleep(600)
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_command_ends_with_a_sweep_that_is_killed(tmp_path, number):
    owner = subprocess.Popen([sys.executable, "-c", OWNER, str(tmp_path)], stdout=subprocess.PIPE)
    assert owner.stdout.readline() == b"\n"
    owner.send_signal(number)
    assert owner.stdout.read() == b""  # the end of the output, which the command held open


def test_command_that_starts_after_the_death_of_its_sweep_ends(tmp_path):
    os.mkfifo(tmp_path / "lifeline")
    for path in (tmp_path / "lifeline", tmp_path / "removed"):
        assert subprocess.run([sys.executable, "-c", STAY], env=os.environ | {VARIABLE: str(path)}).returncode == 1


def test_command_lives_while_its_sweep_does(tmp_path):
    with lifeline(tmp_path):
        done = subprocess.run([sys.executable, "-c", FOLLOWER + "time.sleep(0.3)"])
    assert done.returncode == 0
    assert VARIABLE not in os.environ and list(tmp_path.iterdir()) == []


def test_without_a_sweep_there_is_nothing_to_follow():
    assert follow_lifeline() is None
