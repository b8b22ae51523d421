"""Measuring latency in randomised complete blocks: every block has every arm once, each in a fresh process."""

import multiprocessing
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from stilts_core.errors import StudyError
from stilts_core.storage.environment import environment, limit_threads
from stilts_core.studies.latency_process import LatencyRequest, measure_request
from stilts_core.studies.protocol import Protocol
from stilts_core.studies.results import FACTOR, StudyTable, make_frame

FACTORS = ("batch", "length")
_LOADED = [
    "transformers.models.auto.modeling_auto",
    "transformers.models.bert.modeling_bert",
    "stilts_core.encoders.packed",
    "stilts_core.studies.latency_process",
]


Measure = Callable[[LatencyRequest], Mapping[str, float]]


def run_process(request: LatencyRequest) -> dict[str, float]:
    """Measure in a fresh process, forked from a server that has loaded the libraries and computed nothing.

    The server starts with pinned threads, because libraries read them when they are loaded. Raises StudyError if the
    measurement fails.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(_LOADED)
    try:
        with (
            environment(limit_threads(request.threads)),
            ProcessPoolExecutor(1, mp_context=context) as pool,
        ):
            return pool.submit(measure_request, request).result()
    except Exception as error:
        raise StudyError(f"measuring {request.arm} on {request.folder} failed: {error}") from error


def block_orders(arms: list[str], blocks: int, seed: int) -> list[list[str]]:
    """Return the order of the arms in every block: an independent random permutation for each.

    With more than two arms a fixed or mirrored order would confound arm and place.
    """
    rng = np.random.default_rng(seed)
    return [[arms[place] for place in rng.permutation(len(arms))] for _ in range(blocks)]


def measure_blocks(
    protocol: Protocol,
    folders: Mapping[tuple[str, str], Path],
    *,
    measure: Measure = run_process,
    seed: int = 0,
    provenance: Mapping[str, Any] | None = None,
) -> StudyTable:
    """Measure all blocks of a protocol and return the table; its column `seed` numbers the blocks.

    `folders` has the trained encoder of every (arm, encoder). The encoders take turns over the blocks. Every block adds
    the control a second time and the positive control. Raises StudyError for a missing folder or a failed process.
    """
    plan, control = protocol.latency, protocol.primary.control
    if plan is None:
        raise StudyError(f"protocol {protocol.name} has no table [latency]; add it")
    measured = {name: name for name in protocol.arms} | {plan.again: control, plan.positive_control: control}
    needed = [(arm, encoder) for arm in protocol.arms for encoder in protocol.encoders]
    if missing := [pair for pair in needed if pair not in folders]:
        arm, encoder = missing[0]
        raise StudyError(f"no trained encoder of arm {arm!r} on {encoder}; run `stilts study {protocol.name}` again")
    rows: list[dict[str, Any]] = []
    for condition, (batch, length) in enumerate((b, n) for b in plan.batch_sizes for n in plan.lengths):
        for block, order in enumerate(block_orders(list(measured), plan.blocks, seed + condition)):
            encoder = protocol.encoders[block % len(protocol.encoders)]
            for arm in order:
                folder = folders[measured[arm], encoder]
                extra = arm == plan.positive_control
                request = LatencyRequest(arm, folder, batch, length, plan.seconds, plan.threads, block, extra)
                shared = {
                    "run": f"{arm}-{encoder}-{block}-{batch}-{length}",
                    "arm": arm,
                    "encoder": encoder,
                    "seed": block,
                    "target": protocol.primary.target,
                    "language": "en",
                    "n": 0,
                    FACTOR + "batch": str(batch),
                    FACTOR + "length": str(length),
                }
                rows += [shared | {"metric": name, "score": value} for name, value in measure(request).items()]
    facts = {"study": protocol.name, "digest": protocol.digest, "seed": seed} | dict(provenance or {})
    return StudyTable(make_frame(rows, list(FACTORS)), facts)
