"""A BERT layer for the CPU, each pass one call of the kernels in `layer.c`."""

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from stilts_core.cpu.kernels import STEP, Layer, Part, kernels
from stilts_core.unpadded import Packing

MATRICES = ("qkv", "out", "up", "down")


def fits(layer: nn.Module) -> bool:
    """Whether there are kernels for a layer of these sizes."""
    attention = layer.attention.self
    inner, hidden = layer.intermediate.dense.weight.shape
    sizes = (hidden, hidden // attention.num_attention_heads, inner)
    return kernels().library is not None and not any(size % STEP for size in sizes)


def packed(parameters: list[Tensor], dtype: torch.dtype, backward: bool) -> dict[str, Tensor]:
    """The four matrices of a layer in `dtype`, laid out to be multiplied, and its vectors, by their field's name.

    `parameters` are those of `layer.parameters_of`; the matrices are laid out for the backward pass if asked for.
    """
    qw, qb, kw, kb, vw, vb, ow, ob, gain_y, shift_y, uw, ub, dw, db, gain_out, shift_out = parameters
    fields = {
        **{"b_qkv": torch.cat([qb, kb, vb]), "b_out": ob, "b_up": ub, "b_down": db},
        **{"gain_y": gain_y, "shift_y": shift_y, "gain_out": gain_out, "shift_out": shift_out},
    }
    qw, kw, vw, ow, uw, dw = (weights.contiguous() for weights in (qw, kw, vw, ow, uw, dw))
    pieces = []
    for name, parts in zip(MATRICES, ([qw, kw, vw], [ow], [uw], [dw]), strict=True):
        rows, columns = sum(len(part) for part in parts), parts[0].shape[1]
        forward = torch.empty(-(-rows // 64) * 64, columns, dtype=dtype)
        back = torch.empty(rows, -(-columns // 64) * 64, dtype=dtype) if backward else None
        pointers = forward.data_ptr(), back.data_ptr() if backward else None
        first = 0
        for part in parts:
            pieces.append(Part(part.data_ptr(), *part.shape, first, rows, *pointers))
            first += len(part)
        fields |= {f"w_{name}": forward, f"v_{name}": back}
    pack = kernels().library.pack
    pack((Part * len(pieces))(*pieces), len(pieces), dtype == torch.bfloat16, torch.get_num_threads())
    return fields


def seeds(layer) -> list[int]:
    """What dropout draws from for attention's weights, its output and the feed-forward's: PyTorch's seed decides."""
    if not (layer.dropout or layer.attention_dropout):
        return [0, 0, 0]
    return torch.empty(3, dtype=torch.int64).random_(-(2**63), None).tolist()


class FusedLayer(torch.autograd.Function):
    """The two passes of a CpuLayer: x -> attention -> y -> feed-forward (up, gelu, down) -> out.

    With `places`, ascending, only these rows of x go on after attention, and are returned.
    """

    @staticmethod
    def forward(ctx, x: Tensor, packing: Packing, layer, fields: dict, dtype, training: bool, places, *parameters):
        tokens, hidden = x.shape
        rows = tokens if places is None else len(places)
        inner, x, library = len(fields["b_up"]), x.contiguous(), kernels().library
        call = Layer(
            *(tokens, rows, len(packing.mask), hidden, layer.heads, inner, -(-packing.mask.shape[1] // STEP) * STEP),
            *(dtype == torch.bfloat16, torch.get_num_threads(), training),
            *(layer.eps, layer.dropout, layer.attention_dropout, *seeds(layer)),
        )
        qkv, attended = x.new_empty(tokens, 3 * hidden, dtype=dtype), x.new_empty(tokens, hidden, dtype=dtype)
        saved = {"x": x, "qkv": qkv, "attended": attended, "places": places}
        if training:
            saved |= {name: x.new_empty(rows, inner, dtype=dtype) for name in ("active", "slope")}
            saved |= {name: x.new_empty(rows, hidden) for name in ("norm_y", "norm_out")}
            saved |= {name: x.new_empty(rows) for name in ("scale_y", "scale_out")}
            saved["lse"] = x.new_empty(layer.heads, tokens)
            saved["yb"] = x.new_empty(rows, hidden, dtype=dtype)
            if dtype != x.dtype:
                saved["xb"] = x.new_empty(tokens, hidden, dtype=dtype)
        call.point_to(starts=packing.starts, **fields, **saved)
        library.attention(call)
        saved["picked"] = attended if places is None else attended.index_select(0, places)
        residual = x if places is None else x.index_select(0, places)
        out = torch.empty_like(residual)
        call.point_to(picked=saved["picked"], residual=residual, out=out)
        library.rest(call)
        if training:
            if dtype != x.dtype:
                del saved["x"]  # the backward pass reads its copy
            ctx.call, ctx.packing, ctx.fields, ctx.dtype, ctx.names = call, packing, fields, dtype, tuple(saved)
            ctx.save_for_backward(*saved.values())
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, d_out: Tensor):
        call, dtype, library = ctx.call, ctx.dtype, kernels().library
        tokens, rows, hidden, inner = call.tokens, call.rows, call.hidden, call.inner
        saved = dict(zip(ctx.names, ctx.saved_tensors, strict=True))
        places, d_out = saved["places"], d_out.contiguous()
        sizes = {"d_down": hidden, "d_up": inner, "d_added": hidden, "d_picked": hidden}
        passing = {name: d_out.new_empty(rows, size, dtype=dtype) for name, size in sizes.items()}
        passing["d_qkv"] = d_out.new_empty(tokens, 3 * hidden, dtype=dtype)
        passing["factors"] = d_out.new_empty(library.factors(call), dtype=torch.int32)
        passing["sums"] = sums = d_out.new_zeros(max(1, library.blocks(rows)), 6 * hidden + inner)
        passing["sums_qkv"] = sums_qkv = d_out.new_zeros(library.blocks(tokens), 3 * hidden)
        shapes = {"qkv": (3 * hidden, hidden), "out": (hidden, hidden), "up": (inner, hidden), "down": (hidden, inner)}
        gradients = {name: d_out.new_empty(shape) for name, shape in shapes.items()}
        d_x = torch.empty_like(d_out)
        call.point_to(d_out=d_out, d_residual=d_x, **saved, **passing)
        call.point_to(**{f"g_{name}": gradient for name, gradient in gradients.items()})
        library.rest_backward(call)
        d_attended = passing["d_picked"]
        if places is not None:
            d_x = d_x.new_zeros(tokens, hidden).index_copy(0, places, d_x)
            d_attended = d_attended.new_zeros(tokens, hidden).index_copy(0, places, d_attended)
        call.point_to(d_x=d_x, d_attended=d_attended)
        library.attention_backward(call)
        gain_out, shift_out, gain_y, shift_y, b_out, b_down, b_up = sums[0].split([*[hidden] * 6, inner])
        of_query_key_value = zip(gradients["qkv"].chunk(3), sums_qkv[0].chunk(3), strict=True)
        return (
            *(d_x, None, None, None, None, None, None),
            *(part for pair in of_query_key_value for part in pair),
            *(gradients["out"], b_out, gain_y, shift_y),
            *(gradients["up"], b_up, gradients["down"], b_down, gain_out, shift_out),
        )
