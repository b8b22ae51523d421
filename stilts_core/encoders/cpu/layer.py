"""A BERT layer for the CPU, on packed batches, with its backward pass written out.

It computes the same as transformers' BertLayer and XLMRobertaLayer (Vaswani et al. 2017, with a layer norm after each
residual connection), up to rounding. It is faster for three reasons:

- It computes nothing for padding, and it computes query, key and value in one product.
- It computes attention with batched matrix products. On short sequences, the backward pass of PyTorch's fused
  attention takes longer than the rest of the layer.
- It stores for the backward pass only what that pass reads; what was computed in bf16 is stored in bf16.

`fused_layer` does the same with kernels in C, where the machine has them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn.functional import gelu
from torch.optim.optimizer import register_optimizer_step_post_hook

from stilts_core.encoders.cpu.attention import attend, attend_backward, join_heads, split_heads
from stilts_core.encoders.cpu.dropout import apply_dropout, draw_mask
from stilts_core.encoders.cpu.fused_layer import FusedLayer, draw_seeds, has_kernels, pack_weights
from stilts_core.encoders.packing import Packing

if TYPE_CHECKING:
    from transformers.models.bert.modeling_bert import BertLayer

aten = torch.ops.aten
Derived = TypeVar("Derived")

_optimiser_steps = 0  # of all optimisers in this process


def _count_step(*_: object) -> None:
    global _optimiser_steps
    _optimiser_steps += 1


# Fused optimisers change parameters without giving them a new version, so their steps are counted here.
register_optimizer_step_post_hook(_count_step)


def list_parameters(layer: "BertLayer") -> list[Tensor]:
    """Weight and bias of query, key, value, attention's output, its norm, feed-forward up, down, and the last norm."""
    attention, up, down = layer.attention, layer.intermediate, layer.output
    modules: list[nn.Linear | nn.LayerNorm] = [attention.self.query, attention.self.key, attention.self.value]
    modules += [attention.output.dense, attention.output.LayerNorm, up.dense, down.dense, down.LayerNorm]
    return [parameter for module in modules for parameter in (module.weight, module.bias)]


@dataclass
class CpuLayer:
    """A layer of a transformers BERT or XLM-R that computes packed batches."""

    layer: "BertLayer"
    _versions: list = field(default_factory=list)  # what `_derived` was computed from
    _derived: Any = None

    def __call__(self, x: Tensor, packing: Packing, dtype: torch.dtype, used_rows: Tensor | None = None) -> Tensor:
        """The next hidden state of `x`; both are (sub-words, hidden size) in fp32.

        `dtype` is the precision of the matrix products; layer norms, softmax and the residual stream are fp32. With
        `used_rows`, ascending, only these rows of the result are returned.
        """
        if has_kernels(self.layer):
            parameters = list_parameters(self.layer)
            needs_gradient = x.requires_grad or any(parameter.requires_grad for parameter in parameters)
            training = torch.is_grad_enabled() and needs_gradient
            fields = self._derive((dtype, training), lambda weights: pack_weights(weights, dtype, training))
            return FusedLayer.apply(x, packing, self, fields, dtype, training, used_rows, *parameters)
        out = _Layer.apply(x, packing, self, self._cast_matrices(dtype), *list_parameters(self.layer))
        return out if used_rows is None else out.index_select(0, used_rows)

    @property
    def heads(self) -> int:
        """The number of attention heads."""
        return self.layer.attention.self.num_attention_heads

    @property
    def eps(self) -> float:
        """The epsilon of the layer norms."""
        return self.layer.output.LayerNorm.eps

    @property
    def dropout(self) -> float:
        """The dropout of the outputs of attention and feed-forward, 0 outside training."""
        return self.layer.output.dropout.p if self.layer.training else 0.0

    @property
    def attention_dropout(self) -> float:
        """The dropout of attention's weights, 0 outside training."""
        return self.layer.attention.self.dropout.p if self.layer.training else 0.0

    def _cast_matrices(self, dtype: torch.dtype) -> list[Tensor]:
        """Weights and biases of the four products in `dtype`."""

        def cast(weights: list[Tensor]) -> list[Tensor]:
            qw, qb, kw, kb, vw, vb, ow, ob, _, _, uw, ub, dw, db, _, _ = weights
            joined = [torch.cat([qw, kw, vw]), torch.cat([qb, kb, vb]), ow, ob, uw, ub, dw, db]
            return [tensor.to(dtype) for tensor in joined]

        return self._derive((dtype,), cast)

    def _derive(self, purpose: tuple, compute: Callable[[list[Tensor]], Derived]) -> Derived:
        """Compute something from the layer's parameters, again only if `purpose` or the parameters have changed."""
        parameters = list_parameters(self.layer)
        steps = _optimiser_steps if any(parameter.requires_grad for parameter in parameters) else None
        versions = [*purpose, steps, *((id(parameter), parameter._version) for parameter in parameters)]
        if versions != self._versions:
            self._derived = None  # frees the old result before the new one is computed
            self._derived = compute([parameter.detach() for parameter in parameters])
            self._versions = versions
        return self._derived


