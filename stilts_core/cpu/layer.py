"""A BERT layer for the CPU, on flat batches, its backward pass written out.

It computes what transformers' BertLayer and XLMRobertaLayer compute (Vaswani et al. 2017, each residual connection
followed by its layer norm), to rounding. It is faster because it

- computes nothing for padding, and query, key and value in one product;
- attends with batched matrix products: the backward pass of PyTorch's fused attention takes longer, where sequences
  are short, than all the rest of a layer;
- keeps for the backward pass only what that reads, in bf16 what was computed in bf16.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import gelu
from torch.optim.optimizer import register_optimizer_step_post_hook

from stilts_core.cpu.fused_layer import FusedLayer, fits, packed, seeds
from stilts_core.cpu.kernels import STEP
from stilts_core.unpadded import Packing

aten = torch.ops.aten
CACHED = 2**18  # elements of attention's weights that are worked on at once: 1 MiB in fp32

_steps = 0  # of all optimisers in this process


def _count_step(*_) -> None:
    global _steps
    _steps += 1


# Fused optimisers change parameters without giving them a new version, so their steps are counted.
register_optimizer_step_post_hook(_count_step)


def parameters_of(layer: nn.Module) -> list[nn.Parameter]:
    """Weight and bias of query, key, value, attention's output, its norm, feed-forward up, down, and the last norm."""
    attention, up, down = layer.attention, layer.intermediate, layer.output
    parts = [attention.self.query, attention.self.key, attention.self.value, attention.output.dense]
    parts += [attention.output.LayerNorm, up.dense, down.dense, down.LayerNorm]
    return [parameter for part in parts for parameter in (part.weight, part.bias)]


@dataclass
class CpuLayer:
    """A layer of a transformers BERT or XLM-R, run on flat batches.

    `dtype` is the precision of the matrix products; layer norms, softmax and the residual stream are fp32.
    """

    layer: nn.Module
    _versions: list = field(default_factory=list)
    _cast: object = None

    def __call__(self, x: Tensor, packing: Packing, dtype: torch.dtype, places: Tensor | None = None) -> Tensor:
        """The next hidden state, (sub-words, hidden size) in fp32, of one such; of the sub-words at `places` alone."""
        if fits(self.layer):
            training, parameters = torch.is_grad_enabled(), parameters_of(self.layer)
            fields = self._kept_for((dtype, training), lambda weights: packed(weights, dtype, training))
            return FusedLayer.apply(x, packing, self, fields, dtype, training, places, *parameters)
        out = _Layer.apply(x, packing, self, self._matrices(dtype), *parameters_of(self.layer))
        return out if places is None else out.index_select(0, places)

    @property
    def heads(self) -> int:
        return self.layer.attention.self.num_attention_heads

    @property
    def eps(self) -> float:
        return self.layer.output.LayerNorm.eps

    @property
    def dropout(self) -> float:
        """The dropout of what attention and feed-forward add to the residual stream, 0 outside training."""
        return self.layer.output.dropout.p if self.layer.training else 0.0

    @property
    def attention_dropout(self) -> float:
        """The dropout of attention's weights, 0 outside training."""
        return self.layer.attention.self.dropout.p if self.layer.training else 0.0

    def _matrices(self, dtype: torch.dtype) -> list[Tensor]:
        """Weights and biases of the four products in `dtype`: cast anew when they may have changed."""

        def cast(weights: list[Tensor]) -> list[Tensor]:
            qw, qb, kw, kb, vw, vb, ow, ob, _, _, uw, ub, dw, db, _, _ = weights
            joined = [torch.cat([qw, kw, vw]), torch.cat([qb, kb, vb]), ow, ob, uw, ub, dw, db]
            return [tensor.to(dtype) for tensor in joined]

        return self._kept_for((dtype,), cast)

    def _kept_for(self, purpose: tuple, make: Callable):
        """What `make` makes of the layer's parameters for a purpose, anew when they may have changed."""
        parameters = parameters_of(self.layer)
        versions = [*purpose, _steps, *((id(parameter), parameter._version) for parameter in parameters)]
        if versions != self._versions:
            self._cast = None  # first frees what it replaces
            self._cast = make([parameter.detach() for parameter in parameters])
            self._versions = versions
        return self._cast


