"""What a grid needs besides time: the memory of a training step, and the disk."""

from collections.abc import Sequence
from typing import NamedTuple

from stilts_core.config import ResolvedConfig
from stilts_core.encoders.sizes import EncoderSizes
from stilts_core.families.feature_cache import LIMIT
from stilts_core.training.compute import TRAINING_TOKENS
from stilts_core.workflow.forecast.cost import GridCost
from stilts_core.workflow.forecast.rates import GPU

WEIGHT_BYTES = 4  # a checkpoint between phases is in fp32
RESUME_BYTES = 12  # weights and two moments, from which a phase resumes
# The largest of what 170 runs of the laboratory left, rounded up: the record and the executed notebook of a run, and
# the predictions of an item (answers to questions; tags need 40 bytes, classes 2 to 11).
RECORD_BYTES, PAGE_BYTES, PREDICTION_BYTES = 110_000, 250_000, 50


class Disk(NamedTuple):
    """Bytes on disk. `unfinished` is for each job that is running; `features` is the limit of their cache."""

    encoder: float
    checkpoints: float
    unfinished: float
    features: float
    runs: float

    @property
    def lasting(self) -> float:
        """What is there when no job is running."""
        return self.encoder + self.checkpoints + self.features + self.runs


def training_memory(config: ResolvedConfig, sizes: EncoderSizes, worker: str) -> float:
    """The bytes of a training step at the most: of a GPU, or of a process (see `EncoderSizes.count_training_bytes`)."""
    device = "cuda" if worker == GPU else "cpu"
    tokens = config.token_budget or TRAINING_TOKENS[device]
    return sizes.count_training_bytes(tokens, mixed_precision=worker == GPU and config.precision != "fp32")


def disk_of(cost: GridCost, configs: Sequence[ResolvedConfig]) -> Disk:
    """The disk that a grid needs, without the publishers' data.

    A checkpoint leaves out the embeddings that no example uses, so it is smaller than the whole encoder that is counted
    here.
    """
    weights, runs = WEIGHT_BYTES * cost.sizes.parameters, cost.count("pair")
    kept = runs * weights if any(config.keep_checkpoint for config in configs) else 0.0
    return Disk(
        encoder=weights * max(1, cost.count("pretrain")),
        checkpoints=cost.count("intermediate") * weights + kept,
        unfinished=RESUME_BYTES * cost.sizes.parameters,
        features=LIMIT,
        runs=runs * (RECORD_BYTES + PAGE_BYTES) + PREDICTION_BYTES * cost.work.items,
    )
