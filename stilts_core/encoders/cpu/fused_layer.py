"""A BERT layer for the CPU in which each pass is one call of the kernels in `layer.c`."""

from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from stilts_core.encoders.cpu.kernels import LANES, Layer, WeightRows, kernels, require_library
from stilts_core.encoders.packing import Packing

if TYPE_CHECKING:
    from transformers.models.bert.modeling_bert import BertLayer


MATRICES = ("qkv", "out", "up", "down")
PANEL = 64  # columns of a panel of packed weights, as in `products.h`


class LayerSettings(Protocol):
    """What the kernels need to know of a layer besides its parameters (see `CpuLayer`)."""

    @property
    def heads(self) -> int:
        """The number of attention heads."""
        ...

    @property
    def eps(self) -> float:
        """The epsilon of the layer norms."""
        ...

    @property
    def dropout(self) -> float:
        """The dropout of the two residual additions."""
        ...

    @property
    def attention_dropout(self) -> float:
        """The dropout of the attention weights."""
        ...


def has_kernels(layer: "BertLayer") -> bool:
    """Whether the kernels can compute a layer of these sizes."""
    inner, hidden = layer.intermediate.dense.weight.shape
    sizes = (hidden, hidden // layer.attention.self.num_attention_heads, inner)
    return kernels().library is not None and not any(size % LANES for size in sizes)


def pack_weights(parameters: list[Tensor], dtype: torch.dtype, backward: bool) -> dict[str, Tensor]:
    """Pack the weights of a layer for the kernels: field of `Layer` -> tensor.

    `parameters` is the list of `layer.list_parameters`. The four matrices are cast to `dtype` and laid out in panels:
    for the forward pass and, with `backward`, for the backward pass.
    """
    qw, qb, kw, kb, vw, vb, ow, ob, gain_y, shift_y, uw, ub, dw, db, gain_out, shift_out = parameters
    fields = {
        **{"b_qkv": torch.cat([qb, kb, vb]), "b_out": ob, "b_up": ub, "b_down": db},
        **{"gain_y": gain_y, "shift_y": shift_y, "gain_out": gain_out, "shift_out": shift_out},
    }
    qw, kw, vw, ow, uw, dw = (weights.contiguous() for weights in (qw, kw, vw, ow, uw, dw))
    pieces = []
    for name, matrices in zip(MATRICES, ([qw, kw, vw], [ow], [uw], [dw]), strict=True):
        rows, columns = sum(len(matrix) for matrix in matrices), matrices[0].shape[1]
        forward_panels = torch.empty(-(-rows // PANEL) * PANEL, columns, dtype=dtype)
        backward_panels = torch.empty(rows, -(-columns // PANEL) * PANEL, dtype=dtype) if backward else None
        pointers = forward_panels.data_ptr(), None if backward_panels is None else backward_panels.data_ptr()
        first = 0
        for matrix in matrices:
            pieces.append(WeightRows(matrix.data_ptr(), *matrix.shape, first, rows, *pointers))
            first += len(matrix)
        fields[f"w_{name}"] = forward_panels
        if backward_panels is not None:
            fields[f"v_{name}"] = backward_panels
    pack = require_library().pack
    pack((WeightRows * len(pieces))(*pieces), len(pieces), dtype == torch.bfloat16, torch.get_num_threads())
    return fields


def draw_seeds(layer: LayerSettings) -> list[int]:
    """Draw dropout's seeds for attention's weights, attention's output and the feed-forward's output.

    They depend on PyTorch's seed. Without dropout nothing is drawn.
    """
    if not (layer.dropout or layer.attention_dropout):
        return [0, 0, 0]
    return torch.empty(3, dtype=torch.int64).random_(-(2**63), None).tolist()


class FusedLayer(torch.autograd.Function):
    """The two passes of a CpuLayer: x -> attention -> y -> feed-forward (up, gelu, down) -> out.

    With `used_rows`, ascending, only these rows of x are computed after attention, and are returned.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        packing: Packing,
        layer: LayerSettings,
        fields: dict[str, Tensor],
        dtype: torch.dtype,
        training: bool,
        used_rows: Tensor | None,
        *parameters: Tensor,
    ) -> Tensor:
        """The next hidden state, (sub-words, hidden size) or (used rows, hidden size), in fp32."""
        tokens, hidden = x.shape
        rows = tokens if used_rows is None else len(used_rows)
        inner, x, library = len(fields["b_up"]), x.contiguous(), require_library()
        width = -(-packing.mask.shape[1] // LANES) * LANES
        call = Layer(
            *(tokens, rows, len(packing.mask), hidden, layer.heads, inner, width),
            *(dtype == torch.bfloat16, torch.get_num_threads(), training),
            *(layer.eps, layer.dropout, layer.attention_dropout, *draw_seeds(layer)),
        )
        qkv, attended = x.new_empty(tokens, 3 * hidden, dtype=dtype), x.new_empty(tokens, hidden, dtype=dtype)
        saved = {"x": x, "qkv": qkv, "attended": attended, "used_rows": used_rows}
        if training:
            saved |= _allocate_saved(x, rows, inner, layer.heads, dtype)
        call.point_to(starts=packing.starts, **fields, **saved)
        library.attention(call)
        saved["picked"] = attended if used_rows is None else attended.index_select(0, used_rows)
        residual = x if used_rows is None else x.index_select(0, used_rows)
        out = torch.empty_like(residual)
        call.point_to(picked=saved["picked"], residual=residual, out=out)
        library.feed_forward(call)
        if training:
            if dtype != x.dtype:
                del saved["x"]  # the backward pass reads `xb`, its copy in `dtype`
            ctx.call, ctx.packing, ctx.fields, ctx.dtype, ctx.names = call, packing, fields, dtype, tuple(saved)
            ctx.save_for_backward(*saved.values())
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, d_out: Tensor) -> tuple[Tensor | None, ...]:
        """The gradients of the arguments of `forward`."""
        call, dtype, library = ctx.call, ctx.dtype, require_library()
        tokens, rows, hidden, inner = call.tokens, call.rows, call.hidden, call.inner
        saved = dict(zip(ctx.names, ctx.saved_tensors, strict=True))
        used_rows, d_out = saved["used_rows"], d_out.contiguous()
        sizes = {"d_down": hidden, "d_up": inner, "d_added": hidden, "d_picked": hidden}
        workspace = {name: d_out.new_empty(rows, size, dtype=dtype) for name, size in sizes.items()}
        workspace["d_qkv"] = d_out.new_empty(tokens, 3 * hidden, dtype=dtype)
        workspace["factors"] = d_out.new_empty(library.count_factor_words(call), dtype=torch.int32)
        workspace["sums"] = sums = d_out.new_zeros(max(1, library.count_blocks(rows)), 6 * hidden + inner)
        workspace["sums_qkv"] = sums_qkv = d_out.new_zeros(library.count_blocks(tokens), 3 * hidden)
        shapes = {"qkv": (3 * hidden, hidden), "out": (hidden, hidden), "up": (inner, hidden), "down": (hidden, inner)}
        gradients = {name: d_out.new_empty(shape) for name, shape in shapes.items()}
        d_x = torch.empty_like(d_out)
        call.point_to(d_out=d_out, d_residual=d_x, **saved, **workspace)
        call.point_to(**{f"g_{name}": gradient for name, gradient in gradients.items()})
        library.feed_forward_backward(call)
        d_attended = workspace["d_picked"]
        if used_rows is not None:
            d_x = d_x.new_zeros(tokens, hidden).index_copy(0, used_rows, d_x)
            d_attended = d_attended.new_zeros(tokens, hidden).index_copy(0, used_rows, d_attended)
        call.point_to(d_x=d_x, d_attended=d_attended)
        library.attention_backward(call)
        gain_out, shift_out, gain_y, shift_y, b_out, b_down, b_up = sums[0].split([*[hidden] * 6, inner])
        query_key_value = zip(gradients["qkv"].chunk(3), sums_qkv[0].chunk(3), strict=True)
        return (
            *(d_x, None, None, None, None, None, None),
            *(gradient for weight_and_bias in query_key_value for gradient in weight_and_bias),
            *(gradients["out"], b_out, gain_y, shift_y),
            *(gradients["up"], b_up, gradients["down"], b_down, gain_out, shift_out),
        )


def _allocate_saved(x: Tensor, rows: int, inner: int, heads: int, dtype: torch.dtype) -> dict[str, Tensor]:
    """Allocate the tensors that the forward pass fills for the backward pass: field of `Layer` -> tensor."""
    tokens, hidden = x.shape
    saved = {name: x.new_empty(rows, inner, dtype=dtype) for name in ("active", "slope")}
    saved |= {name: x.new_empty(rows, hidden) for name in ("norm_y", "norm_out")}
    saved |= {name: x.new_empty(rows) for name in ("scale_y", "scale_out")}
    saved["lse"] = x.new_empty(heads, tokens)
    saved["yb"] = x.new_empty(rows, hidden, dtype=dtype)
    if dtype != x.dtype:
        saved["xb"] = x.new_empty(tokens, hidden, dtype=dtype)
    return saved
