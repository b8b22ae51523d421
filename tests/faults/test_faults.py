"""Every command, struck at the changes that it makes to files, then run again: it ends with the same result.

`pytest -m faults -s` prints how many faults were tried and how many ended right.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
import toy_data

HERE = Path(__file__).parent
PATIENCE = 600  # seconds for one command's faults, on a busy machine
pytestmark = [pytest.mark.faults, pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")]


@pytest.fixture(scope="module")
def counts(pytestconfig):
    """Numbers of faults that were tried and that ended right, printed at the end."""
    counts: Counter[str] = Counter()
    yield counts
    with pytestconfig.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print(f"\nfaults: {counts['tried']} tried, {counts['right']} right")


@pytest.fixture(scope="module")
def strike(tmp_path_factory, tiny_xlmr, counts):
    """Strikes a command with faults; returns the descriptions of the cases that went wrong."""
    data = toy_data.write_data(tmp_path_factory.mktemp("data"))
    environment = os.environ | {
        "STILTS_DATA": str(data), "STILTS_TOY_ENCODER": str(tiny_xlmr), "STILTS_KERNELS": "off", "OMP_NUM_THREADS": "1",
        "MKL_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false", "CUDA_VISIBLE_DEVICES": "",
        "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent / "shared")]), "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip

    def strike(command: str, *faults: str, tries: int) -> list[str]:
        folder = tmp_path_factory.mktemp(command)
        arguments = [sys.executable, str(HERE / "runner.py"), command, str(folder), ",".join(faults), str(tries)]
        done = subprocess.run(arguments, env=environment, capture_output=True, text=True, timeout=PATIENCE)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout.splitlines()[-1])
        counts.update(tried=found["tried"], right=found["tried"] - len(found["wrong"]))
        assert found["tried"]
        return [
            f"{case['fault']} at change {case['number']} {case['change']}: {case['wrong']}" for case in found["wrong"]
        ]

    return strike


# The number of changes that each fault strikes; a command with a kernel takes seconds.
TRIES = {
    "run": 40, "intermediate": 12, "pretrain": 20, "report": 3, "report --keep": 2, "keep": 20, "lessons": 3,
}  # fmt: skip


@pytest.mark.parametrize("command", TRIES)
@pytest.mark.parametrize("faults", [("kill", "cut"), ("full", "torn")], ids=["killed", "disk-full"])
def test_struck_command_that_runs_again_ends_with_the_same_result(strike, command, faults):
    assert strike(command, *faults, tries=TRIES[command]) == []


@pytest.mark.parametrize("command", ["run", "intermediate"])
def test_cache_that_cannot_be_written_changes_no_result(strike, command):
    assert strike(command, "read-only", tries=1) == []
