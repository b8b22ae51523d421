import copy

import pytest
import torch
from threads import threads
from torch.nn.utils import clip_grad_norm_

from stilts_core.encoders.cpu.adamw import AdamW
from stilts_core.encoders.cpu.kernels import Kernels, kernels

SIZES = [(3, 40_000), (7,), (16_384,), (16_385,), (1,)]  # sizes around that of a thread's piece
OPTIONS = {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-6}


@pytest.fixture(params=["kernels", "operations"])
def backend(request, monkeypatch):
    """Run each test with the kernels, if this machine has them, and with PyTorch's operations."""
    if request.param == "operations":
        monkeypatch.setattr("stilts_core.encoders.cpu.adamw.kernels", lambda: Kernels(None, "a test"))
    elif kernels().library is None:
        pytest.skip(kernels().reason)


def make_groups() -> list[dict]:
    torch.manual_seed(0)
    parameters = [torch.nn.Parameter(torch.randn(size)) for size in SIZES]
    return [{"params": parameters[:2], "weight_decay": 0.3}, {"params": parameters[2:], "weight_decay": 0.0}]


def list_parameters(optimiser: torch.optim.Optimizer) -> list[torch.nn.Parameter]:
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]


def set_gradients(parameters: list[torch.nn.Parameter], step: int) -> None:
    """Set gradients that are clipped in every second step; the last parameter has none in the first two steps."""
    torch.manual_seed(step)
    for parameter in parameters:
        parameter.grad = torch.randn_like(parameter) * (1.0 if step % 2 else 1e-3)
    if step < 2:
        parameters[-1].grad = None


def test_steps_equal_those_of_pytorch_after_clipping(backend):
    ours = AdamW(make_groups(), clip=2.0, **OPTIONS)
    plain = torch.optim.AdamW(make_groups(), foreach=False, fused=False, **OPTIONS)
    for step in range(6):
        for optimiser in (ours, plain):
            set_gradients(list_parameters(optimiser), step)
        clip_grad_norm_(list_parameters(plain), 2.0)
        ours.step()
        plain.step()
    for mine, theirs in zip(list_parameters(ours), list_parameters(plain), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)
        for name in ("step", "exp_avg", "exp_avg_sq"):
            torch.testing.assert_close(ours.state[mine][name], plain.state[theirs][name], rtol=1e-4, atol=1e-8)


def test_optimiser_continues_from_the_state_of_another(backend):
    whole = AdamW(make_groups(), clip=2.0, **OPTIONS)
    half = AdamW(make_groups(), clip=2.0, **OPTIONS)
    for step in range(4):
        set_gradients(list_parameters(whole), step)
        whole.step()
        if step == 1:
            for mine, theirs in zip(list_parameters(half), list_parameters(whole), strict=True):
                mine.data.copy_(theirs)
            half.load_state_dict(copy.deepcopy(whole.state_dict()))
        if step > 1:
            set_gradients(list_parameters(half), step)
            half.step()
    assert all(map(torch.equal, list_parameters(half), list_parameters(whole)))


def test_step_does_not_depend_on_the_number_of_threads():
    def stepped(count: int) -> list[torch.Tensor]:
        optimiser = AdamW(make_groups(), clip=2.0, **OPTIONS)
        set_gradients(list_parameters(optimiser), 3)
        with threads(count):
            optimiser.step()
        return list_parameters(optimiser)

    if kernels().library is None:
        pytest.skip(kernels().reason)
    alone = stepped(1)
    for count in (2, 3):
        assert all(map(torch.equal, stepped(count), alone))


def test_gradient_that_is_not_finite_makes_no_weight_finite(backend):
    optimiser = AdamW(make_groups(), clip=2.0, **OPTIONS)
    set_gradients(list_parameters(optimiser), 3)
    list_parameters(optimiser)[1].grad[0] = torch.nan
    optimiser.step()
    assert not any(parameter.isfinite().any() for parameter in list_parameters(optimiser))
