"""Packed batches: the sub-words of all sequences in one row, without padding, (sub-words, hidden size).

A transformer computes everything but attention for each sub-word alone, so only attention needs to know where a
sequence ends. transformers' own layers learn this through `AttentionInterface`; on a CPU, `cpu.layer` is faster.
"""

from functools import cached_property

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface

ATTENTION = "stilts_packed"  # the name under which transformers knows our attention


class Packing:
    """Where the sub-words of a padded batch lie in the packed batch.

    `mask` is (sequences, length), true where there is a sub-word; every sequence begins in the first column.
    `flat_positions` (sub-words,) are the positions of the sub-words in the flattened padded batch, ascending; without
    them they are computed from `mask`, which makes the host wait for a GPU. A packed tensor is (sub-words, ...), a
    padded tensor (sequences, length, ...).
    """

    def __init__(self, mask: torch.Tensor, flat_positions: torch.Tensor | None = None) -> None:
        self.mask = mask
        self.flat_positions = mask.flatten().nonzero().squeeze(1) if flat_positions is None else flat_positions

    @cached_property
    def lengths(self) -> torch.Tensor:
        """(sequences,) number of sub-words in each sequence."""
        return self.mask.sum(1)

    @cached_property
    def sources(self) -> torch.Tensor:
        """(sequences x length,) the sub-word at each position of the padded batch; any sub-word in the padding."""
        sources = torch.zeros(self.mask.numel(), dtype=torch.int64, device=self.mask.device)
        sub_words = torch.arange(len(self.flat_positions), device=self.mask.device)
        return sources.index_copy(0, self.flat_positions, sub_words)

    @cached_property
    def full(self) -> bool:
        """Whether the batch has no padding."""
        return len(self.flat_positions) == self.mask.numel()

    @cached_property
    def starts(self) -> torch.Tensor:
        """(sequences + 1,) int32: where each sequence begins in a packed tensor, and where the last one ends."""
        return torch.nn.functional.pad(self.lengths.cumsum(0), (1, 0)).int()

    @cached_property
    def columns(self) -> torch.Tensor:
        """(sub-words,) the column of each sub-word: its position in its sequence, from 0."""
        return self.flat_positions % self.mask.shape[1]

    @cached_property
    def key_bias(self) -> torch.Tensor:
        """(sequences, 1, length) fp32, added to the scores of attention: 0 for a sub-word, -inf for padding."""
        return torch.zeros(self.mask.shape).masked_fill_(~self.mask, -torch.inf).unsqueeze(1)

    def pack(self, padded: torch.Tensor) -> torch.Tensor:
        """Remove the padding of a padded tensor. A batch without padding is not copied."""
        rows = padded.flatten(0, 1)
        return rows if self.full else rows.index_select(0, self.flat_positions)

    def pad(self, packed: torch.Tensor) -> torch.Tensor:
        """Restore the padding of a packed tensor, filled with zeros. A batch without padding is not copied."""
        shape = *self.mask.shape, *packed.shape[1:]
        if self.full:
            return packed.view(shape)
        padded = packed.new_zeros((self.mask.numel(), *packed.shape[1:]))
        return padded.index_copy(0, self.flat_positions, packed).view(shape)


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: None,
    *,
    packing: Packing,
    scaling: float,
    dropout: float = 0.0,
    **_: object,
) -> tuple[torch.Tensor, None]:
    """Attention within each sequence of a packed batch, in the form that transformers calls.

    `query`, `key` and `value` are (1, heads, sub-words, head size). Returns (1, sub-words, heads, head size). A GPU
    computes on the packed tensors. With dropout, which the GPU's kernel lacks, in fp32, and on other devices, attention
    is computed on padded tensors.
    """
    q, k, v = (tensor[0].transpose(0, 1) for tensor in (query, key, value))
    if q.is_cuda and not dropout and q.dtype != torch.float32:
        from torch.nn.attention.varlen import varlen_attn

        longest = packing.mask.shape[1]
        attended = varlen_attn(q, k, v, packing.starts, packing.starts, longest, longest, scale=scaling)
        assert isinstance(attended, torch.Tensor)
        return attended[None], None
    q, k, v = (packing.pad(tensor).transpose(1, 2) for tensor in (q, k, v))
    mask = None if packing.full else packing.mask[:, None, None, :]
    context = scaled_dot_product_attention(q, k, v, attn_mask=mask, dropout_p=dropout, scale=scaling)
    return packing.pack(context.transpose(1, 2))[None], None


AttentionInterface.register(ATTENTION, packed_attention)
