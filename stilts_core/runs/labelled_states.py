"""Hidden states with labels: what transferability scores compare of an intermediate task and a target."""

import numpy as np
import torch

from stilts_core.config import RunConfig
from stilts_core.encoders.encoder import Encoder
from stilts_core.errors import StudyError
from stilts_core.families.batches import Batch
from stilts_core.families.features import IGNORE, Features
from stilts_core.families.head import Head, mean_pool
from stilts_core.runs.inputs import target_inputs
from stilts_core.runs.pipeline import intermediate_result
from stilts_core.runs.prediction import predict
from stilts_core.runs.preparation import prepare_task
from stilts_core.training.compute import Compute


class _States(Head):
    """No layers: the mean over a sequence's sub-words, or the sub-words themselves."""

    def __init__(self, per_sequence: bool) -> None:
        super().__init__()
        self.per_sequence = per_sequence

    def forward(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        return mean_pool(hidden, batch.mask) if self.per_sequence else hidden.float()


def labelled_states(config: RunConfig, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return states (n, d) and labels (n,) of at most `most` labelled English training items of the run's target.

    The encoder is the one after the intermediate phases, which are reused if they are finished. An item is a pair of
    texts, a context with one of its choices (the label says whether it is the right one), or a word. Raises StudyError
    for a target whose items have no such label.
    """
    resolved = config.resolved()
    inputs = target_inputs(resolved).training
    if inputs is None or inputs.train.task.family not in ("pair", "choice", "tagging"):
        raise StudyError(f"items of {resolved.target} have no single label; choose a pair, choice or tagging target")
    encoder = intermediate_result(resolved)
    task = prepare_task(resolved.target, inputs.train.read().items, [], resolved, encoder)
    return _states(encoder, task.train, most, Compute.from_config(resolved))


def _states(encoder: Encoder, features: Features, most: int, compute: Compute) -> tuple[np.ndarray, np.ndarray]:
    per_token = "tag" in features.token_targets
    states = predict(encoder, _States(not per_token), features, compute)
    if per_token:
        labels = features.token_targets["tag"]
        return states[labels != IGNORE][:most], labels[labels != IGNORE][:most]
    labels, counts = features.targets["label"], np.diff(features.first)
    if counts.max() > 1:  # one sequence for each choice
        right = np.concatenate([np.arange(count) == label for count, label in zip(counts, labels, strict=True)])
        labels = right.astype(int)
    return states[:most], labels[:most]
