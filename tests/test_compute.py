import os
import sys
from pathlib import Path

import pytest
import torch

from stilts_core.compute import Compute, best_precision, return_freed_memory
from stilts_core.config import ConfigError, RunConfig


def test_absent_gpu_is_an_error_that_says_what_to_use(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(ConfigError, match=r"'cuda'.*no GPU.*'auto' or 'cpu'"):
        Compute.of(RunConfig(device="cuda").resolved())


@pytest.mark.parametrize("present", [True, False])
def test_device_is_the_gpu_where_there_is_one(monkeypatch, present):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: present)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: False)
    compute = Compute.of(RunConfig().resolved())
    assert compute.device == ("cuda" if present else "cpu")
    assert Compute.of(RunConfig(device="cpu").resolved()).device == "cpu"


@pytest.mark.parametrize("profile", ["small", "paper"])
def test_gpu_takes_as_many_sub_words_at_once_as_a_cpu_or_more(monkeypatch, profile):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: True)
    cpu, gpu = (Compute.of(RunConfig(profile=profile, device=device).resolved()) for device in ("cpu", "cuda"))
    assert gpu.token_budget >= cpu.token_budget and gpu.token_budget >= 8192
    asked = RunConfig(profile=profile, device="cuda", token_budget=100).resolved()
    assert Compute.of(asked).token_budget == 100


@pytest.mark.parametrize("device", ["cpu", "cuda"])
@pytest.mark.parametrize("capable", [True, False])
def test_precision_is_what_the_hardware_has_and_says_why(monkeypatch, device, capable):
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda **_: capable)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: capable)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False)
    precision, why = best_precision(device)
    assert precision == ("bf16" if capable else "fp32")
    assert {"cpu": "CPU", "cuda": "GPU"}[device] in why and "bf16" in why


def test_precision_asked_for_is_used(monkeypatch):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    compute = Compute.of(RunConfig(precision="fp32", device="cpu").resolved())
    assert (compute.precision, compute.why) == ("fp32", "as asked for")


@pytest.mark.parametrize(("precision", "dtype"), [("bf16", torch.bfloat16), ("fp32", torch.float32)])
def test_forward_passes_run_in_the_precision(precision, dtype):
    layer = torch.nn.Linear(4, 4)
    with Compute(precision=precision).autocast():
        assert layer(torch.randn(2, 4)).dtype == dtype
    assert layer.weight.dtype == torch.float32


@pytest.mark.skipif(sys.platform != "linux", reason="reads the memory of the process from /proc")
def test_freed_memory_goes_back_to_the_system():
    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")

    blocks = [bytearray(100_000) for _ in range(2000)]
    kept = blocks[::50]  # between them the heap has holes
    full = resident()
    del blocks
    return_freed_memory()
    assert full - resident() > 100_000_000 and len(kept) == 40
