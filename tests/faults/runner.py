"""Strikes one command with faults, each in a process of its own, and prints what happened as JSON.

`python runner.py COMMAND FOLDER FAULT,… TRIES`. Every case is forked from this process, which has imported everything,
so a case costs a fraction of a second. TRIES is the largest number of changes, evenly spaced, that each fault strikes.
"""

import json
import os
import random
import re
import resource
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from commands import COMMANDS, Command
from injection import KILLED, MAKING, MEMORY, MOUNTED, READ_ONLY, SMALL_DISK, WRITING, Injection

from stilts_core.errors import StiltsError, explain
from stilts_core.notebooks.warm_client import ADDRESS_VARIABLE
from stilts_core.workflow.warm_process import Server, warm_up

PATIENCE = 120.0  # seconds for one command, on a busy machine
AT_ONCE = 2
EXPLAINED = {SMALL_DISK: "No space left on device.* Free space on the disk", MEMORY: "Memory ran out"}  # by fault


def perform(command: Command, folder: Path, fault: str = "", number: int = -1) -> dict:
    """Execute the command in `folder` in a child: its status, its error, its changes and (undisturbed) its outcome."""
    report = folder.with_name(f"{folder.name}.json")
    report.unlink(missing_ok=True)
    if (child := os.fork()) == 0:
        _execute(command, folder, report, Injection(folder, fault, number))
    end = time.monotonic() + PATIENCE
    while not (done := os.waitpid(child, os.WNOHANG))[0]:
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            return {"status": "hangs"}
        time.sleep(0.005)
    with suppress(ProcessLookupError):
        os.killpg(child, signal.SIGKILL)  # what a struck sweep has started
    result = json.loads(report.read_text()) if report.exists() else {}
    return {"status": os.waitstatus_to_exitcode(done[1])} | result


def _execute(command: Command, folder: Path, report: Path, injection: Injection) -> None:
    """The child: it never returns."""
    result: dict = {}
    try:
        os.setsid()
        random.seed()
        os.chdir(folder)
        os.environ |= {"STILTS_CACHE": str(folder / "cache"), "TMPDIR": str(folder / "tmp")}
        tempfile.tempdir = None
        with open(folder.with_name(f"{folder.name}.log"), "ab") as log:
            for descriptor in (1, 2):
                os.dup2(log.fileno(), descriptor)
        injection.install()
        before = _memory("VmSize")
        if injection.fault == MEMORY:
            resource.setrlimit(resource.RLIMIT_AS, ((before + injection.number) * 1024, resource.RLIM_INFINITY))
        try:
            command.execute()
        except (StiltsError, OSError, MemoryError) as error:
            result["error"] = explain(type(error).__name__, str(error))
        except BaseException as error:
            traceback.print_exc()
            message = explain(type(error).__name__, str(error))
            result["error" if injection.fault == MEMORY and "Memory ran out" in message else "crash"] = message
        _lift_limits()
        injection.active = False
        if not injection.fault:
            result |= {"changes": injection.changes, "memory": _memory("VmPeak") - before}
        if not result.keys() & {"error", "crash"}:
            result["outcome"] = command.outcome()
    except BaseException as error:
        traceback.print_exc()
        result["crash"] = f"outcome: {type(error).__name__}: {error}"
    finally:
        _lift_limits()
        report.write_text(json.dumps(result))
        os._exit(0)


def _memory(name: str) -> int:
    """A number of this process's memory in KiB, by its name in /proc."""
    return int(re.search(rf"{name}:\s+(\d+)", Path("/proc/self/status").read_text())[1])