class _Layer(torch.autograd.Function):
    """The two passes of a CpuLayer: x -> attention -> y -> feed-forward (up, gelu, down) -> out."""

    @staticmethod
    def forward(ctx, x, packing, layer, matrices, *parameters):
        wqkv, bqkv, wo, bo, wu, bu, wd, bd = matrices
        norm_y, norm_out = parameters[8:10], parameters[14:16]
        dtype, size, dropout = wo.dtype, x.shape[1:], layer.dropout
        seed_weights, seed_attended, seed_down = seeds(layer)
        xb = x.to(dtype)
        qkv = _by_head(torch.addmm(bqkv, xb, wqkv.t()), packing, 3 * layer.heads)
        attended, weights, keep_weights = _attend(qkv, packing, layer.attention_dropout, seed_weights)
        attended = _flat(attended, packing)
        keep_attended = _kept(seed_attended, x.shape, dropout)
        before_y = x + _dropped(torch.addmm(bo, attended, wo.t()), keep_attended, dropout)
        y, mean_y, scale_y = torch.native_layer_norm(before_y, size, *norm_y, layer.eps)
        yb = y.to(dtype)
        up = torch.addmm(bu, yb, wu.t())
        active = gelu(up)
        keep_down = _kept(seed_down, x.shape, dropout)
        before_out = y + _dropped(torch.addmm(bd, active, wd.t()), keep_down, dropout)
        out, mean_out, scale_out = torch.native_layer_norm(before_out, size, *norm_out, layer.eps)
        ctx.packing, ctx.layer, ctx.matrices = packing, layer, matrices
        ctx.save_for_backward(
            *(xb, qkv, weights, keep_weights, attended, keep_attended),
            *(before_y, mean_y, scale_y, *norm_y, yb, up, active, keep_down),
            *(before_out, mean_out, scale_out, *norm_out),
        )
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, d_out):
        xb, qkv, weights, keep_weights, attended, keep_attended, *saved = ctx.saved_tensors
        *norm_y, yb, up, active, keep_down = saved[:9]
        norm_out = saved[9:]
        wqkv, _, wo, _, wu, _, wd, _ = ctx.matrices
        dtype, layer, packing = wo.dtype, ctx.layer, ctx.packing

        d_y, d_gain_out, d_shift_out = _layer_norm_backward(d_out, *norm_out)
        d_down = _dropped(d_y.to(dtype), keep_down, layer.dropout)
        d_up = aten.gelu_backward(d_down @ wd, up)
        d_y = d_y + d_up @ wu
        d_x, d_gain_y, d_shift_y = _layer_norm_backward(d_y, *norm_y)
        d_added = _dropped(d_x.to(dtype), keep_attended, layer.dropout)
        d_attended = _by_head(d_added @ wo, packing, layer.heads)
        if not packing.full:
            d_attended *= packing.mask.unsqueeze(-1)
        d_qkv = _attend_backward(d_attended, qkv, weights, keep_weights, layer.attention_dropout)
        d_qkv = _flat(d_qkv, packing)
        d_x = d_x + d_qkv @ wqkv

        def of_product(d_output, inputs):
            return d_output.t() @ inputs, d_output.sum(0)

        d_wqkv, d_bqkv = of_product(d_qkv, xb)
        of_query_key_value = zip(d_wqkv.chunk(3), d_bqkv.chunk(3), strict=True)
        gradients = [
            *(part for pair in of_query_key_value for part in pair),
            *of_product(d_added, attended),
            *(d_gain_y, d_shift_y),
            *of_product(d_up, yb),
            *of_product(d_down, active),
            *(d_gain_out, d_shift_out),
        ]
        return d_x, None, None, None, *(gradient.float() for gradient in gradients)


def _layer_norm_backward(d_out: Tensor, before: Tensor, mean: Tensor, scale: Tensor, gain: Tensor, shift: Tensor):
    """The gradients of a layer norm's input, gain and shift."""
    return aten.native_layer_norm_backward(d_out, before, before.shape[1:], mean, scale, gain, shift, (True,) * 3)


def _by_head(flat: Tensor, packing: Packing, heads: int) -> Tensor:
    """(sub-words, heads x size) as (heads, sequences, length, size), contiguous, with anything in the padding."""
    padded = flat if packing.full else flat.index_select(0, packing.sources)
    return padded.view(*packing.mask.shape, heads, -1).permute(2, 0, 1, 3).contiguous()


def _flat(by_head: Tensor, packing: Packing) -> Tensor:
    """The way back: (heads, sequences, length, size) as (sub-words, heads x size)."""
    return packing.flatten(by_head.permute(1, 2, 0, 3).flatten(2))


