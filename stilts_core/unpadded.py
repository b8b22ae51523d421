"""Batches without their padding: the sub-words of all sequences end to end, (sub-words, hidden size).

Everything in a transformer but its attention treats each sub-word alone, so only attention needs to know where a
sequence ends. transformers' own layers learn it through its `AttentionInterface`; on a CPU `cpu_layer` is faster.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

ATTENTION = "stilts_unpadded"  # the name that transformers knows our attention by


@dataclass
class Packing:
    """Where the sub-words of a batch lie once its padding is left out.

    `mask` is (sequences, length), true where there is a sub-word; every sequence begins in the first column. `places`
    (sub-words,) are the places of these in the padded batch, counted row by row. A flat tensor is (sub-words, ...), a
    padded one (sequences, length, ...).
    """

    mask: torch.Tensor
    places: torch.Tensor | None = None

    def __post_init__(self):
        if self.places is None:
            self.places = self.mask.flatten().nonzero().squeeze(1)

    @cached_property
    def lengths(self) -> torch.Tensor:
        """(sequences,) sub-words of each."""
        return self.mask.sum(1)

    @cached_property
    def sources(self) -> torch.Tensor:
        """(sequences x length,) which sub-word stands in each place of the padded batch, in the padding any."""
        sources = torch.zeros(self.mask.numel(), dtype=torch.int64, device=self.mask.device)
        return sources.index_copy(0, self.places, torch.arange(len(self.places), device=self.mask.device))

    @cached_property
    def full(self) -> bool:
        """Whether there is no padding to leave out."""
        return len(self.places) == self.mask.numel()

    @cached_property
    def starts(self) -> torch.Tensor:
        """(sequences + 1,) int32: where each sequence begins in a flat tensor, and where the last one ends."""
        return torch.nn.functional.pad(self.lengths.cumsum(0), (1, 0)).int()

    @cached_property
    def columns(self) -> torch.Tensor:
        """(sub-words,) the column of each: its position within its sequence, from 0."""
        return self.places % self.mask.shape[1]

    @cached_property
    def key_bias(self) -> torch.Tensor:
        """(sequences, 1, length) fp32: what attention's scores are added, 0 where there is a sub-word, else -inf."""
        return torch.zeros(self.mask.shape).masked_fill_(~self.mask, -torch.inf).unsqueeze(1)

    def flatten(self, padded: torch.Tensor) -> torch.Tensor:
        """The sub-words of a padded tensor."""
        rows = padded.flatten(0, 1)
        return rows if self.full else rows.index_select(0, self.places)

    def pad(self, flat: torch.Tensor) -> torch.Tensor:
        """A flat tensor as a padded one, with zeros in the padding."""
        shape = *self.mask.shape, *flat.shape[1:]
        if self.full:
            return flat.view(shape)
        return flat.new_zeros((self.mask.numel(), *flat.shape[1:])).index_copy(0, self.places, flat).view(shape)


def unpadded_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: None,
    *,
    packing: Packing,
    scaling: float,
    dropout: float = 0.0,
    **_,
) -> tuple[torch.Tensor, None]:
    """Attention within each sequence of one flat batch, as transformers calls it.

    `query`, `key` and `value` are (1, heads, sub-words, head size); returns (1, sub-words, heads, head size). A GPU
    computes it on the flat tensors; dropout, which its kernel lacks, and other devices go through padded ones.
    """
    q, k, v = (tensor[0].transpose(0, 1) for tensor in (query, key, value))
    if q.is_cuda and not dropout and q.dtype != torch.float32:
        from torch.nn.attention.varlen import varlen_attn

        longest = packing.mask.shape[1]
        return varlen_attn(q, k, v, packing.starts, packing.starts, longest, longest, scale=scaling)[None], None
    q, k, v = (packing.pad(tensor).transpose(1, 2) for tensor in (q, k, v))
    mask = None if packing.full else packing.mask[:, None, None, :]
    context = scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout, scale=scaling)
    return packing.flatten(context.transpose(1, 2))[None], None


AttentionInterface.register(ATTENTION, unpadded_attention)
