"""The fixtures of all faults, and their count: `pytest -m faults` prints how many were tried and ended right."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import toy_data

HERE = Path(__file__).parent
EVERY = os.environ.get("STILTS_FAULTS") == "all"  # strike every change to a file, not some of them: takes an hour
PATIENCE = None if EVERY else 600  # seconds for one command's faults, on a busy machine
COUNTS: Counter[str] = Counter()  # of all faults that were inflicted: tried, right


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """Count a test that inflicts one fault itself; `strike` counts the faults of the others."""
    report = yield
    if report.when == "call" and "strike" not in item.fixturenames and not report.skipped:
        COUNTS.update(tried=1, right=int(report.passed))
    return report


def pytest_terminal_summary(terminalreporter) -> None:
    """Print the count."""
    if COUNTS["tried"]:
        terminalreporter.write_line(f"faults: {COUNTS['tried']} tried, {COUNTS['right']} right")


@pytest.fixture(scope="session")
def mounting() -> list[str]:
    """A command that runs another one where it may mount file systems, which vanish with it; skips without any."""
    for prefix in (["unshare", "--mount"], ["unshare", "--user", "--map-root-user", "--mount"]):
        try:
            done = subprocess.run([*prefix, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], capture_output=True)
        except FileNotFoundError:
            break
        if done.returncode == 0:
            return prefix
    pytest.skip("this user may mount no file system here, not even in a namespace of its own")


@pytest.fixture(scope="session")
def strike(tmp_path_factory, tiny_xlmr) -> Callable[..., list[str]]:
    """Strikes a command with faults; returns the descriptions of the cases that went wrong."""
    data = toy_data.write_data(tmp_path_factory.mktemp("data"))
    environment = os.environ | {
        "STILTS_DATA": str(data), "STILTS_TOY_ENCODER": str(tiny_xlmr), "STILTS_KERNELS": "off", "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "CUDA_VISIBLE_DEVICES": "",
        "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent / "shared")]), "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip

    def strike(command: str, *faults: str, tries: int, prefix: list[str] | tuple[()] = ()) -> list[str]:
        folder = tmp_path_factory.mktemp(command.replace(" ", ""))
        arguments = [sys.executable, str(HERE / "runner.py"), command, str(folder), ",".join(faults)]
        arguments.append(str(sys.maxsize if EVERY else tries))
        done = subprocess.run([*prefix, *arguments], env=environment, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout.splitlines()[-1])
        COUNTS.update(tried=found["tried"], right=found["tried"] - len(found["wrong"]))
        assert found["tried"]
        return [
            f"{case['fault']} at change {case['number']} {case['change']}: {case['wrong']}" for case in found["wrong"]
        ]

    return strike
