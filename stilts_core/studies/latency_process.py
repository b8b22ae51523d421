"""One measurement of inference, in a process of its own (see `latency_blocks.run_process`)."""

import copy
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np

if TYPE_CHECKING:
    from transformers import BertModel

    from stilts_core.encoders.encoder import Encoder

WARM_UP = 3  # passes before the clock starts: the first ones build kernels and fill caches


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


def measure_request(request: LatencyRequest) -> dict[str, float]:
    """Measure on as many cores as there are threads, the last ones that this process may use."""
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[-request.threads :])
    import torch

    from stilts_core.encoders.encoder import read_encoder

    torch.set_num_threads(request.threads)
    encoder = read_encoder(request.folder, dropout=0.0)
    if request.extra_layer:
        add_layer(encoder)
    return measure(encoder, request.batch, request.length, request.seconds, request.seed)


def measure(encoder: "Encoder", batch: int, length: int, seconds: float, seed: int = 0) -> dict[str, float]:
    """Return the times of forward passes over `batch` random inputs of `length` sub-words, for at least `seconds`.

    `processor_seconds` and `wall_seconds` are those of one input; `p50_ms`, `p90_ms` and `p99_ms` are quantiles of the
    wall time of one pass.
    """
    import torch

    rng = np.random.default_rng(seed)
    ids = torch.from_numpy(rng.integers(5, encoder.vocabulary_size, (batch, length)))
    mask = torch.ones(batch, length, dtype=torch.bool)
    passes = []
    encoder.model.eval()
    with torch.inference_mode():
        for _ in range(WARM_UP):
            encoder.hidden(ids, mask)
        wall, processor = time.perf_counter(), time.process_time()
        while time.process_time() - processor < seconds:
            begun = time.perf_counter()
            encoder.hidden(ids, mask)
            passes.append(time.perf_counter() - begun)
        processor, wall = time.process_time() - processor, time.perf_counter() - wall
    inputs = batch * len(passes)
    quantiles = 1000 * np.quantile(passes, [0.5, 0.9, 0.99])
    return {
        "processor_seconds": processor / inputs,
        "wall_seconds": wall / inputs,
        "inputs_per_second": inputs / wall,
        "subwords_per_second": inputs * length / wall,
        **dict(zip(("p50_ms", "p90_ms", "p99_ms"), quantiles.tolist(), strict=True)),
    }


def add_layer(encoder: "Encoder") -> None:
    """Give the encoder a copy of its last layer on top: the positive control, which must take longer.

    The number of layers rises, too, because a forward pass stops at it.
    """
    layers = cast("BertModel", encoder.model).encoder.layer
    layers.append(copy.deepcopy(layers[-1]))
    encoder.layers += 1
    encoder.model.config.num_hidden_layers += 1
