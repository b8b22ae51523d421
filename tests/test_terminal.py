"""What the command prints of errors, and the standard streams that it prints to."""

import errno
import os
import shlex
import socket
import subprocess
import sys

import click
import pytest

from stilts_core import cli
from stilts_core.errors import DataError, RunError
from stilts_core.terminal import run_guarded

STILTS = f"{shlex.quote(sys.executable)} -m stilts_core.cli"


def status_of(monkeypatch, error: BaseException) -> int:
    """The exit status of the command `stilts run` in which `error` occurs."""

    def fail(config):
        raise error

    monkeypatch.setattr("stilts_core.notebooks.pair.run_pair", fail)
    monkeypatch.setattr(sys, "argv", ["stilts", "run"])
    with pytest.raises(SystemExit) as end:
        cli.entry()
    return end.value.code


ERRORS = [
    (OSError(errno.ENOSPC, "No space left on device", "runs/a"), 1, ["runs/a", "Free space"]),
    (OSError(errno.EDQUOT, "Disk quota exceeded", "runs/a"), 1, ["runs/a", "quota"]),
    (OSError(errno.EFBIG, "File too large", "runs/a"), 1, ["runs/a", "ulimit -f", "--runs-dir"]),
    (PermissionError(errno.EACCES, "Permission denied", "runs/a"), 1, ["runs/a", "permissions", "--runs-dir"]),
    (OSError(errno.EROFS, "Read-only file system", "runs/a"), 1, ["runs/a", "STILTS_CACHE"]),
    (OSError(errno.ENAMETOOLONG, "File name too long", "runs/a"), 1, ["runs/a", "shorter"]),
    (NotADirectoryError(errno.ENOTDIR, "Not a directory", "runs/a"), 1, ["runs/a", "move it"]),
    (MemoryError("Unable to allocate 37 GiB"), 1, ["37 GiB", "peak", "batch_size"]),
    (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 1, ["peak", "batch_size"]),
    (KeyboardInterrupt(), 130, ["Interrupted", "resume"]),
    (click.UsageError("no such thing"), 2, ["no such thing"]),
    (RunError("the reason"), 1, ["RunError: the reason"]),
    (DataError("half \ud83d of an emoji"), 1, ["half"]),
    (UnicodeEncodeError("utf-8", "\ud83d", 0, 1, "surrogates not allowed"), 1, ["half of a character"]),
    (KeyError("x"), 1, ["KeyError: 'x'", "unexpected", "STILTS_DEBUG"]),
]


@pytest.mark.parametrize("debug", [False, True], ids=["plain", "debug"])
@pytest.mark.parametrize("error, status, named", ERRORS, ids=lambda value: getattr(type(value), "__name__", None))
def test_error_is_a_message_with_its_remedy_and_a_traceback_only_for_debugging(
    error, status, named, debug, monkeypatch, capfd
):
    monkeypatch.setenv("STILTS_DEBUG", "1" if debug else "0")
    monkeypatch.setattr(sys, "stderr", sys.__stderr__)  # a stream of a terminal, not one of pytest
    assert status_of(monkeypatch, error) == status
    text = capfd.readouterr().err
    assert ("Traceback" in text) == debug
    assert all(part in text for part in named), text
    if not debug and "unexpected" not in text:
        assert len(text.strip().splitlines()) <= 3


@pytest.mark.parametrize(
    "command",
    [
        "{stilts} tasks | head -1",
        "{stilts} tasks | true",
        "{stilts} tasks xnli 2>&-",
        "{stilts} tasks xnli >&-",
        "{stilts} tasks xnli <&- >&- 2>&-",
        "PYTHONIOENCODING=ascii {stilts} tasks",
        "PYTHONIOENCODING=latin-1 {stilts} tasks xcopa",
        "LC_ALL=C PYTHONUTF8=0 PYTHONCOERCECLOCALE=0 {stilts} tasks xcopa",
    ],
)
def test_any_standard_stream_will_do(command):
    shell = "set -o pipefail; " + command.format(stilts=STILTS)
    done = subprocess.run(["bash", "-c", shell], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""


def test_socket_is_a_standard_stream():
    reader, writer = socket.socketpair()
    with reader, writer:
        done = subprocess.run([*shlex.split(STILTS), "tasks", "xnli"], stdout=writer, stderr=writer)
        assert done.returncode == 0 and b"XNLI" in reader.recv(1 << 16)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_full_disk_under_the_output_is_one_line():
    done = subprocess.run(["bash", "-c", f"{STILTS} tasks > /dev/full"], stderr=subprocess.PIPE, text=True)
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert "standard output" in done.stderr and "Free space" in done.stderr


def test_exit_status_of_a_command_is_kept():
    assert run_guarded(lambda: 3) == 3 and run_guarded(lambda: None) == 0
