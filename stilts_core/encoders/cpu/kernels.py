"""The kernels in this folder's C files: compiled once on a machine by its own C compiler, and called through ctypes.

They need Linux, a C compiler, a CPU with AVX512-BF16, and a PyTorch whose threads come from GNU OpenMP. The kernels run
on PyTorch's threads, because a second set of threads would compete for the cores. If one of these is missing, PyTorch's
operations compute the same up to rounding, but slower.
"""

import ctypes
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from stilts_core.encoders.cpu.library import Unavailable, find_library, read_cpu_flags

if TYPE_CHECKING:
    from torch import Tensor

LANES = 16  # numbers in a vector register; hidden size, head size and feed-forward size must be multiples of it

_INTEGERS = ("tokens", "rows", "sequences", "hidden", "heads", "inner", "width", "bf16", "threads", "training")
_RATES = ("eps", "dropout", "attention_dropout")
_SEEDS = ("seed_weights", "seed_attended", "seed_down")
_POINTERS = (
    *("starts", "used_rows", "w_qkv", "w_out", "w_up", "w_down", "v_qkv", "v_out", "v_up", "v_down"),
    *("b_qkv", "b_out", "b_up", "b_down", "gain_y", "shift_y", "gain_out", "shift_out"),
    *("x", "xb", "qkv", "lse", "attended", "picked", "residual", "norm_y", "scale_y", "yb", "active", "slope"),
    *("norm_out", "scale_out", "out"),
    *("d_out", "d_down", "d_up", "d_added", "d_picked", "d_attended", "d_qkv"),
    *("d_residual", "d_x", "sums", "sums_qkv", "factors"),
    *("g_qkv", "g_out", "g_up", "g_down"),
)


class Layer(ctypes.Structure):
    """The arguments of a layer's passes; `layer.h` explains each field."""

    _fields_ = [
        *((name, ctypes.c_int64) for name in _INTEGERS),
        *((name, ctypes.c_double) for name in _RATES),
        *((name, ctypes.c_int64) for name in _SEEDS),
        *((name, ctypes.c_void_p) for name in _POINTERS),
    ]

    def point_to(self, **tensors: "Tensor | None") -> None:
        """Point fields to the memory of contiguous tensors, which the caller keeps alive; None is a null pointer."""
        for name, tensor in tensors.items():
            setattr(self, name, None if tensor is None else tensor.data_ptr())


class WeightRows(ctypes.Structure):
    """Some rows of a weight matrix, and where to pack them; `layer.c` explains each field."""

    _fields_ = [
        ("weights", ctypes.c_void_p),
        *((name, ctypes.c_int64) for name in ("rows", "columns", "first", "total")),
        *((name, ctypes.c_void_p) for name in ("forward", "backward")),
    ]


class Parameter(ctypes.Structure):
    """The arguments of an AdamW step for one parameter; `adamw.c` explains each field."""

    _fields_ = [
        *((name, ctypes.c_void_p) for name in ("values", "gradient", "first", "second")),
        ("size", ctypes.c_int64),
        *((name, ctypes.c_double) for name in ("beta1", "beta2", "eps", "decay", "rate", "correction")),
    ]


@dataclass(frozen=True)
class Kernels:
    """The compiled kernels, None if this machine cannot have them, and the reason in words."""

    library: ctypes.CDLL | None
    reason: str


@cache
def kernels() -> Kernels:
    """The kernels of this process. They are loaded, or found to be unavailable, once."""
    try:
        library = _load()
    except (OSError, Unavailable) as error:
        return Kernels(None, f"PyTorch's operations: {error}")
    layer, integer, doubles = ctypes.POINTER(Layer), ctypes.c_int64, ctypes.c_void_p
    for name in ("attention", "feed_forward", "feed_forward_backward", "attention_backward"):
        _declare(library, name, [layer], None)
    _declare(library, "count_factor_words", [layer], integer)
    _declare(library, "count_blocks", [integer], integer)
    _declare(library, "pack", [ctypes.POINTER(WeightRows), integer, integer, integer], None)
    parameters = ctypes.POINTER(Parameter)
    _declare(library, "count_pieces", [parameters, integer], integer)
    _declare(library, "adamw", [parameters, integer, ctypes.c_double, doubles, integer], None)
    return Kernels(library, "kernels compiled on this machine")


def require_library() -> ctypes.CDLL:
    """The compiled kernels. Raises Unavailable if this machine has none."""
    available = kernels()
    if available.library is None:
        raise Unavailable(available.reason)
    return available.library


def _declare(library: ctypes.CDLL, name: str, arguments: Sequence[type], result: type | None) -> None:
    """Declare the types of a C function."""
    function = getattr(library, name)
    function.argtypes, function.restype = arguments, result


def find_deviation() -> str | None:
    """'off' if this machine's CPU is one for the kernels but computes without them; None if it computes as it should.

    PyTorch's operations round differently, which can change a score. The answer is therefore part of what names a run,
    and needs no import of PyTorch.
    """
    if _find_obstacle():
        return None
    try:
        _check_switch()
        find_library()
    except (OSError, Unavailable):
        return "off"
    return None


def _load() -> ctypes.CDLL:
    """Load the kernels; compile them first if this machine has not compiled them yet."""
    _check_switch()
    if obstacle := _find_obstacle():
        raise Unavailable(obstacle)
    library = find_library()
    _share_threads()
    return ctypes.CDLL(str(library))


def _check_switch() -> None:
    """Raise Unavailable if the user has switched the kernels off."""
    if os.environ.get("STILTS_KERNELS") == "off":
        raise Unavailable("STILTS_KERNELS is off")


def _find_obstacle() -> str | None:
    """Why no kernels are meant for this machine; None if they are."""
    flags = read_cpu_flags().split()
    if platform.system() != "Linux" or "avx512_bf16" not in flags:
        return "the kernels need Linux and a CPU with AVX512-BF16"
    return "this CPU has AMX, which PyTorch's matrix products use" if "amx_tile" in flags else None


def _share_threads() -> None:
    """Make the kernels use the OpenMP library, and so the threads, that PyTorch uses."""
    import torch  # noqa: F401 (maps its OpenMP library into this process)

    mapped = find_openmp(Path("/proc/self/maps").read_bytes())
    candidates = [path for path in mapped if "torch" in path] or mapped
    if not candidates:
        raise Unavailable("this PyTorch does not run on GNU OpenMP")
    ctypes.CDLL(candidates[0], ctypes.RTLD_GLOBAL)


def find_openmp(maps: bytes) -> list[str]:
    """The GNU OpenMP libraries in the content of /proc/self/maps, whose last column is a path in any encoding."""
    columns = (line.split(maxsplit=5) for line in maps.split(b"\n"))
    paths = {os.fsdecode(column[5]) for column in columns if len(column) == 6}
    return sorted(path for path in paths if "libgomp" in os.path.basename(path))
