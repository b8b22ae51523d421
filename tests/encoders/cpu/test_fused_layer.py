import pytest
import torch
from threads import threads
from transformers import BertConfig
from transformers.models.bert.modeling_bert import BertLayer

from stilts_core.encoders.cpu.kernels import kernels
from stilts_core.encoders.cpu.layer import CpuLayer
from stilts_core.encoders.packing import Packing

pytestmark = pytest.mark.skipif(kernels().library is None, reason=kernels().reason)


@pytest.mark.parametrize("dropout", [0.0, 0.2])
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 1e-5), (torch.bfloat16, 4e-2)])
@pytest.mark.parametrize(
    ("hidden", "heads", "inner", "lengths"),
    [(32, 1, 64, [1, 5]), (64, 2, 256, [3, 40, 17]), (96, 3, 208, [49, 2, 95]), (128, 2, 128, [384, 70])],
)
def test_kernels_equal_pytorchs_operations(monkeypatch, hidden, heads, inner, lengths, dtype, tolerance, dropout):
    torch.manual_seed(0)
    sizes = {"hidden_size": hidden, "num_attention_heads": heads, "intermediate_size": inner}
    rates = {"hidden_dropout_prob": dropout, "attention_probs_dropout_prob": dropout}
    layer = BertLayer(BertConfig(**sizes, **rates, attn_implementation="eager")).train()
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter, std=hidden**-0.5)
    packing = Packing(torch.arange(max(lengths)) < torch.tensor(lengths)[:, None])
    x = torch.randn(sum(lengths), hidden, requires_grad=True)
    weight = torch.randn_like(x)
    results = []
    for fused in (True, False):
        monkeypatch.setattr("stilts_core.encoders.cpu.layer.has_kernels", lambda layer, fused=fused: fused)
        torch.manual_seed(1)
        states = CpuLayer(layer)(x, packing, dtype)
        with torch.no_grad():
            torch.manual_seed(1)
            again = CpuLayer(layer)(x, packing, dtype)
        assert torch.equal(again, states)
        results.append([states.detach(), *torch.autograd.grad(states, [x, *layer.parameters()], weight)])
    names = ["states", "x", *dict(layer.named_parameters())]
    for name, kernel, operations in zip(names, *results, strict=True):
        if name != "attention.self.key.bias":
            difference = (kernel - operations).norm() / operations.norm()
            assert difference < tolerance, f"{name}: {difference}"


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_results_do_not_depend_on_the_number_of_threads(dtype):
    torch.manual_seed(0)
    layer = BertLayer(BertConfig(hidden_size=64, num_attention_heads=2, intermediate_size=128)).train()
    lengths = torch.tensor([20, 70, 3, 101, 40])
    packing = Packing(torch.arange(101) < lengths[:, None])
    x = torch.randn(int(lengths.sum()), 64, requires_grad=True)

    def computed(count: int) -> list[torch.Tensor]:
        torch.manual_seed(1)
        with threads(count):
            states = CpuLayer(layer)(x, packing, dtype)
            return [states, *torch.autograd.grad(states.square().sum(), [x, *layer.parameters()])]

    alone = computed(1)
    for count in (2, 3):
        assert all(map(torch.equal, computed(count), alone))
