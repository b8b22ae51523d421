"""Predict with an encoder and a head."""

import numpy as np
import torch

from stilts_core.batching import Features, collate, within_budget
from stilts_core.encoder import Encoder
from stilts_core.families.head import Head
from stilts_core.training import autocast


@torch.inference_mode()
def predict(
    encoder: Encoder,
    head: Head,
    features: Features,
    *,
    token_budget: int = 16384,
    device: str = "cpu",
    precision: str = "fp32",
) -> np.ndarray:
    """The head's outputs for all features, in their order.

    (sequences, k) where outputs belong to sequences, (tokens, k) where they belong to sub-words. Features are sorted
    by length and batched up to `token_budget` padded sub-words.
    """
    encoder.model.to(device).eval()
    head.to(device).eval()
    outputs = None
    for part in within_budget(features, np.arange(len(features)), token_budget):
        batch = collate(features, part, encoder.tokens.pad).to(device)
        with autocast(device, precision):
            hidden = encoder.hidden(batch.ids, batch.mask, batch.types, layer=head.layer)
            values = head(hidden, batch)
        values = (values if head.rows else values[batch.mask]).float().cpu().numpy()
        if outputs is None:
            size = len(features.starts) - 1 if head.rows else len(features.ids)
            outputs = np.empty((size, values.shape[-1]), np.float32)
        outputs[batch.sequences if head.rows else _tokens_of(features, batch.sequences)] = values
    return outputs if outputs is not None else np.zeros((0, 1), np.float32)


def _tokens_of(features: Features, sequences: np.ndarray) -> np.ndarray:
    """Positions in `features.ids` of the sub-words of `sequences`, one after the other."""
    starts, lengths = features.starts[sequences], np.diff(features.starts)[sequences]
    before = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    return np.repeat(starts - before, lengths) + np.arange(lengths.sum())
