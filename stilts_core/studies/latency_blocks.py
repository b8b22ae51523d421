"""Measuring latency in randomised complete blocks: every block has every arm once, each in a fresh process."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from stilts_core.errors import StudyError
from stilts_core.studies.protocol import Protocol
from stilts_core.studies.results import FACTOR, StudyTable, make_frame

FACTORS = ("batch", "length")
_LIBRARIES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


@dataclass(frozen=True)
class LatencyRequest:
    """One measurement: an arm's encoder folder, the sizes, and the seed of the inputs, which all arms of a block share.

    `extra_layer`: one layer more is computed.
    """

    arm: str
    folder: Path
    batch: int
    length: int
    seconds: float
    threads: int
    seed: int
    extra_layer: bool = False


Measure = Callable[[LatencyRequest], Mapping[str, float]]


def run_process(request: LatencyRequest) -> dict[str, float]:
    """Measure in a fresh process. Raises StudyError with the last lines that it printed if it fails."""
    options = ["--batch", request.batch, "--length", request.length, "--seconds", request.seconds]
    options += ["--threads", request.threads, "--seed", request.seed]
    command = [sys.executable, "-m", "stilts_core.studies.latency_process", request.folder, *options]
    command += ["--extra-layer"] * request.extra_layer
    environment = os.environ | dict.fromkeys(_LIBRARIES, str(request.threads))
    done = subprocess.run(list(map(str, command)), env=environment, capture_output=True, text=True)
    if done.returncode:
        lines = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise StudyError(f"measuring {request.arm} on {request.folder} failed; last lines:\n{lines}")
    return json.loads(done.stdout.splitlines()[-1])


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
