"""Dropout whose masks depend only on a seed and on a value's number, so that PyTorch and the kernels draw the same.

A mask is None where dropout is 0. splitmix64 (Steele, Lea and Flood 2014) gives the random numbers, as in `vectors.h`.
"""

import torch
from torch import Tensor

from stilts_core.encoders.cpu.kernels import LANES
from stilts_core.encoders.packing import Packing


def draw_mask(seed: int, shape: torch.Size, dropout: float) -> Tensor | None:
    """Draw which values of a tensor dropout keeps."""
    if not dropout:
        return None
    numbers = _draw(seed, torch.arange(-(-shape.numel() // 4)))
    return _is_kept(numbers[: shape.numel()], dropout).view(shape)


def draw_attention_mask(seed: int, packing: Packing, heads: int, dropout: float) -> Tensor | None:
    """Draw which attention weights, (heads x sequences, length, length), dropout keeps."""
    if not dropout:
        return None
    length, tokens = packing.mask.shape[1], len(packing.flat_positions)
    width = -(-length // LANES) * LANES
    rows = torch.arange(heads)[:, None, None] * tokens + packing.starts[:-1, None] + torch.arange(length)
    numbers = rows.flatten(0, 1)[..., None] * (width // 4) + torch.arange(width // 4)
    return _is_kept(_draw(seed, numbers)[..., :length], dropout)


def apply_dropout(values: Tensor, mask: Tensor | None, dropout: float) -> Tensor:
    """Apply a mask to values or to their gradient, and scale what remains by 1 / (1 - dropout)."""
    return values if mask is None else values * mask * (1 / (1 - dropout))


def _draw(seed: int, numbers: Tensor) -> Tensor:
    """Draw four 16-bit integers for each number, side by side."""

    def mix(z: Tensor, shift: int, factor: int) -> Tensor:
        return (z ^ ((z >> shift) & (2 ** (64 - shift) - 1))) * factor

    z = (numbers + 1) * (0x9E3779B97F4A7C15 - 2**64) + seed
    z = mix(mix(z, 30, 0xBF58476D1CE4E5B9 - 2**64), 27, 0x94D049BB133111EB - 2**64)
    return mix(z, 31, 1).view(torch.int16)


def _is_kept(numbers: Tensor, dropout: float) -> Tensor:
    """Whether dropout keeps the values of these random 16-bit numbers. Its rate is exact to 1 in 65,536."""
    return numbers >= round(dropout * 2**16) - 2**15
