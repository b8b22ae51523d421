"""Attention in PyTorch's operations, with its backward pass: batched matrix products over all heads and sequences."""

import torch
from torch import Tensor

from stilts_core.encoders.cpu.dropout import apply_dropout, draw_attention_mask
from stilts_core.encoders.packing import Packing

CACHE_ELEMENTS = 2**18  # attention weights computed together: 1 MiB in fp32, so they stay in a core's cache
aten = torch.ops.aten


def split_heads(packed: Tensor, packing: Packing, heads: int) -> Tensor:
    """(sub-words, heads x size) as (heads, sequences, length, size), contiguous. The padding holds any values."""
    padded = packed if packing.full else packed.index_select(0, packing.sources)
    return padded.view(*packing.mask.shape, heads, -1).permute(2, 0, 1, 3).contiguous()


def join_heads(by_head: Tensor, packing: Packing) -> Tensor:
    """(heads, sequences, length, size) as (sub-words, heads x size)."""
    return packing.pack(by_head.permute(1, 2, 0, 3).flatten(2))


def attend(qkv: Tensor, packing: Packing, dropout: float, seed: int) -> tuple[Tensor, Tensor, Tensor | None]:
    """Compute attention. Returns its output by head, its weights, and dropout's mask of the weights (None: no dropout).

    `qkv` holds the queries of all heads, then their keys, then their values: (3 x heads, sequences, length, size). The
    weights are (heads x sequences, length, length).
    """
    heads, sequences, length, size = qkv.shape[0] // 3, *qkv.shape[1:]
    query, key, value = qkv.view(3, -1, length, size)
    bias = None if packing.full else packing.key_bias.repeat(heads, 1, 1)
    weights = qkv.new_empty(heads * sequences, length, length)
    out = torch.empty_like(query)
    mask = draw_attention_mask(seed, packing, heads, dropout)
    for block in _split_blocks(weights):
        scores = torch.bmm(query[block], key[block].transpose(1, 2)).float().mul_(size**-0.5)
        if bias is not None:
            scores += bias[block]
        weights[block] = torch.softmax(scores, -1)
        dropped = apply_dropout(weights[block], None if mask is None else mask[block], dropout)
        torch.bmm(dropped, value[block], out=out[block])
    return out.view(heads, sequences, length, size), weights, mask


def attend_backward(d_out: Tensor, qkv: Tensor, weights: Tensor, mask: Tensor | None, dropout: float) -> Tensor:
    """The gradient of `qkv`, in its shape. `d_out` is the gradient of attention's output, by head."""
    query, key, value = qkv.view(3, -1, *qkv.shape[2:])
    d_qkv = torch.empty_like(qkv)
    d_query, d_key, d_value = d_qkv.view(3, -1, *qkv.shape[2:])
    d_out = d_out.flatten(0, 1)
    for block in _split_blocks(weights):
        block_mask = None if mask is None else mask[block]
        dropped = apply_dropout(weights[block], block_mask, dropout)
        torch.bmm(dropped.transpose(1, 2), d_out[block], out=d_value[block])
        d_weights = apply_dropout(torch.bmm(d_out[block], value[block].transpose(1, 2)), block_mask, dropout)
        d_scores = aten._softmax_backward_data(d_weights.float(), weights[block].float(), -1, torch.float32)
        d_scores = d_scores.mul_(query.shape[-1] ** -0.5).to(qkv.dtype)
        torch.bmm(d_scores, key[block], out=d_query[block])
        torch.bmm(d_scores.transpose(1, 2), query[block], out=d_key[block])
    return d_qkv


def _split_blocks(weights: Tensor) -> list[slice]:
    """Blocks of attention matrices that together fit into a core's cache."""
    step = max(1, CACHE_ELEMENTS // weights[0].numel())
    return [slice(start, start + step) for start in range(0, len(weights), step)]
