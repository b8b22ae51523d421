"""The whole benchmark: it measures workloads one after the other, and writes the result with its provenance."""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from importlib import metadata
from pathlib import Path

from stilts_core.bench.evaluation import measure_evaluation
from stilts_core.bench.figures import MeasuredFigures
from stilts_core.bench.growth import measure_growth
from stilts_core.bench.measurement import Options, report_progress
from stilts_core.bench.random_encoder import LARGE, create_random_encoder
from stilts_core.bench.retrieval import measure_mining, measure_tatoeba
from stilts_core.bench.startup import measure_startup
from stilts_core.bench.sweep_growth import measure_sweep
from stilts_core.bench.training import measure_training
from stilts_core.bench.workloads import WORKLOADS, Kind, Workload
from stilts_core.config import RunConfig
from stilts_core.encoders.files import fingerprint_encoder
from stilts_core.errors import BenchError
from stilts_core.runs.encoders import load_tokenizer, resolve_encoder
from stilts_core.storage.atomic import write_whole
from stilts_core.training.compute import Compute
from stilts_core.training.machine import environment, now

PROVENANCE = "provenance"
MEASUREMENTS: dict[Kind, Callable[[Workload, Options], MeasuredFigures]] = {
    "training": measure_training,
    "evaluation": measure_evaluation,
    "mining": measure_mining,
    "tatoeba": measure_tatoeba,
    "startup": measure_startup,
    "growth": measure_growth,
    "sweep": measure_sweep,
}
PEER_PACKAGES = ("accelerate", "faiss-cpu")


def run_benchmark(workloads: Sequence[Workload], options: Options, path: Path | None = None) -> dict[str, dict]:
    """Measure the workloads; the result is workload -> measure -> peer -> figures, with the provenance of each.

    The result is written to `path` after every workload. Other workloads that the file already has stay in it.
    """
    result: dict[str, dict] = json.loads(path.read_text(encoding="utf-8")) if path and path.exists() else {}
    for workload in workloads:
        report_progress(f"{workload.name}: {workload.title}")
        started = now()
        chosen = replace(options, encoder=str(create_random_encoder(LARGE))) if workload.large else options
        result[workload.name] = MEASUREMENTS[workload.kind](workload, chosen)
        result.setdefault(PROVENANCE, {})[workload.name] = describe_provenance(workload, chosen, started)
        if path:
            write_whole(path, json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False) + "\n")
    return result


def select_workloads(options: Options) -> list[Workload]:
    """All workloads that suit this machine; large encoders are measured only on a GPU."""
    return [row for row in WORKLOADS.values() if options.compute.device == "cuda" or not row.large]


def describe_provenance(workload: Workload, options: Options, started: str) -> dict[str, object]:
    """The provenance of the figures of one workload: times, machine, versions, encoder, sizes, seeds."""
    sizes = {name: value for name, value in asdict(workload).items() if isinstance(value, int | str)}
    return {
        "started": started,
        "finished": now(),
        "environment": environment(options.compute),
        "peer_packages": {name: _find_version(name) for name in PEER_PACKAGES},
        "encoder": {"name": options.encoder, "fingerprint": fingerprint_encoder(resolve_encoder(options.encoder))},
        "workload": sizes,
        "reduced": workload != WORKLOADS[workload.name],
        "repetitions": options.repetitions,
        "seeds": list(range(options.seeds)),
    }


def _find_version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def make_options(encoder: str, repetitions: int, seeds: int, runs_dir: Path) -> Options:
    """The options of a benchmark on this machine.

    Raises BenchError if the peers' packages are missing, and EncoderError for an encoder that cannot be loaded.
    """
    if missing := [name for name in PEER_PACKAGES if _find_version(name) is None]:
        raise BenchError(
            f"packages of the peers are missing: {', '.join(missing)}; "
            "run `make bench`, or `pip install 'stilts-core[bench]'`"
        )
    load_tokenizer(encoder)
    compute = Compute.from_config(RunConfig(profile="small", quiet=True).resolved())
    return Options(encoder, repetitions, seeds, compute, runs_dir)
