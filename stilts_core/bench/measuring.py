"""How the benchmark measures: in turns, in processes of their own, and against what the machine can do."""

import multiprocessing
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from stilts_core.bench.workloads import MEASURES
from stilts_core.compute import Compute, return_freed_memory
from stilts_core.records import peak_memory_bytes


class BenchError(RuntimeError):
    """A measurement that failed; the message says what did, and how to go on."""


@dataclass(frozen=True)
class Options:
    """How a workload is measured: with which encoder, how often, over how many seeds, and by which means.

    `seeds` is 0 where no dev score is compared.
    """

    encoder: str
    repetitions: int
    seeds: int
    compute: Compute
    runs_dir: Path = Path("runs")


def spread(values: Sequence[float]) -> dict[str, float]:
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def compared(measure: str, ours: Sequence[float], theirs: Sequence[float] = ()) -> dict:
    """The figures of one measure, one for each repetition, and the spread of their ratios in pairs.

    Repetition i of ours is paired with repetition i of the peer's, which ran right after it.
    """
    facts = MEASURES[measure]
    entry = {"unit": facts.unit, "ours": list(ours)}
    if theirs:
        entry["theirs"] = list(theirs)
        if facts.ratio:
            pairs = list(zip(ours, theirs, strict=True))
            ratios = [a / b if facts.ratio == "ours / theirs" else b / a for a, b in pairs]
            entry |= {"ratio_is": facts.ratio, "ratio": spread(ratios)}
    return entry


def say(text: str) -> None:
    """Tell whoever waits for the benchmark where it is."""
    print(f"{time.strftime('%H:%M:%S')}  {text}", file=sys.stderr, flush=True)


def in_turns(title: str, peers: dict[str, Callable[[int], object]], repetitions: int) -> dict[str, list]:
    """What every peer returns for every repetition, called in turns: A B C A B C.

    So whatever else the machine does meanwhile, and its temperature, meets all of them.
    """
    results: dict[str, list] = {name: [] for name in peers}
    for repetition in range(repetitions):
        for name, call in peers.items():
            started = time.perf_counter()
            results[name].append(call(repetition))
            say(f"{title}, repetition {repetition + 1} of {repetitions}, {name}: {time.perf_counter() - started:.2f} s")
    return results


def fastest(title: str, candidates: dict, turns: int = 2):
    """The key of `candidates` whose call returns the fewest seconds in one of its turns.

    More turns than one, as whatever comes first also fills the caches for the others.
    """
    seconds = in_turns(title, candidates, turns)
    return min(seconds, key=lambda name: min(seconds[name]))


def timed(call: Callable[[], object]) -> float:
    """The seconds that `call` takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def in_fresh_process(function: Callable, *arguments):
    """What `function` returns in a new process, which has imported and computed nothing yet."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(_with_threads, _threads(), function, *arguments).result()


def peak_memory(function: Callable, *arguments) -> int:
    """The peak memory, in bytes, of a new process that calls `function`; on a GPU that of its tensors."""
    return in_fresh_process(_peak_after, function, *arguments)


def added_memory(call: Callable[[], object]) -> int:
    """The bytes that `call` takes at its peak beside what this process holds.

    Where the peak so far cannot be forgotten (outside Linux), a call that stays below it takes 0.
    """
    return_freed_memory()
    forget = Path("/proc/self/clear_refs")
    if forget.exists():
        forget.write_text("5")  # sets the peak to what is resident now
    before = peak_memory_bytes()
    call()
    return peak_memory_bytes() - before


def _threads() -> int:
    import torch

    return torch.get_num_threads()


def _with_threads(threads: int, function: Callable, *arguments):
    import torch

    torch.set_num_threads(threads)
    return function(*arguments)


def _peak_after(function: Callable, *arguments) -> int:
    import torch

    function(*arguments)
    return torch.cuda.max_memory_allocated() if torch.cuda.is_available() else peak_memory_bytes()


def matmul_rate(compute: Compute, seconds: float = 0.5) -> float:
    """Floating-point operations a second of the fastest of several large matrix products.

    In the precision of `compute`; each product is repeated for `seconds`, and the fastest repetition counts.
    """
    import torch

    dtype = torch.bfloat16 if compute.precision == "bf16" else torch.float32
    at_once = 32 if compute.device == "cuda" else 1  # products between two looks: a GPU is waited for at each
    best = 0.0
    for rows, inner, columns in ((2048, 2048, 2048), (4096, 4096, 4096), (8192, 1536, 1536)):
        x, weight = (torch.randn(n, inner, dtype=dtype, device=compute.device) for n in (rows, columns))
        started, stamps = time.perf_counter(), []
        while len(stamps) < 3 or stamps[-1] - started < seconds:
            products = [torch.nn.functional.linear(x, weight) for _ in range(at_once)]
            float(products[-1][0, 0])  # reading a number waits for a GPU
            stamps.append(time.perf_counter())
        fastest = min(after - before for before, after in pairwise(stamps))
        best = max(best, at_once * 2 * rows * inner * columns / fastest)
    return best


def exponent(points: Sequence[tuple[float, float]]) -> float:
    """The e of cost ~ size ** e that fits the (size, cost) points best: least squares on logarithms."""
    sizes, costs = np.log(np.array(points, float)).T
    return float(np.polyfit(sizes, costs, 1)[0])
