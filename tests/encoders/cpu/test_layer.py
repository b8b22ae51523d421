import pytest
import torch
from transformers import BertConfig, XLMRobertaConfig
from transformers.models.bert.modeling_bert import BertLayer
from transformers.models.xlm_roberta.modeling_xlm_roberta import XLMRobertaLayer

from stilts_core.encoders.cpu.dropout import draw_mask
from stilts_core.encoders.cpu.kernels import kernels
from stilts_core.encoders.cpu.layer import CpuLayer
from stilts_core.encoders.packing import Packing

SIZES = {"hidden_size": 48, "num_attention_heads": 3, "intermediate_size": 96, "attn_implementation": "eager"}


@pytest.fixture(params=["kernels", "operations"], autouse=True)
def backend(request, monkeypatch):
    """Run each test with the kernels, if this machine has them, and with PyTorch's operations."""
    if request.param == "operations":
        monkeypatch.setattr("stilts_core.encoders.cpu.layer.has_kernels", lambda layer: False)
    elif kernels().library is None:
        pytest.skip(kernels().reason)
    return request.param


@pytest.fixture(params=[(BertLayer, BertConfig), (XLMRobertaLayer, XLMRobertaConfig)], ids=["bert", "xlm-roberta"])
def layer(request):
    """A layer of transformers with random weights, biases and norms, in training mode without dropout."""
    kind, config = request.param
    torch.manual_seed(0)
    layer = kind(config(hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0, **SIZES))
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return layer.train()


@pytest.fixture
def packing():
    lengths = torch.tensor([9, 17, 1, 30])
    return Packing(torch.arange(30) < lengths[:, None])


def with_gradients(output, x, layer, weight):
    return torch.autograd.grad(output, [x, *layer.parameters()], weight)


@pytest.mark.parametrize("elements", [1, 2**18], ids=["matrix by matrix", "all at once"])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 4e-2)])
def test_states_and_gradients_equal_those_of_transformers(layer, packing, dtype, tolerance, elements, monkeypatch):
    monkeypatch.setattr("stilts_core.encoders.cpu.attention.CACHE_ELEMENTS", elements)
    padded = torch.randn(*packing.mask.shape, 48, requires_grad=True)
    weight = torch.randn_like(padded) * packing.mask[..., None]
    additive = torch.zeros(packing.mask.shape).masked_fill(~packing.mask, -torch.inf)[:, None, None]
    expected = layer(padded, additive)
    states = packing.pad(CpuLayer(layer)(packing.pack(padded), packing, dtype))
    largest = expected.detach().abs().max()
    torch.testing.assert_close(states[packing.mask], expected[packing.mask], rtol=0, atol=float(tolerance * largest))
    theirs = with_gradients(expected, padded, layer, weight)
    ours = with_gradients(states, padded, layer, weight)
    for name, right, gradient in zip(["x", *dict(layer.named_parameters())], theirs, ours, strict=True):
        if name == "attention.self.key.bias":  # softmax ignores it, so its gradient is rounding
            assert gradient.abs().max() < tolerance * theirs[1].abs().max()
        else:
            difference = (gradient - right).norm() / right.norm()
            assert difference < tolerance, f"{name}: {difference}"


@pytest.mark.parametrize("change", ["in place", "by a fused optimiser"])
def test_changed_weights_are_read_again(layer, packing, change):
    x = torch.randn(len(packing.flat_positions), 48)
    ours = CpuLayer(layer)
    before = ours(x, packing, torch.bfloat16)
    if change == "in place":
        with torch.no_grad():
            layer.output.dense.weight.mul_(2)
    else:
        before.sum().backward()
        torch.optim.AdamW(layer.parameters(), lr=0.1, fused=True).step()
    changed = ours(x, packing, torch.bfloat16)
    assert torch.equal(changed, CpuLayer(layer)(x, packing, torch.bfloat16))
    assert not torch.equal(changed, before)


@pytest.mark.parametrize("where", ["hidden", "attention"])
def test_gradient_is_right_with_dropout(layer, packing, where):
    if where == "hidden":
        layer.output.dropout.p = 0.3
    else:
        layer.attention.self.dropout.p = 0.3
    x, direction = torch.randn(2, len(packing.flat_positions), 48)
    weight = torch.randn_like(x)

    def loss(step: float) -> torch.Tensor:
        torch.manual_seed(1)
        return (CpuLayer(layer)(moved + step * direction, packing, torch.float32) * weight).sum()

    moved = x.requires_grad_()
    (gradient,) = torch.autograd.grad(loss(0.0), moved)
    slope = (loss(1e-2) - loss(-1e-2)) / 2e-2
    torch.testing.assert_close((gradient * direction).sum(), slope.detach(), rtol=1e-2, atol=1e-1)


def test_dropout_keeps_the_right_share_and_is_off_outside_training(layer, packing):
    torch.manual_seed(0)
    assert draw_mask(5, torch.Size([1000, 1001]), 0.3).float().mean() == pytest.approx(0.7, abs=2e-3)
    x = torch.randn(len(packing.flat_positions), 48)
    plain = CpuLayer(layer)(x, packing, torch.float32)
    layer.output.dropout.p = layer.attention.self.dropout.p = 0.2
    assert not torch.allclose(CpuLayer(layer)(x, packing, torch.float32), plain)
    layer.eval()
    assert torch.equal(CpuLayer(layer)(x, packing, torch.float32), plain)


@pytest.mark.parametrize("used_rows", [[0, 9, 26, 27], [], list(range(57))], ids=["first of each", "none", "all"])
def test_states_and_gradients_of_used_rows_equal_those_of_all_rows(layer, packing, used_rows):
    layer.output.dropout.p = layer.attention.self.dropout.p = 0.2
    x = torch.randn(len(packing.flat_positions), 48, requires_grad=True)
    used_rows = torch.tensor(used_rows, dtype=torch.int64)
    weight = torch.randn(len(used_rows), 48)

    def computed(some: torch.Tensor | None) -> list[torch.Tensor]:
        torch.manual_seed(1)
        states = CpuLayer(layer)(x, packing, torch.float32, some)
        states = states if some is not None else states[used_rows]
        return [states, *with_gradients(states, x, layer, weight)]

    for part, whole in zip(computed(used_rows), computed(None), strict=True):
        torch.testing.assert_close(part, whole, rtol=1e-4, atol=1e-4)
