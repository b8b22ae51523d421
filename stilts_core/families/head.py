"""What every family's head offers the training loop and the evaluation."""

import torch
from torch import nn

from stilts_core.batching import Batch


class Head(nn.Module):
    """The layers on top of the encoder that one task owns.

    `rows` is True where outputs belong to whole sequences, (sequences, k), and False where they belong to their
    sub-words, (sequences, length, k). `couples` is True where the loss compares the features of a step with each other
    and needs the outputs of all of them at once: then training calls `coupled_loss` instead of `loss`. `layer` is the
    hidden state that the head reads, None for the last.
    """

    rows = True
    couples = False
    layer: int | None = None

    def prepare(self, batch: Batch, seed: tuple[int, ...]) -> Batch:
        """The batch that the encoder shall see in training; what is random in it is a function of seed and sequence."""
        return batch

    def count(self, batch: Batch) -> int:
        """How many terms `loss` sums for this batch: the divisor that makes the mean."""
        return len(batch.features)

    def reads(self, batch: Batch) -> torch.Tensor | None:
        """The places in the padded batch, ascending, whose hidden states the head reads; None for all."""
        return None

    def forward(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        """Outputs for hidden states (sequences, length, hidden size)."""
        raise NotImplementedError

    def loss(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        """The summed loss of the batch, a scalar in fp32."""
        raise NotImplementedError


def initialise(layer: nn.Linear, std: float = 0.02) -> nn.Linear:
    """A linear layer as BERT and RoBERTa initialise theirs: normal weights, zero bias."""
    nn.init.normal_(layer.weight, std=std)
    nn.init.zeros_(layer.bias)
    return layer


def mean_pool(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The mean over the real sub-words of each sequence, special tokens included: (sequences, hidden size), fp32."""
    weights = mask.unsqueeze(-1).float()
    return (hidden.float() * weights).sum(1) / weights.sum(1)
