import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from stilts_core.encoders.cpu.kernels import kernels

SCRIPT = """
import re, sys, torch
from stilts_core.encoders.cpu.kernels import kernels
print(kernels().reason)
print(len(set(re.findall(r"\\S*libgomp\\S*", open("/proc/self/maps").read()))))
"""


def load_kernels(tmp_path, **environment) -> list[str]:
    """The reason that a new process with an empty cache gives for its kernels, and its number of OpenMP libraries."""
    changed = os.environ | {"STILTS_CACHE": str(tmp_path)} | environment
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=changed, check=True)
    return done.stdout.splitlines()


def test_concurrent_processes_leave_one_library_and_use_one_set_of_threads(tmp_path):
    if kernels().library is None:
        pytest.skip(kernels().reason)
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(lambda _: load_kernels(tmp_path), range(2)))
    assert results == [["kernels compiled on this machine", "1"]] * 2
    assert len(list(tmp_path.rglob("*"))) == 2  # the folder and the file in it


@pytest.mark.parametrize(
    ("environment", "reason"),
    [({"CC": "no-such-compiler"}, "compiler"), ({"CC": "false"}, "false failed"), ({"STILTS_KERNELS": "off"}, "off")],
)
def test_without_a_compiler_pytorchs_operations_compute_and_the_reason_is_given(tmp_path, environment, reason):
    if kernels().library is None:
        pytest.skip(kernels().reason)
    given_reason, _ = load_kernels(tmp_path, **environment)
    assert given_reason.startswith("PyTorch's operations") and reason in given_reason
    assert not list(tmp_path.rglob("*.so*"))


def test_kernels_compute_in_a_forked_process(tmp_path):
    if kernels().library is None:
        pytest.skip(kernels().reason)
    script = """
import os, torch
from transformers import BertConfig
from transformers.models.bert.modeling_bert import BertLayer
from stilts_core.encoders.cpu.layer import CpuLayer
from stilts_core.encoders.packing import Packing
torch.set_num_threads(2)
layer = CpuLayer(BertLayer(BertConfig(hidden_size=64, num_attention_heads=2, intermediate_size=128)).eval())
def compute():
    return float(layer(torch.ones(300, 64), Packing(torch.ones(3, 100, dtype=torch.bool)), torch.float32).sum())
read, write = os.pipe()
if os.fork() == 0:
    os.write(write, repr(compute()).encode())
    os._exit(0)
os.wait()
print(float(os.read(read, 100)) == compute())
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=240)
    assert done.stdout == "True\n"


def test_waiting_threads_are_set_to_sleep_before_pytorch_is_loaded():
    script = "import os, sys, stilts_core; print(os.environ['GOMP_SPINCOUNT'], 'torch' in sys.modules)"
    unset = {name: value for name, value in os.environ.items() if name != "GOMP_SPINCOUNT"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, env=unset, check=True)
    assert done.stdout == "1000 False\n"
