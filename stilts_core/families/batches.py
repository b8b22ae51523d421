"""Batches: some features, padded, as the tensors of a forward pass."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from stilts_core.families.features import IGNORE, Features

if TYPE_CHECKING:
    import torch


class EncoderInputs(TypedDict):
    """The arguments of the encoder that come from a batch."""

    ids: "torch.Tensor"
    mask: "torch.Tensor"
    types: "torch.Tensor"
    flat_positions: "torch.Tensor"


@dataclass
class Batch:
    """Some features, padded: the tensors of a forward pass.

    ids, mask, types  (sequences, length); `mask` is true where there is a token
    flat_positions    (tokens,) positions in the flattened `mask` where it is true, ascending
    features          (features,) positions of the batch's features in their Features
    sequences         (sequences,) positions of the batch's sequences in their Features
    sequence_counts   (features,) number of sequences of each feature
    token_targets     name -> (sequences, length)
    targets           name -> (features,)
    """

    ids: "torch.Tensor"
    mask: "torch.Tensor"
    types: "torch.Tensor"
    flat_positions: "torch.Tensor"
    features: np.ndarray
    sequences: np.ndarray
    sequence_counts: np.ndarray
    token_targets: "dict[str, torch.Tensor]"
    targets: "dict[str, torch.Tensor]"

    @property
    def inputs(self) -> EncoderInputs:
        """The encoder's inputs, by the names of its arguments."""
        return {"ids": self.ids, "mask": self.mask, "types": self.types, "flat_positions": self.flat_positions}

    def to(self, device: str) -> "Batch":
        """The same batch with its tensors on `device`."""
        return replace(
            self,
            ids=to_device(self.ids, device),
            mask=to_device(self.mask, device),
            types=to_device(self.types, device),
            flat_positions=to_device(self.flat_positions, device),
            token_targets={name: to_device(tensor, device) for name, tensor in self.token_targets.items()},
            targets={name: to_device(tensor, device) for name, tensor in self.targets.items()},
        )


def to_device(tensor: "torch.Tensor", device: str) -> "torch.Tensor":
    """Copy a tensor of the host to `device`. The host does not wait for a GPU's copy, which needs pinned memory."""
    if device == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


def collate(features: Features, chosen: np.ndarray, pad: int) -> Batch:
    """The chosen features as one batch, padded on the right with the id `pad`; `chosen` are positions in `features`."""
    import torch

    sequence_counts = features.first[chosen + 1] - features.first[chosen]
    sequences = np.concatenate([np.arange(features.first[f], features.first[f + 1]) for f in chosen])
    starts = features.starts[sequences]
    lengths = features.starts[sequences + 1] - starts
    offsets = np.arange(lengths.max())
    mask = offsets < lengths[:, None]
    source = np.where(mask, starts[:, None] + offsets, 0)

    def pad_column(column: np.ndarray, fill: int) -> "torch.Tensor":
        return torch.from_numpy(np.where(mask, column[source], fill).astype(np.int64))

    return Batch(
        ids=pad_column(features.ids, pad),
        mask=torch.from_numpy(mask),
        types=pad_column(features.types, 0),
        flat_positions=torch.from_numpy(np.flatnonzero(mask)),
        features=chosen,
        sequences=sequences,
        sequence_counts=sequence_counts,
        token_targets={name: pad_column(column, IGNORE) for name, column in features.token_targets.items()},
        targets={name: torch.from_numpy(column[chosen]) for name, column in features.targets.items()},
    )