class _Layer(torch.autograd.Function):
    """The two passes of a CpuLayer: x -> attention -> y -> feed-forward (up, gelu, down) -> out."""

    @staticmethod
    def forward(
        ctx: Any, x: Tensor, packing: Packing, layer: CpuLayer, matrices: list[Tensor], *parameters: Tensor
    ) -> Tensor:
        """The next hidden state, (sub-words, hidden size) in fp32."""
        wqkv, bqkv, wo, bo, wu, bu, wd, bd = matrices
        gain_y, shift_y, gain_out, shift_out = *parameters[8:10], *parameters[14:16]
        dtype, size, dropout = wo.dtype, x.shape[1:], layer.dropout
        seed_weights, seed_attended, seed_down = draw_seeds(layer)
        xb = x.to(dtype)
        qkv = split_heads(torch.addmm(bqkv, xb, wqkv.t()), packing, 3 * layer.heads)
        by_head, weights, mask_weights = attend(qkv, packing, layer.attention_dropout, seed_weights)
        attended = join_heads(by_head, packing)
        mask_attended = draw_mask(seed_attended, x.shape, dropout)
        before_y = x + apply_dropout(torch.addmm(bo, attended, wo.t()), mask_attended, dropout)
        y, mean_y, scale_y = torch.native_layer_norm(before_y, size, gain_y, shift_y, layer.eps)
        yb = y.to(dtype)
        up = torch.addmm(bu, yb, wu.t())
        active = gelu(up)
        mask_down = draw_mask(seed_down, x.shape, dropout)
        before_out = y + apply_dropout(torch.addmm(bd, active, wd.t()), mask_down, dropout)
        out, mean_out, scale_out = torch.native_layer_norm(before_out, size, gain_out, shift_out, layer.eps)
        ctx.packing, ctx.layer, ctx.matrices = packing, layer, matrices
        ctx.save_for_backward(
            *(xb, qkv, weights, mask_weights, attended, mask_attended),
            *(before_y, mean_y, scale_y, gain_y, shift_y, yb, up, active, mask_down),
            *(before_out, mean_out, scale_out, gain_out, shift_out),
        )
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of the arguments of `forward`."""
        xb, qkv, weights, mask_weights, attended, mask_attended, *saved = ctx.saved_tensors
        *norm_y, yb, up, active, mask_down = saved[:9]
        norm_out = saved[9:]
        wqkv, _, wo, _, wu, _, wd, _ = ctx.matrices
        dtype, layer, packing = wo.dtype, ctx.layer, ctx.packing

        d_y, d_gain_out, d_shift_out = _layer_norm_backward(d_out, *norm_out)
        d_down = apply_dropout(d_y.to(dtype), mask_down, layer.dropout)
        d_up = aten.gelu_backward(d_down @ wd, up)
        d_y = d_y + d_up @ wu
        d_x, d_gain_y, d_shift_y = _layer_norm_backward(d_y, *norm_y)
        d_added = apply_dropout(d_x.to(dtype), mask_attended, layer.dropout)
        d_attended = split_heads(d_added @ wo, packing, layer.heads)
        if not packing.full:
            d_attended *= packing.mask.unsqueeze(-1)
        d_qkv = join_heads(attend_backward(d_attended, qkv, weights, mask_weights, layer.attention_dropout), packing)
        d_x = d_x + d_qkv @ wqkv

        def of_product(d_output: Tensor, inputs: Tensor) -> tuple[Tensor, Tensor]:
            return d_output.t() @ inputs, d_output.sum(0)

        d_wqkv, d_bqkv = of_product(d_qkv, xb)
        query_key_value = zip(d_wqkv.chunk(3), d_bqkv.chunk(3), strict=True)
        gradients = [
            *(gradient for weight_and_bias in query_key_value for gradient in weight_and_bias),
            *of_product(d_added, attended),
            *(d_gain_y, d_shift_y),
            *of_product(d_up, yb),
            *of_product(d_down, active),
            *(d_gain_out, d_shift_out),
        ]
        return d_x, None, None, None, *(gradient.float() for gradient in gradients)


def _layer_norm_backward(
    d_out: Tensor, before: Tensor, mean: Tensor, scale: Tensor, gain: Tensor, shift: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The gradients of a layer norm's input, gain and shift."""
    return aten.native_layer_norm_backward(d_out, before, before.shape[1:], mean, scale, gain, shift, (True,) * 3)
