import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from stilts_core.encoders.cpu.kernels import kernels
from stilts_core.training import machine
from stilts_core.training.compute import Compute
from stilts_core.training.machine import environment, now, peak_memory_bytes


def test_environment_names_versions_machine_and_precision():
    facts = environment(Compute(precision="fp32", precision_reason="as configured"))
    assert facts["python"] == platform.python_version()
    assert facts["precision"] == "fp32 (as configured)"
    assert facts["layers"] == kernels().reason
    assert facts["device"] == "cpu" and facts["driver"] is None
    assert facts["packages"].keys() == set(machine.PACKAGES) and facts["packages"]["torch"]
    json.dumps(facts)


@pytest.mark.parametrize(
    "text, version",
    [
        ("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19 01:15:15 UTC 2023\n", "535.104.05"),
        ("NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.14  Release Build\nGCC 12.2\n", "550.54.14"),
        ("another text", None),
        (None, None),
    ],
)
def test_driver_of_a_gpu_is_that_of_its_kernel_module(text, version, tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    monkeypatch.setattr(machine, "DRIVER_FILE", tmp_path / "version", raising=False)
    if text is not None:
        (tmp_path / "version").write_text(text)
    assert environment(Compute(device="cuda"))["driver"] == version


def test_git_revision_is_that_of_the_package_or_none(monkeypatch):
    assert environment(Compute())["git_revision"] != ""
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: (_ for _ in ()).throw(FileNotFoundError("git")))
    assert environment(Compute())["git_revision"] is None


def test_peak_memory_is_at_least_the_resident_memory():
    page = os.sysconf("SC_PAGE_SIZE")
    resident = int(Path("/proc/self/statm").read_text().split()[1])
    assert 0.9 * resident * page < peak_memory_bytes() < os.sysconf("SC_PHYS_PAGES") * page


def test_time_is_in_utc():
    assert now().endswith("Z") and "T" in now()


def test_age_of_a_process_includes_its_imports():
    source = "import time; time.sleep(0.3); from stilts_core.training import machine; print(machine.process_seconds())"
    started = time.perf_counter()
    age = float(subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True).stdout)
    assert 0.28 <= age <= time.perf_counter() - started + 0.02
