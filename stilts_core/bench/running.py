"""The benchmark as a whole: workloads one after the other, a table, and a JSON with provenance."""

import json
from dataclasses import asdict, replace
from importlib import import_module, metadata
from pathlib import Path

from stilts_core.bench.measuring import BenchError, Options, say
from stilts_core.bench.untrained import XLMR_LARGE, untrained
from stilts_core.bench.workloads import WORKLOADS, Workload
from stilts_core.compute import Compute
from stilts_core.config import RunConfig
from stilts_core.encoder import load_tokenizer, resolve_encoder
from stilts_core.records import environment, now
from stilts_core.weights import fingerprint

PROVENANCE = "provenance"
KINDS = {
    "training": "training.measure",
    "evaluation": "evaluating.measure",
    "mining": "retrieving.measure_mining",
    "tatoeba": "retrieving.measure_tatoeba",
    "startup": "startup.measure",
    "growth": "growth.measure",
}
PEER_PACKAGES = ("accelerate", "faiss-cpu")


def benchmark(workloads: list[Workload], options: Options, path: Path | None = None) -> dict:
    """Measure the workloads and return the result: workload -> measure -> peer -> figures, and their provenance.

    `path` is written after every workload; what it holds of other workloads stays.
    """
    result = json.loads(path.read_text(encoding="utf-8")) if path and path.exists() else {}
    for workload in workloads:
        say(f"{workload.name}: {workload.title}")
        module, function = KINDS[workload.kind].split(".")
        measure = getattr(import_module(f"stilts_core.bench.{module}"), function)
        started = now()
        chosen = replace(options, encoder=str(untrained(XLMR_LARGE))) if workload.large else options
        result[workload.name] = measure(workload, chosen)
        result.setdefault(PROVENANCE, {})[workload.name] = provenance(workload, chosen, started)
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(result, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    return result


def fitting(options: Options) -> list[Workload]:
    """All workloads that this machine can be asked to measure: a large encoder wants a GPU."""
    return [row for row in WORKLOADS.values() if options.compute.device == "cuda" or not row.large]


def provenance(workload: Workload, options: Options, started: str) -> dict:
    """Where the figures of one workload come from: machine, versions, encoder, sizes, seeds."""
    sizes = {name: value for name, value in asdict(workload).items() if isinstance(value, int | str)}
    return {
        "started": started,
        "finished": now(),
        "environment": environment(options.compute),
        "peer_packages": {name: _version(name) for name in PEER_PACKAGES},
        "encoder": {"name": options.encoder, "fingerprint": fingerprint(resolve_encoder(options.encoder))},
        "workload": sizes,
        "reduced": workload != WORKLOADS[workload.name],
        "repetitions": options.repetitions,
        "seeds": list(range(options.seeds)),
    }


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def options_of(encoder: str, repetitions: int, seeds: int, runs_dir: Path) -> Options:
    """The options of a benchmark on this machine.

    Raises EncoderError for an encoder that cannot be had, and BenchError where the peers' packages are missing.
    """
    if missing := [name for name in PEER_PACKAGES if _version(name) is None]:
        raise BenchError(f"the peers need {' and '.join(missing)}: make bench, or pip install 'stilts-core[bench]'")
    load_tokenizer(encoder)
    return Options(encoder, repetitions, seeds, Compute.of(RunConfig(profile="small", quiet=True).resolved()), runs_dir)
