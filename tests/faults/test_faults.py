"""Every command, struck at the changes that it makes to files, then run again: it ends with the same result."""

import sys

import pytest

pytestmark = [pytest.mark.faults, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]

# The number of changes that each fault strikes. Commands with a kernel or with figures take seconds.
TRIES = {
    "run": 24, "intermediate": 8, "pretrain": 8, "report": 2, "report --keep": 2, "keep": 16, "lessons": 3,
    "notebook": 3, "sweep": 3,
}  # fmt: skip


@pytest.mark.parametrize("command", TRIES)
def test_struck_command_that_runs_again_ends_with_the_same_result(strike, command):
    assert strike(command, "kill", "cut", "full", "torn", tries=TRIES[command]) == []


def test_cache_that_cannot_be_written_changes_no_result(strike):
    assert strike("run", "read-only", tries=1) == []


def test_cache_on_a_read_only_file_system_changes_no_result(strike, mounting):
    assert strike("run", "mounted", tries=2, prefix=mounting) == []


@pytest.mark.parametrize(("command", "tries"), [("run", 4), ("report", 2)])
def test_command_on_a_small_disk_says_so_and_resumes_on_a_larger_one(strike, mounting, command, tries):
    assert strike(command, "small-disk", tries=tries, prefix=mounting) == []


def test_run_without_enough_memory_says_so_and_resumes_with_more(strike):
    assert strike("run", "memory", tries=5) == []
