"""Strikes one command with faults, each in a process of its own, and prints what happened as JSON.

`python runner.py COMMAND FOLDER FAULT,… TRIES`. Every case is forked from this process, which has imported everything,
so a case costs a fraction of a second. TRIES is the largest number of changes, evenly spaced, that each fault strikes.
"""

import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from commands import COMMANDS, Command
from injection import KILLED, MAKING, READ_ONLY, WRITING, Injection

from stilts_core.errors import StiltsError
from stilts_core.workflow.warm_process import warm_up

PATIENCE = 120.0  # seconds for one command, on a busy machine
AT_ONCE = 2


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
        try:
            command.execute()
        except (StiltsError, OSError) as error:
            result["error"] = f"{type(error).__name__}: {error}"
        except BaseException as error:
            traceback.print_exc()
            result["crash"] = f"{type(error).__name__}: {error}"
        injection.active = False
        if not injection.fault:
            result["changes"] = injection.changes
        if not result.keys() & {"error", "crash"}:
            result["outcome"] = command.outcome()
    except BaseException as error:
        traceback.print_exc()
        result["crash"] = f"outcome: {type(error).__name__}: {error}"
    finally:
        if injection.fault not in ("cut", "torn"):
            report.write_text(json.dumps(result))
        else:
            import resource

            resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
            report.write_text(json.dumps(result))
        os._exit(0)


def judge(struck: dict, again: dict, reference: object) -> str:
    """What is wrong after a fault and an undisturbed command; "" if nothing is."""
    if struck["status"] not in (0, KILLED, -signal.SIGXFSZ):
        return f"struck: status {struck['status']}"
    if "crash" in struck:
        return f"struck: {struck['crash']}"
    if "outcome" in struck and struck["outcome"] != reference:
        return "struck: another result"
    if again["status"] != 0 or "outcome" not in again:
        return f"again: {again.get('error') or again.get('crash') or again['status']}"
    return "" if again["outcome"] == reference else "again: another result"


def try_fault(command: Command, folder: Path, prepared: Path, reference: object, fault: str, number: int) -> str:
    """Strike the command at a change, execute it again, and judge. The folder of a case that went wrong stays."""
    place = folder / f"{fault}-{number}"
    shutil.copytree(prepared, place, symlinks=True)
    struck = perform(command, place, fault, number)
    if fault == READ_ONLY and "outcome" not in struck:
        return f"struck: {struck.get('error') or struck.get('crash') or struck['status']}"
    wrong = judge(struck, perform(command, place), reference)
    if not wrong:
        shutil.rmtree(place)
    return wrong


def choose(changes: list[list[str]], fault: str, tries: int) -> list[int]:
    """The changes that a fault can strike, at most `tries` of them, evenly spaced, with the first and the last."""
    if fault == READ_ONLY:
        return [0]
    kinds = {"full": MAKING, "cut": WRITING, "torn": WRITING}
    numbers = [number for number, (kind, _) in enumerate(changes) if kind in kinds.get(fault, {kind})]
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
    reference = perform(command, undisturbed)
    if "outcome" not in reference:
        sys.exit(f"{name} fails without a fault: {reference}")
    changes = reference["changes"]
    cases = [(fault, number) for fault in faults for number in choose(changes, fault, tries)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        wrong = list(pool.map(lambda case: try_fault(command, folder, prepared, reference["outcome"], *case), cases))
    found = [
        {"fault": fault, "number": number, "change": changes[number], "wrong": text}
        for (fault, number), text in zip(cases, wrong, strict=True)
        if text
    ]
    print(json.dumps({"changes": len(changes), "tried": len(cases), "wrong": found}))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]).resolve(), sys.argv[3].split(","), int(sys.argv[4]))
