import copy

import pytest
import torch
from threads import threads
from torch.nn.utils import clip_grad_norm_

from stilts_core.cpu.adamw import AdamW
from stilts_core.cpu.kernels import Kernels, kernels

SIZES = [(3, 40_000), (7,), (16_384,), (16_385,), (1,)]  # about those of a thread's piece
OPTIONS = {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-6}


@pytest.fixture(params=["kernels", "operations"])
def way(request, monkeypatch):
    """Each test runs with the kernels, where there are any, and with PyTorch's operations."""
    if request.param == "operations":
        monkeypatch.setattr("stilts_core.cpu.adamw.kernels", lambda: Kernels(None, "a test"))
    elif kernels().library is None:
        pytest.skip(kernels().why)


def groups() -> list[dict]:
    torch.manual_seed(0)
    parameters = [torch.nn.Parameter(torch.randn(size)) for size in SIZES]
    return [{"params": parameters[:2], "weight_decay": 0.3}, {"params": parameters[2:], "weight_decay": 0.0}]


def parameters_of(optimiser: torch.optim.Optimizer) -> list[torch.nn.Parameter]:
    return [parameter for group in optimiser.param_groups for parameter in group["params"]]


def give_gradients(parameters: list[torch.nn.Parameter], step: int) -> None:
    """Gradients that are clipped in every second step; the last parameter has none in the first two."""
    torch.manual_seed(step)
    for parameter in parameters:
        parameter.grad = torch.randn_like(parameter) * (1.0 if step % 2 else 1e-3)
    if step < 2:
        parameters[-1].grad = None


def test_steps_are_those_of_pytorch_after_clipping(way):
    ours = AdamW(groups(), clip=2.0, **OPTIONS)
    plain = torch.optim.AdamW(groups(), foreach=False, fused=False, **OPTIONS)
    for step in range(6):
        for optimiser in (ours, plain):
            give_gradients(parameters_of(optimiser), step)
        clip_grad_norm_(parameters_of(plain), 2.0)
        ours.step()
        plain.step()
    for mine, theirs in zip(parameters_of(ours), parameters_of(plain), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)
        for name in ("step", "exp_avg", "exp_avg_sq"):
            torch.testing.assert_close(ours.state[mine][name], plain.state[theirs][name], rtol=1e-4, atol=1e-8)


def test_an_optimiser_goes_on_where_another_was(way):
    whole = AdamW(groups(), clip=2.0, **OPTIONS)
    half = AdamW(groups(), clip=2.0, **OPTIONS)
    for step in range(4):
        give_gradients(parameters_of(whole), step)
        whole.step()
        if step == 1:
            for mine, theirs in zip(parameters_of(half), parameters_of(whole), strict=True):
                mine.data.copy_(theirs)
            half.load_state_dict(copy.deepcopy(whole.state_dict()))
        if step > 1:
            give_gradients(parameters_of(half), step)
            half.step()
    assert all(map(torch.equal, parameters_of(half), parameters_of(whole)))


def test_every_number_of_threads_makes_the_very_same_step():
    def stepped(count: int) -> list[torch.Tensor]:
        optimiser = AdamW(groups(), clip=2.0, **OPTIONS)
        give_gradients(parameters_of(optimiser), 3)
        with threads(count):
            optimiser.step()
        return parameters_of(optimiser)

    if kernels().library is None:
        pytest.skip(kernels().why)
    alone = stepped(1)
    for count in (2, 3):
        assert all(map(torch.equal, stepped(count), alone))


def test_a_gradient_that_is_not_finite_shows_in_every_weight(way):
    optimiser = AdamW(groups(), clip=2.0, **OPTIONS)
    give_gradients(parameters_of(optimiser), 3)
    parameters_of(optimiser)[1].grad[0] = torch.nan
    optimiser.step()
    assert not any(parameter.isfinite().any() for parameter in parameters_of(optimiser))
