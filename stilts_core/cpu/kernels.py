"""The kernels in this folder's C files: compiled once on a machine, by its own C compiler, and called through ctypes.

They need Linux, a C compiler, a CPU with AVX512-BF16, and a PyTorch that runs its threads by GNU OpenMP: they run on
PyTorch's own threads, as a second set of them would fight for the cores. Where one of these is missing PyTorch
computes what they would, to rounding, and takes longer.
"""

import ctypes
import hashlib
import os
import platform
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from stilts_core.cache import cache_folder, written_whole

SOURCES = tuple(sorted(Path(__file__).parent.glob("*.c")))
FLAGS = ("-O3", "-march=native", "-fopenmp", "-fPIC")
STEP = 16  # hidden size, head size and the feed-forward's inner size are multiples of it

_NUMBERS = ("tokens", "rows", "sequences", "hidden", "heads", "inner", "width", "bf16", "threads", "training")
_RATES = ("eps", "dropout", "attention_dropout")
_SEEDS = ("seed_weights", "seed_attended", "seed_down")
_POINTERS = (
    *("starts", "places", "w_qkv", "w_out", "w_up", "w_down", "v_qkv", "v_out", "v_up", "v_down"),
    *("b_qkv", "b_out", "b_up", "b_down", "gain_y", "shift_y", "gain_out", "shift_out"),
    *("x", "xb", "qkv", "lse", "attended", "picked", "residual", "norm_y", "scale_y", "yb", "active", "slope"),
    *("norm_out", "scale_out", "out"),
    *("d_out", "d_down", "d_up", "d_added", "d_picked", "d_attended", "d_qkv"),
    *("d_residual", "d_x", "sums", "sums_qkv", "factors"),
    *("g_qkv", "g_out", "g_up", "g_down"),
)


class Layer(ctypes.Structure):
    """What the passes of a layer read and write; `layer.h` says what each field is."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in _NUMBERS),
        *((name, ctypes.c_double) for name in _RATES),
        *((name, ctypes.c_int64) for name in _SEEDS),
        *((name, ctypes.c_void_p) for name in _POINTERS),
    ]

    def point_to(self, **tensors) -> None:
        """Let fields point to the memory of contiguous tensors, which the caller keeps; None is no memory."""
        for name, tensor in tensors.items():
            setattr(self, name, None if tensor is None else tensor.data_ptr())


class Part(ctypes.Structure):
    """Some rows of a product's weights, and where they are packed; `layer.c` says what each field is."""

    _fields_ = [
        ("weights", ctypes.c_void_p),
        *((name, ctypes.c_int64) for name in ("rows", "columns", "first", "total")),
        *((name, ctypes.c_void_p) for name in ("forward", "backward")),
    ]


class Parameter(ctypes.Structure):
    """What a step of AdamW reads and writes of a parameter; `adamw.c` says what each field is."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("values", "gradient", "first", "second")),
        ("size", ctypes.c_int64),
        *((name, ctypes.c_double) for name in ("beta1", "beta2", "eps", "kept", "rate", "root")),
    ]


@dataclass(frozen=True)
class Kernels:
    """The compiled kernels, None where they cannot be had, and the reason for either in words."""

    library: ctypes.CDLL | None
    why: str


@cache
def kernels() -> Kernels:
    """The kernels of this process; the choice is made once."""
    try:
        library = _load()
    except (OSError, Unavailable) as error:
        return Kernels(None, f"PyTorch's operations: {error}")
    layer, number, numbers = ctypes.POINTER(Layer), ctypes.c_int64, ctypes.c_void_p
    for name in ("attention", "rest", "rest_backward", "attention_backward"):
        _declare(library, name, [layer], None)
    _declare(library, "factors", [layer], number)
    _declare(library, "blocks", [number], number)
    _declare(library, "pack", [ctypes.POINTER(Part), number, number, number], None)
    parameters = ctypes.POINTER(Parameter)
    _declare(library, "pieces", [parameters, number], number)
    _declare(library, "adamw", [parameters, number, ctypes.c_double, numbers, number], None)
    return Kernels(library, "kernels compiled on this machine")


def _declare(library: ctypes.CDLL, name: str, arguments: list, result) -> None:
    function = getattr(library, name)
    function.argtypes, function.restype = arguments, result


class Unavailable(RuntimeError):
    """Why there are no kernels, in words."""


def _load() -> ctypes.CDLL:
    """Compile the kernels unless this machine has done so, and load them."""
    import torch

    if os.environ.get("STILTS_KERNELS") == "off":
        raise Unavailable("STILTS_KERNELS is off")
    if platform.system() != "Linux" or not torch.cpu._is_avx512_bf16_supported():
        raise Unavailable("this machine is not a Linux with AVX512-BF16")
    if torch.cpu._is_amx_tile_supported():
        raise Unavailable("this CPU has AMX, which PyTorch's matrix products use")
    compiler = shutil.which(os.environ.get("CC", "cc"))
    if compiler is None:
        raise Unavailable("there is no C compiler (on Debian: apt-get install gcc libc6-dev)")
    _share_threads()
    path = cache_folder() / "kernels" / f"{_version(compiler)}.so"
    if not path.exists():
        with written_whole(path) as part:
            _compile(compiler, part)
    return ctypes.CDLL(str(path))


def _share_threads() -> None:
    """Make the OpenMP library that PyTorch runs on the one that the kernels find."""
    mapped = sorted(set(re.findall(r"(/\S*libgomp\S*)", Path("/proc/self/maps").read_text())))
    own = [path for path in mapped if "torch" in path] or mapped
    if not own:
        raise Unavailable("this PyTorch does not run on GNU OpenMP")
    ctypes.CDLL(own[0], ctypes.RTLD_GLOBAL)


def _version(compiler: str) -> str:
    """A hash of all that decides what the compiler makes of the kernels."""
    told = subprocess.run([compiler, "--version"], capture_output=True, check=False).stdout
    flags = re.search(r"^flags.*$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    sources = [path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.[ch]"))]
    parts = (*sources, told, " ".join(FLAGS).encode(), (flags[0] if flags else "").encode())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:32]


def _compile(compiler: str, path: Path) -> None:
    """Compile the kernels into `path`, without an OpenMP library of their own."""
    with tempfile.TemporaryDirectory() as folder:
        objects = [f"{folder}/{source.stem}.o" for source in SOURCES]
        commands = [[*FLAGS, "-c", str(source), "-o", out] for source, out in zip(SOURCES, objects, strict=True)]
        for arguments in (*commands, ["-shared", *objects, "-o", str(path), "-lm"]):
            done = subprocess.run([compiler, *arguments], capture_output=True, text=True, check=False)
            if done.returncode:
                raise Unavailable(f"{compiler} failed ({(done.stderr.strip().splitlines() or ['no message'])[-1]})")
