"""What every head offers the training loop and the evaluation."""

from typing import Any

import torch
from torch import nn

from stilts_core.families.batches import Batch


class Head(nn.Module):
    """The layers on top of the encoder that one task owns.

    `per_sequence` says whether an output belongs to a whole sequence, (sequences, k), or to a sub-word,
    (sequences, length, k). `contrastive` says that the loss compares the features of a step with each other (in-batch
    negatives): training then collects the outputs of the whole step and calls `contrastive_loss` instead of `loss`.
    `layer` is the hidden state that the head uses, None for the last.

    `apart` says that the head's own gradient is clipped apart from that of encoder and other heads: how well an
    adversary learns then changes nothing in how the encoder is trained on its task. `right` is the number of right
    answers in the batch of which `loss` was last computed, for a head that counts them.
    """

    per_sequence = True
    contrastive = False
    apart = False
    layer: int | None = None
    right: torch.Tensor | None = None

    def count_flops(self, batch: Batch) -> float:
        """The floating-point operations of a forward pass of the head alone; only the masked-LM head counts them."""
        return 0.0

    def prepare(self, batch: Batch, seed: tuple[int, ...]) -> Batch:
        """The batch as the encoder sees it in training. Its randomness depends on the seed and the sequence only."""
        return batch

    def count_terms(self, batch: Batch) -> int:
        """The number of terms that `loss` sums for this batch: dividing by it gives the mean loss."""
        return len(batch.features)

    def used_positions(self, batch: Batch) -> torch.Tensor | None:
        """The flat positions in (sequences, length), ascending, whose hidden states the head uses; None for all."""
        return None

    def forward(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Outputs for hidden states (sequences, length, hidden size)."""
        raise NotImplementedError

    def loss(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        """The summed loss of the batch, a scalar in fp32."""
        raise NotImplementedError

    def weighted_loss(self, hidden: torch.Tensor, batch: Batch, weight: float) -> torch.Tensor:
        """The loss of a head that stands beside a task: its value is `loss`, and its gradient `weight` times as large.

        An adversary weighs only the gradient that flows into the encoder, and turns it around.
        """
        return scale_gradient(self.loss(hidden, batch), weight)

    def contrastive_loss(self, outputs: torch.Tensor, targets: dict[str, torch.Tensor]) -> torch.Tensor:
        """The summed loss of a whole step from the outputs for all its sequences, a scalar in fp32."""
        raise NotImplementedError


class _Scale(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, value: torch.Tensor, weight: float) -> torch.Tensor:
        ctx.weight = weight
        return value.view_as(value)

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        return gradient * ctx.weight, None


def scale_gradient(value: torch.Tensor, weight: float) -> torch.Tensor:
    """The same tensor; the gradient that flows back is multiplied by `weight`."""
    return value if weight == 1 else _Scale.apply(value, weight)


def initialise(layer: nn.Linear, std: float = 0.02) -> nn.Linear:
    """Initialise a linear layer as BERT and RoBERTa do: normal weights, zero bias."""
    nn.init.normal_(layer.weight, std=std)
    nn.init.zeros_(layer.bias)
    return layer


def mean_pool(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The mean over the real sub-words of each sequence, special tokens included: (sequences, hidden size), fp32."""
    weights = mask.unsqueeze(-1).float()
    return (hidden.float() * weights).sum(1) / weights.sum(1)
