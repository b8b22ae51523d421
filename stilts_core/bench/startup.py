"""The time that a user waits for the start of the command, of its modules and of a run, each in a new process."""

import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from stilts_core.bench.figures import MeasuredFigures, compare_figures
from stilts_core.bench.measurement import Options, measure_alternately, measure_seconds
from stilts_core.bench.workloads import ALONE, Workload
from stilts_core.errors import BenchError
from stilts_core.runs.record import find_records

STILTS = [sys.executable, "-m", "stilts_core.cli"]


def measure_startup(workload: Workload, options: Options) -> MeasuredFigures:
    """Seconds of `stilts --help`, of the imports of a run, and of a pair notebook until its first step.

    The first repetition of each is not counted, because it fills the disk cache of the operating system.
    """
    imports = [sys.executable, "-c", "import stilts_core.runs.pipeline"]
    measurements: dict[str, Callable[[int], float]] = {
        "help_seconds": lambda _: measure_seconds(lambda: run_command([*STILTS, "--help"])),
        "import_seconds": lambda _: measure_seconds(lambda: run_command(imports)),
        "first_step_seconds": lambda _: measure_first_step(workload, options),
    }
    seconds = measure_alternately(workload.name, measurements, options.repetitions + 1)
    return {name: {ALONE: compare_figures(name, values[1:])} for name, values in seconds.items()}


def measure_first_step(workload: Workload, options: Options) -> float:
    """Seconds from the start of a pair notebook's kernel to the end of its first training step, from its record."""
    sizes = f"--target-examples {workload.examples} --target-epochs 1 --batch-size 8 --dev-examples 8 --test-examples 4"
    pair = ["--profile", "small", "--encoder", options.encoder, "--target", workload.target, "--languages", "en"]
    with tempfile.TemporaryDirectory() as runs:
        run_command([*STILTS, "run", *pair, *sizes.split(), "--runs-dir", runs, "--quiet"])
        (record,) = find_records(Path(runs))
    seconds = record.cost.first_step_seconds
    if seconds is None:
        raise BenchError(f"the record of {record.run_id} has no first training step; give {workload.name} examples")
    return seconds


def run_command(command: list[str]) -> None:
    """Run a command to its end. Raises BenchError, with what it printed, if it fails."""
    finished = subprocess.run(command, capture_output=True, text=True)
    if finished.returncode:
        raise BenchError(f"`{' '.join(command)}` failed; its error was:\n{finished.stderr}")
