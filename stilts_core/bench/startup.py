"""Start-up: how long a person waits before anything happens, each time in a new process."""

import subprocess
import sys
import tempfile
from pathlib import Path

from stilts_core.bench.measuring import BenchError, Options, compared, in_turns, timed
from stilts_core.bench.workloads import ALONE, Workload
from stilts_core.records import find_records

STILTS = [sys.executable, "-m", "stilts_core.cli"]


def measure(workload: Workload, options: Options) -> dict:
    """Seconds of `stilts --help`, of the imports of a run, and of a pair notebook up to its first step.

    The first turn of each is not counted: it fills the caches of the disk.
    """
    turns = {
        "help_seconds": lambda _: timed(lambda: _finish([*STILTS, "--help"])),
        "import_seconds": lambda _: timed(lambda: _finish([sys.executable, "-c", "import stilts_core.pipeline"])),
        "first_step_seconds": lambda _: first_step(workload, options),
    }
    seconds = in_turns(workload.name, turns, options.repetitions + 1)
    return {name: {ALONE: compared(name, values[1:])} for name, values in seconds.items()}


def first_step(workload: Workload, options: Options) -> float:
    """Seconds from the start of a pair notebook's kernel to the end of its first training step, as its record says."""
    sizes = f"--target-examples {workload.examples} --target-epochs 1 --batch-size 8 --dev-examples 8 --test-examples 4"
    chosen = ["--profile", "small", "--encoder", options.encoder, "--target", workload.target, "--languages", "en"]
    with tempfile.TemporaryDirectory() as runs:
        _finish([*STILTS, "run", *chosen, *sizes.split(), "--runs-dir", runs, "--quiet"])
        (record,) = find_records(Path(runs))
    return record["cost"]["first_step_seconds"]


def _finish(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(f"{' '.join(command)} failed:\n{done.stderr}")