def _lift_limits() -> None:
    for limit in (resource.RLIMIT_FSIZE, resource.RLIMIT_AS):
        resource.setrlimit(limit, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


@contextmanager
def warm_process(folder: Path) -> Iterator[None]:
    """A warm process for kernels and commands, forked from this one, which has imported everything."""
    address, (reading, writing) = str(folder / "warm"), os.pipe()
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(address)
        listener.listen(16)
        os.environ[ADDRESS_VARIABLE] = address
        if (server := os.fork()) == 0:
            os.close(writing)
            os.dup2(reading, 0)
            tempfile.tempdir = None
            Server(listener, []).serve()  # until `writing` is closed
            os._exit(0)
    try:
        yield
    finally:
        os.close(writing)
        os.waitpid(server, 0)


def judge(struck: dict, again: dict, reference: object, fault: str) -> str:
    """What is wrong after a fault and an undisturbed command; "" if nothing is."""
    if struck["status"] not in (0, KILLED, -signal.SIGXFSZ):
        return f"struck: status {struck['status']}"
    if "crash" in struck:
        return f"struck: {struck['crash']}"
    if "error" in struck and not re.search(EXPLAINED.get(fault, ""), struck["error"]):
        return f"struck: {struck['error']}"
    if "outcome" in struck and struck["outcome"] != reference:
        return "struck: another result"
    if again["status"] != 0 or "outcome" not in again:
        return f"again: {again.get('error') or again.get('crash') or again['status']}"
    return "" if again["outcome"] == reference else "again: another result"


def try_fault(command: Command, folder: Path, reference: object, fault: str, number: int) -> str:
    """Strike the command at a change, execute it again, and judge. The folder of a case that went wrong stays."""
    place, cache = folder / f"{fault}-{number}", folder / f"{fault}-{number}" / "cache"
    place.mkdir()
    if fault == SMALL_DISK:
        _mount("-t", "tmpfs", "-o", f"size={number}k", "tmpfs", place)
    shutil.copytree(folder / "prepared", place, symlinks=True, dirs_exist_ok=True)
    if fault == MOUNTED:
        if number:
            shutil.copytree(folder / "undisturbed" / "cache", cache, symlinks=True, dirs_exist_ok=True)
        _mount("--bind", cache, cache)
        _mount("-o", "remount,ro,bind", cache)
    struck = perform(command, place, fault, number)
    if fault in (READ_ONLY, MOUNTED) and "outcome" not in struck:
        return f"struck: {struck.get('error') or struck.get('crash') or struck['status']}"
    if fault == SMALL_DISK:
        _mount("-o", "remount,size=1g", place)
    if fault == MOUNTED:
        subprocess.run(["umount", cache], check=True)
    wrong = judge(struck, perform(command, place), reference, fault)
    if not wrong:
        if fault == SMALL_DISK:
            subprocess.run(["umount", place], check=True)
        shutil.rmtree(place)
    return wrong


def _mount(*arguments: str | Path) -> None:
    subprocess.run(["mount", *arguments], check=True)


def _kibibytes(folder: Path) -> int:
    """The room that a folder's files take on a disk with pages of 4 KiB."""
    return sum(-(-path.stat().st_size // 4096) * 4 for path in folder.rglob("*") if path.is_file())


def choose(reference: dict, folder: Path, fault: str, tries: int) -> list[int]:
    """The changes that a fault can strike, at most `tries` of them, evenly spaced, with the first and the last.

    For a small disk and little memory these are sizes, from what the command needs to begin to what it needs to end.
    """
    if fault in (READ_ONLY, MOUNTED):
        return list(range(tries))
    if fault == SMALL_DISK:
        numbers = list(range(_kibibytes(folder / "prepared") + 4, _kibibytes(folder / "undisturbed"), 4))
    elif fault == MEMORY:
        numbers = list(range(0, reference["memory"], 64))
    else:
        kinds = {"full": MAKING, "cut": WRITING, "torn": WRITING}
        numbers = [number for number, (kind, _) in enumerate(reference["changes"]) if kind in kinds.get(fault, {kind})]
    if len(numbers) <= tries:
        return numbers
    return sorted({numbers[round(index * (len(numbers) - 1) / (tries - 1))] for index in range(tries)})


def main(name: str, folder: Path, faults: list[str], tries: int) -> None:
    """Try every fault, and print the changes, the number of cases, and those that went wrong."""
    warm_up()
    command, prepared, undisturbed = COMMANDS[name], folder / "prepared", folder / "undisturbed"
    for part in ("cache", "tmp"):
        (prepared / part).mkdir(parents=True)
    os.chdir(prepared)
    command.prepare()
    shutil.copytree(prepared, undisturbed, symlinks=True)
    with warm_process(folder):
        reference = perform(command, undisturbed)
        if "outcome" not in reference:
            sys.exit(f"{name} fails without a fault: {reference}")
        cases = [(fault, number) for fault in faults for number in choose(reference, folder, fault, tries)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            wrong = list(pool.map(lambda case: try_fault(command, folder, reference["outcome"], *case), cases))
    changes = reference["changes"]
    found = [
        {
            "fault": fault,
            "number": number,
            "change": changes[number] if number < len(changes) else [],
            "wrong": text,
        }
        for (fault, number), text in zip(cases, wrong, strict=True)
        if text
    ]
    print(json.dumps({"changes": len(changes), "tried": len(cases), "wrong": found}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).resolve(), sys.argv[3].split(","), int(sys.argv[4]))
