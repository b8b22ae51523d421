import os
import sys
from pathlib import Path

import pytest
import torch

from stilts_core.config import RunConfig
from stilts_core.errors import ConfigError
from stilts_core.training.compute import Compute, best_precision, return_freed_memory


def test_missing_gpu_is_an_error_with_a_remedy(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"'cuda'.*no GPU.*'auto' or 'cpu'"):
        Compute.from_config(RunConfig(device="cuda").resolved())


@pytest.mark.parametrize("present", [True, False])
def test_automatic_device_is_the_gpu_if_there_is_one(monkeypatch, present):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: present)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    compute = Compute.from_config(RunConfig().resolved())
    assert compute.device == ("cuda" if present else "cpu")
    assert Compute.from_config(RunConfig(device="cpu").resolved()).device == "cpu"


@pytest.mark.parametrize("profile", ["small", "paper"])
def test_token_budget_of_a_gpu_is_at_least_that_of_a_cpu(monkeypatch, profile):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    cpu, gpu = (Compute.from_config(RunConfig(profile=profile, device=device).resolved()) for device in ("cpu", "cuda"))
    assert gpu.token_budget >= cpu.token_budget and gpu.token_budget >= 8192
    config = RunConfig(profile=profile, device="cuda", token_budget=100).resolved()
    assert Compute.from_config(config).token_budget == 100


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("capable", [True, False])
def test_best_precision_follows_the_hardware_and_gives_a_reason(monkeypatch, device, capable):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: capable)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: capable)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    precision, reason = best_precision(device)
    assert precision == ("bf16" if capable else "fp32")
    assert {"cpu": "CPU", "cuda": "GPU"}[device] in reason and "bf16" in reason


def test_configured_precision_is_used(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    compute = Compute.from_config(RunConfig(precision="fp32", device="cpu").resolved())
    assert (compute.precision, compute.precision_reason) == ("fp32", "as configured")


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp32", torch.float32)])
def test_forward_passes_run_in_the_chosen_precision(precision, dtype):
    layer = torch.nn.Linear(4, 4)
    with Compute(precision=precision).autocast():
        assert layer(torch.randn(2, 4)).dtype == dtype
    assert layer.weight.dtype == torch.float32


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of the process from /proc")
def test_freed_memory_is_returned_to_the_system():
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    blocks = [bytearray(100_000) for _ in range(2000)]
    remaining = blocks[::50]  # they leave holes in the heap
    full = resident()
    del blocks
    return_freed_memory()
    assert full - resident() > 100_000_000 and len(remaining) == 40
