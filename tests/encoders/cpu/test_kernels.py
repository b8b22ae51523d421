import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from stilts_core.encoders.cpu import library
from stilts_core.encoders.cpu.kernels import find_deviation, find_openmp, kernels
from stilts_core.storage import cache

SCRIPT = """
import re, sys, torch
from stilts_core.encoders.cpu.kernels import kernels
print(kernels().reason)
print(len(set(re.findall(r"\\S*libgomp\\S*", open("/proc/self/maps").read()))))
"""


def load_kernels(folder, **environment) -> list[str]:
    """The reason that a new process with this cache gives for its kernels, and its number of OpenMP libraries."""
    changed = os.environ | {"STILTS_CACHE": str(folder)} | environment
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, env=changed, check=True)
    return done.stdout.splitlines()


def test_concurrent_processes_leave_one_library_and_use_one_set_of_threads(tmp_path):
    if kernels().library is None:
        pytest.skip(kernels().reason)
    quick = tmp_path / "quick-cc"  # the machine's compiler, which takes most of its time for optimising
    quick.write_text('#!/bin/sh\nexec cc "$@" -O0\n')
    quick.chmod(0o755)
    with ThreadPoolExecutor() as pool:
        results = list(pool.map(lambda _: load_kernels(tmp_path / "cache", CC=str(quick)), range(2)))
    assert results == [["kernels compiled on this machine", "1"]] * 2
    assert len(list((tmp_path / "cache").rglob("*"))) == 2  # the folder and the file in it


@pytest.mark.parametrize(
    ("environment", "reason"),
    [({"CC": "no-such-compiler"}, "compiler"), ({"CC": "false"}, "false failed"), ({"STILTS_KERNELS": "off"}, "off")],
)
def test_without_a_compiler_pytorchs_operations_compute_and_the_reason_is_given(
    tmp_path, monkeypatch, environment, reason
):
    if kernels().library is None:
        pytest.skip(kernels().reason)
    for name, value in (environment | {"STILTS_CACHE": str(tmp_path)}).items():
        monkeypatch.setenv(name, value)
    found = kernels.__wrapped__()  # as a new process finds them
    assert found.library is None and found.reason.startswith("PyTorch's operations") and reason in found.reason
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


COMPILER = """#!/bin/sh
# Writes a file in place of the kernels, and counts its calls.
echo "$@" >> "$(dirname "$0")/calls"
for last; do :; done
case "$*" in
--version) echo fake ;;
*-shared*) echo library > "$(echo "$*" | sed 's/.*-o \\([^ ]*\\).*/\\1/')" ;;
esac
"""


@pytest.fixture
def fake_compiler(tmp_path, monkeypatch):
    """A compiler that is fast; the list of calls that compiled, one entry for each library."""
    script = tmp_path / "bin" / "fake-cc"
    script.parent.mkdir()
    script.write_text(COMPILER)
    script.chmod(0o755)
    monkeypatch.setenv("CC", str(script))
    monkeypatch.setenv("STILTS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    cache.private_folder.cache_clear()
    yield lambda: [line for line in (script.parent / "calls").read_text().splitlines() if "-shared" in line]
    cache.private_folder.cache_clear()


def find_again():
    """The library, as a new process finds it."""
    library._find_once.cache_clear()
    return library.find_library()


def test_library_is_compiled_once_and_only_its_owner_can_write_to_it(fake_compiler, tmp_path):
    assert find_again() == find_again()
    assert find_again().parent == tmp_path / "cache" / "kernels" and len(fake_compiler()) == 1
    for path in (find_again(), find_again().parent):
        assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    "damage",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(path.read_bytes()[:-1]),
        lambda path: path.write_bytes(b"x" + path.read_bytes()[1:]),
        lambda path: path.chmod(0o666),
        lambda path: path.unlink() or path.symlink_to("/etc/hostname"),
        lambda path: path.unlink() or path.mkdir(),
    ],
    ids=["empty", "truncated", "changed", "writable by others", "link", "folder"],
)
def test_damaged_library_is_compiled_again_with_one_line(damage, fake_compiler, capsys):
    whole = find_again().read_bytes()
    damage(find_again())
    assert find_again().read_bytes() == whole and len(fake_compiler()) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "is damaged" in line


def test_nothing_is_loaded_from_a_folder_that_others_can_write_to(fake_compiler, tmp_path, capsys):
    find_again().parent.chmod(0o777)
    assert find_again().is_relative_to(tmp_path / "temporary")
    assert "No kernels are loaded from" in capsys.readouterr().err


def test_library_is_stored_elsewhere_if_the_cache_cannot_be_written(fake_compiler, tmp_path):
    (tmp_path / "cache").write_text("")
    assert find_again() == find_again() and len(fake_compiler()) == 1
    assert find_again().is_relative_to(tmp_path / "temporary")


def test_compiler_that_does_not_end_is_given_up(fake_compiler, tmp_path, monkeypatch, capsys):
    (tmp_path / "bin" / "fake-cc").write_text("#!/bin/sh\nsleep 600 & wait\n")
    monkeypatch.setattr(library, "COMPILER_SECONDS", 0.2)
    started = time.monotonic()
    for _ in range(2):
        with pytest.raises(library.Unavailable, match=r"did not end within 0\.2 seconds"):
            library.find_library()
    assert time.monotonic() - started < 600  # when the compiler would have ended
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_only_a_machine_that_should_have_kernels_and_has_none_deviates(fake_compiler, tmp_path, monkeypatch):
    if kernels().library is None:
        pytest.skip(kernels().reason)
    assert find_deviation() is None
    monkeypatch.setenv("STILTS_KERNELS", "off")
    assert find_deviation() == "off"
    monkeypatch.delenv("STILTS_KERNELS")
    monkeypatch.setenv("CC", "no-such-compiler")
    assert find_deviation() == "off"


def test_openmp_is_found_in_a_folder_whose_name_the_locale_cannot_read():
    place = "/home/zoë/my models/torch/lib/libgomp.so.1"
    library = f"7f0000000000-7f0000001000 r-xp 00000000 08:01 42                 {place}\n".encode()
    other = (
        b"7f0000002000-7f0000003000 rw-p 00000000 00:00 0 \n7f0000002000-7f0000003000 r--p 0 08:01 7   /libgomp/x.so\n"
    )
    assert find_openmp(library * 2 + other) == [os.fsdecode(place.encode())]
