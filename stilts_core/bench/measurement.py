"""How the benchmark measures time and memory: alternating repetitions, new processes, the rate of matrix products."""

import multiprocessing
import sys
import time
from collections.abc import Callable, Hashable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TypeVar, TypeVarTuple, Unpack

from stilts_core.training.compute import Compute, return_freed_memory
from stilts_core.training.machine import peak_memory_bytes

Result = TypeVar("Result")
Name = TypeVar("Name", bound=Hashable)
Arguments = TypeVarTuple("Arguments")


@dataclass(frozen=True)
class Options:
    """How a workload is measured: encoder, number of repetitions, number of seeds, and computing resources.

    With `seeds` = 0 no dev scores are compared. `runs_dir` has the records from which the growth of a grid is measured.
    """

    encoder: str
    repetitions: int
    seeds: int
    compute: Compute
    runs_dir: Path = Path("runs")


def report_progress(text: str) -> None:
    """Print a line with the time of day on standard error."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


def measure_alternately(
    title: str, peers: Mapping[Name, Callable[[int], Result]], repetitions: int
) -> dict[Name, list[Result]]:
    """The results of every peer by repetition; the peers alternate: A B C A B C.

    Each peer is called with the number of the repetition. As the peers alternate, other work on the machine and its
    temperature affect all of them alike.
    """
    results: dict[Name, list[Result]] = {name: [] for name in peers}
    for repetition in range(repetitions):
        for name, call in peers.items():
            started = time.perf_counter()
            results[name].append(call(repetition))
            seconds = time.perf_counter() - started
            report_progress(f"{title}, repetition {repetition + 1} of {repetitions}, {name}: {seconds:.2f} s")
    return results


def choose_fastest(title: str, candidates: Mapping[Name, Callable[[int], float]], repetitions: int = 2) -> Name:
    """The name of the candidate with the fewest seconds in one of its repetitions; each call returns its seconds.

    One repetition would not be enough, because the first candidate also fills the caches for the others.
    """
    seconds = measure_alternately(title, candidates, repetitions)
    return min(seconds, key=lambda name: min(seconds[name]))


def measure_seconds(call: Callable[[], object]) -> float:
    """The seconds that `call` takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def call_in_new_process(function: Callable[[Unpack[Arguments]], Result], *arguments: *Arguments) -> Result:
    """The result of `function` in a new process, which has imported and computed nothing before.

    The new process uses as many threads as this one.
    """
    import torch

    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_call_with_threads, torch.get_num_threads(), function, arguments).result()


def measure_peak_memory(function: Callable[[Unpack[Arguments]], object], *arguments: *Arguments) -> int:
    """The peak memory, in bytes, of a new process that calls `function`; on a GPU, the peak of its tensors."""
    return call_in_new_process(_read_peak_after, function, arguments)


def measure_added_memory(call: Callable[[], object]) -> int:
    """The bytes that `call` adds, at its peak, to the memory of this process.

    Outside Linux the earlier peak cannot be reset, and a call that stays below it adds 0.
    """
    return_freed_memory()
    clear_refs = Path("/proc/self/clear_refs")
    if clear_refs.exists():
        clear_refs.write_text("5")  # resets the peak to the present resident size: proc(5)
    before = peak_memory_bytes()
    call()
    return peak_memory_bytes() - before


def _call_with_threads(threads: int, function: Callable[..., Result], arguments: tuple[object, ...]) -> Result:
    import torch

    torch.set_num_threads(threads)
    return function(*arguments)


def _read_peak_after(function: Callable[..., object], arguments: tuple[object, ...]) -> int:
    import torch

    function(*arguments)
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else peak_memory_bytes()


def measure_matmul_rate(compute: Compute, seconds: float = 0.5) -> float:
    """The floating-point operations a second of the fastest of several large matrix products.

    The products have the precision of `compute`. Each is repeated for `seconds`, and its fastest repetition counts.
    """
    import torch

    dtype = torch.bfloat16 if compute.precision == "bf16" else torch.float32
    batch = 32 if compute.device == "cuda" else 1  # products between two time stamps, each of which waits for a GPU
    best = 0.0
    for rows, inner, columns in ((2048, 2048, 2048), (4096, 4096, 4096), (8192, 1536, 1536)):
        x, weight = (torch.randn(n, inner, dtype=dtype, device=compute.device) for n in (rows, columns))
        stamps: list[float] = []
        started = time.perf_counter()
        while len(stamps) < 3 or stamps[-1] - started < seconds:
            products = [torch.nn.functional.linear(x, weight) for _ in range(batch)]
            float(products[-1][0, 0])  # reading a number waits for a GPU
            stamps.append(time.perf_counter())
        fastest = min(after - before for before, after in pairwise(stamps))
        best = max(best, batch * 2 * rows * inner * columns / fastest)
    return best