def _attend(qkv: Tensor, packing: Packing, dropout: float, seed: int) -> tuple[Tensor, Tensor, Tensor | None]:
    """What attention gives, by head, its weights (heads x sequences, length, length), and which of them dropout kept.

    `qkv` holds the queries of all heads, then their keys, then their values.
    """
    heads, sequences, length, size = qkv.shape[0] // 3, *qkv.shape[1:]
    query, key, value = qkv.view(3, -1, length, size)
    bias = None if packing.full else packing.key_bias.repeat(heads, 1, 1)
    weights = qkv.new_empty(heads * sequences, length, length)
    out = torch.empty_like(query)
    keep = _kept_weights(seed, packing, heads, dropout)
    for part in _parts(weights):
        scores = torch.bmm(query[part], key[part].transpose(1, 2)).float().mul_(size**-0.5)
        if bias is not None:
            scores += bias[part]
        weights[part] = torch.softmax(scores, -1)
        torch.bmm(_dropped(weights[part], _some(keep, part), dropout), value[part], out=out[part])
    return out.view(heads, sequences, length, size), weights, keep


def _attend_backward(d_out: Tensor, qkv: Tensor, weights: Tensor, keep: Tensor | None, dropout: float) -> Tensor:
    """The gradient of `qkv`, in its shape; `d_out` is that of what attention gave, by head."""
    query, key, value = qkv.view(3, -1, *qkv.shape[2:])
    d_qkv = torch.empty_like(qkv)
    d_query, d_key, d_value = d_qkv.view(3, -1, *qkv.shape[2:])
    d_out = d_out.flatten(0, 1)
    for part in _parts(weights):
        kept = _dropped(weights[part], _some(keep, part), dropout)
        torch.bmm(kept.transpose(1, 2), d_out[part], out=d_value[part])
        d_weights = _dropped(torch.bmm(d_out[part], value[part].transpose(1, 2)), _some(keep, part), dropout)
        d_scores = aten._softmax_backward_data(d_weights.float(), weights[part].float(), -1, torch.float32)
        d_scores = d_scores.mul_(query.shape[-1] ** -0.5).to(qkv.dtype)
        torch.bmm(d_scores, key[part], out=d_query[part])
        torch.bmm(d_scores.transpose(1, 2), query[part], out=d_key[part])
    return d_qkv


def _parts(weights: Tensor) -> list[slice]:
    """Runs of attention matrices that together fit into a core's cache."""
    step = max(1, CACHED // weights[0].numel())
    return [slice(start, start + step) for start in range(0, len(weights), step)]


def _some(keep: Tensor | None, part: slice) -> Tensor | None:
    """The part of what dropout keeps."""
    return None if keep is None else keep[part]


def _kept(seed: int, shape: torch.Size, dropout: float) -> Tensor | None:
    """Which values of a tensor dropout keeps, None for all."""
    if not dropout:
        return None
    drawn = _drawn(seed, torch.arange(-(-shape.numel() // 4)))
    return _is_kept(drawn[: shape.numel()], dropout).view(shape)


def _kept_weights(seed: int, packing: Packing, heads: int, dropout: float) -> Tensor | None:
    """Which of attention's weights, (heads x sequences, length, length), dropout keeps, None for all."""
    if not dropout:
        return None
    length = packing.mask.shape[1]
    columns = -(-length // STEP) * STEP
    rows = torch.arange(heads)[:, None, None] * len(packing.places) + packing.starts[:-1, None] + torch.arange(length)
    numbers = rows.flatten(0, 1)[..., None] * (columns // 4) + torch.arange(columns // 4)
    return _is_kept(_drawn(seed, numbers)[..., :length], dropout)


def _drawn(seed: int, numbers: Tensor) -> Tensor:
    """Four 16-bit integers from each number, side by side: splitmix64, whose numbers depend on nothing else."""

    def mixed(z: Tensor, shift: int, factor: int) -> Tensor:
        return (z ^ ((z >> shift) & (2 ** (64 - shift) - 1))) * factor

    z = (numbers + 1) * (0x9E3779B97F4A7C15 - 2**64) + seed
    z = mixed(mixed(z, 30, 0xBF58476D1CE4E5B9 - 2**64), 27, 0x94D049BB133111EB - 2**64)
    return mixed(z, 31, 1).view(torch.int16)


def _is_kept(drawn: Tensor, dropout: float) -> Tensor:
    """Whether dropout, exact to 1 in 65,536, keeps what a 16-bit number was drawn for."""
    return drawn >= round(dropout * 2**16) - 2**15


def _dropped(values: Tensor, keep: Tensor | None, dropout: float) -> Tensor:
    """What dropout makes of values, or of their gradient; `keep` is None where it keeps all."""
    return values if keep is None else values * keep * (1 / (1 - dropout))
