"""Models of transformers, as oracles for the loss of a head and for all gradients."""

import numpy as np
import torch

from stilts_core.encoders.encoder import Encoder
from stilts_core.families.batches import Batch, collate
from stilts_core.families.features import Features
from stilts_core.families.head import Head


def whole_batch(features: Features, encoder: Encoder) -> Batch:
    """All features as one batch."""
    return collate(features, np.arange(len(features)), encoder.tokenizer.pad)


def inputs(batch: Batch) -> dict[str, torch.Tensor]:
    """A batch as arguments of a model of transformers."""
    return {"input_ids": batch.ids, "attention_mask": batch.mask.long(), "token_type_ids": batch.types}


def peer(auto, encoder: Encoder, head: Head, layers: dict[str, str], **settings):
    """The model of transformers with the same weights; `layers` maps names of the head's layers to its names."""
    settings |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    model = auto.from_pretrained(encoder.folder, **settings).eval()
    for ours, theirs in layers.items():
        model.get_submodule(theirs).load_state_dict(head.get_submodule(ours).state_dict())
    return model


def assert_same_step(encoder: Encoder, head: Head, batch: Batch, model, loss, layers: dict[str, str]) -> None:
    """Assert that the mean loss of `batch`, and its gradients in encoder and head, equal those of the peer."""
    mean = head.loss(encoder.hidden(**batch.inputs), batch) / head.count_terms(batch)
    torch.testing.assert_close(mean, loss)
    mean.backward()
    loss.backward()
    pairs = [(encoder.model, model.base_model)]
    pairs += [(head.get_submodule(ours), model.get_submodule(theirs)) for ours, theirs in layers.items()]
    for ours, theirs in pairs:
        for name, parameter in ours.named_parameters():
            torch.testing.assert_close(parameter.grad, theirs.get_parameter(name).grad, rtol=1e-4, atol=1e-6)
