"""How many floating-point operations a second a GPU or a core does: given, measured, or assumed.

A rate is what training keeps up, not what a maker states as the peak.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from stilts_core.bench.workloads import WORKLOADS
from stilts_core.config import ResolvedConfig
from stilts_core.encoders.sizes import XLMR_LARGE, EncoderSizes
from stilts_core.errors import EncoderError, RecordError
from stilts_core.runs.encoders import read_sizes
from stilts_core.runs.record import RECORD, Record, read_record
from stilts_core.tasks.part_facts import input_lengths
from stilts_core.workflow.forecast.work import PUBLISHED_DATA, Work

GPU, CORE = "GPU", "core"
# Round numbers that nobody measured here, where there is nothing better: about a third of the 312 TFLOP/s in bf16 that
# NVIDIA's data sheet states as the peak of an A100, and its 1.6 TB/s of memory.
ASSUMED_TFLOPS = 100.0
ASSUMED_BANDWIDTH = 1.5e12  # bytes a second
STEP_BYTES = 28  # a parameter: AdamW reads weight, gradient and two moments, and writes all but the gradient, in fp32
GPU_PARAMETERS = 200e6  # an encoder with more parameters is planned on GPUs, unless the configuration says otherwise


BENCH = "bench.json"  # the file of `stilts bench` among the book's results


class Rate(NamedTuple):
    """Operations a second of one `worker` (GPU or CORE), where the rate is from, and its range if it was measured.

    `step_seconds` is what an optimiser step takes beside them; 0 for a measured rate, which has it already.
    """

    flops: float
    worker: str
    source: str
    measured: bool
    low: float
    high: float
    step_seconds: float = 0.0

    def seconds(self, work: Work) -> float:
        """The seconds that one worker takes for a piece of work."""
        return work.flops / self.flops + work.steps * self.step_seconds

    @property
    def text(self) -> str:
        """The rate in words."""
        digits = 0 if self.flops >= 1e13 else 3 if self.flops < 1e12 else 1
        beside = f" and {1000 * self.step_seconds:.3g} ms an optimiser step" if self.step_seconds else ""
        return f"{self.flops / 1e12:,.{digits}f} TFLOP/s a {self.worker}{beside}, {self.source}"


class GivenRate(NamedTuple):
    """What a user states of a worker: its TFLOP/s, and the milliseconds that an optimiser step takes beside them."""

    tflops: float | None = None
    step_ms: float | None = None


NOT_GIVEN = GivenRate()


def choose_rate(
    config: ResolvedConfig, given: GivenRate = NOT_GIVEN, records: Sequence[Record] = (), bench: Path | None = None
) -> Rate | None:
    """The rate of a grid's workers.

    That is the given one; else that of the `records` with an encoder of the same sizes; else that of the
    benchmark in the file `bench`, if it was measured on such a worker; else for GPUs an assumed one. None for cores
    that nothing was measured on.
    """
    sizes = read_sizes(config.encoder)
    on_gpu = config.device == "cuda" or (config.device == "auto" and sizes.parameters > GPU_PARAMETERS)
    worker = GPU if on_gpu else CORE
    if given.tflops is None:
        rate = _recorded_rate(records, sizes, worker) or (_benchmark_rate(bench, worker) if bench else None)
        if rate or not on_gpu:
            return rate
    flops = (given.tflops or ASSUMED_TFLOPS) * 1e12
    source = "given, not measured" if given.tflops else "assumed, not measured"
    update = STEP_BYTES * sizes.parameters / ASSUMED_BANDWIDTH if on_gpu else 0.0
    seconds = update if given.step_ms is None else given.step_ms / 1000
    return Rate(flops, worker, source, False, flops, flops, seconds)


def readable_runs(runs_dir: Path, profile: str) -> list[Record]:
    """The records of a profile's runs; those that cannot be read are left out."""
    records = []
    for path in sorted(runs_dir.glob(f"{profile}/*/{RECORD}")):
        with suppress(RecordError, OSError):
            records.append(read_record(path))
    return records


def _recorded_rate(records: Sequence[Record], sizes: EncoderSizes, worker: str) -> Rate | None:
    """The rate of recorded runs as wholes, with reading, scoring and writing; None without such runs."""
    rates, flops, seconds = [], 0.0, 0.0
    for record in records:
        same = (record.encoder.layers, record.encoder.hidden_size) == (sizes.layers, sizes.hidden_size)
        on_gpu = record.environment.device != "cpu"
        spent = record.cost.seconds * record.environment.processes if on_gpu else record.cost.processor_seconds
        if same and on_gpu == (worker == GPU) and spent and record.cost.flops:
            flops, seconds = flops + record.cost.flops, seconds + spent
            rates.append(record.cost.flops / spent)
    if not rates:
        return None
    source = f"measured in {len(rates)} recorded runs as wholes"
    return Rate(flops / seconds, worker, source, True, min(rates), max(rates))


def _benchmark_rate(path: Path, worker: str) -> Rate | None:
    """The median rate of the benchmark's training workloads; None if the file has none on such a worker."""
    try:
        rates = read_benchmark_rates(json.loads(path.read_text(encoding="utf-8")), worker)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RecursionError):  # none, or of another form
        return None
    if not rates:
        return None
    source = f"measured: the median of {len(rates)} training workloads of `stilts bench`"
    return Rate(median(rates.values()), worker, source, True, min(rates.values()), max(rates.values()))


def read_benchmark_rates(result: Mapping[str, Any], worker: str) -> dict[str, float]:
    """The operations a second of one worker in each training workload that was measured on such workers.

    Raises an error of one of many kinds for a result of another form.
    """
    rates = {}
    for name, facts in result["provenance"].items():
        machine, workload = facts["environment"], WORKLOADS.get(name)
        if facts["reduced"] or workload is None or workload.kind != "training":
            continue
        if (machine["device"] != "cpu") != (worker == GPU):
            continue
        try:
            sizes = XLMR_LARGE if workload.large else read_sizes(facts["encoder"]["name"])
        except EncoderError:  # a folder of another machine
            continue
        entry = next(iter(result[name]["tokens_per_second"].values()))
        tokens = median(entry["ours"])
        lengths = input_lengths(PUBLISHED_DATA, workload.target, "train", workload.max_length)
        squares = lengths.squares / lengths.sub_words if lengths else 0.0
        workers = machine.get("processes", 1) * (1 if worker == GPU else machine["threads"])
        rates[name] = 3 * sizes.count_flops(tokens, tokens * squares) / workers
    return rates
