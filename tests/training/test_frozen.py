"""Frozen parts: they have no gradient, no optimiser state and no backward pass, and all other parts train as usual."""

import threading
from dataclasses import replace

import pytest
import torch
from toy import TASKS, make_mlm_task, make_training_task

from stilts_core.encoders.cpu import fused_layer, layer
from stilts_core.encoders.cpu.adamw import AdamW
from stilts_core.encoders.encoder import Encoder
from stilts_core.runs.encoders import load_encoder
from stilts_core.training.compute import Compute
from stilts_core.training.loop import build_optimiser, train
from stilts_core.training.schedule import Schedule

SCHEDULE = Schedule(epochs=1, lr=1e-2, batch_size=4, seed=3, weight_decay=0.5, clip=1e9)


@pytest.fixture(autouse=True)
def seeded(one_thread):
    torch.manual_seed(0)


@pytest.fixture
def encoder(tiny_xlmr) -> Encoder:
    return load_encoder(str(tiny_xlmr), dropout=0.1)


def parameters(encoder: Encoder) -> dict[str, torch.Tensor]:
    return {name: parameter.detach().clone() for name, parameter in encoder.model.named_parameters()}


def is_below(name: str, frozen: int | None) -> bool:
    """Whether a parameter is part of the embeddings or of the lowest `frozen` layers."""
    if frozen is None:
        return False
    return name.startswith("embeddings") or int(name.split(".")[2]) < frozen


@pytest.mark.parametrize(
    ("name", "frozen"),
    # With the whole encoder frozen, LAReQA has nothing left to train.
    [(name, frozen) for name in TASKS for frozen in (0, 2, 3) if (name, frozen) != ("lareqa", 3)],
)
def test_trained_parts_get_the_gradients_that_they_have_without_freezing(encoder, name, frozen):
    task, gradients = make_training_task(encoder, name, 8, dropout=0.1), []

    class Recorded(AdamW):
        def step(self):
            named = [*encoder.model.named_parameters(), *task.head.named_parameters()]
            gradients.append({key: None if p.grad is None else p.grad.clone() for key, p in named})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("stilts_core.training.loop.AdamW", Recorded)
        for layers in (None, frozen):
            schedule = replace(SCHEDULE, steps=1, frozen=layers)
            train(encoder, [task], schedule, title="", checkpoints=None, compute=Compute())
    whole, partial = gradients
    body = {key for key, _ in encoder.model.named_parameters()}
    for key, gradient in partial.items():
        if key in body and is_below(key, frozen):
            assert gradient is None
        else:
            assert gradient is not None and torch.equal(gradient, whole[key]), key


@pytest.mark.parametrize("frozen", [None, 0, 2, 3])
@pytest.mark.parametrize("with_mlm", [False, True])
def test_frozen_parts_are_bitwise_unchanged_and_everything_else_moves(encoder, frozen, with_mlm):
    task, before = make_training_task(encoder, "mnli", 16), parameters(encoder)
    mlm = {"beside": make_mlm_task(encoder, 8)} if with_mlm else {}
    schedule = replace(SCHEDULE, frozen=frozen, auxiliary_weight=0.5)
    phase = train(encoder, [task], schedule, title="", checkpoints=None, compute=Compute(), **mlm)
    for name, parameter in encoder.model.named_parameters():
        assert parameter.requires_grad
        if not name.endswith("key.bias"):  # softmax leaves it no gradient
            assert torch.equal(parameter, before[name]) is is_below(name, frozen), name
    assert (phase.unused_scale == 1.0) is (frozen is not None)  # frozen embeddings do not decay


def test_optimiser_has_no_frozen_parameters(encoder):
    encoder.freeze(2)
    optimiser = build_optimiser(encoder.model, SCHEDULE)
    sizes = sum(parameter.numel() for group in optimiser.param_groups for parameter in group["params"])
    trained = sum(tensor.numel() for name, tensor in parameters(encoder).items() if not is_below(name, 2))
    assert 0 < sizes == trained
    encoder.freeze(None)
    assert all(parameter.requires_grad for parameter in encoder.model.parameters())


@pytest.mark.parametrize("kernels", [True, False])
def test_frozen_layers_have_no_backward_pass(encoder, kernels, monkeypatch):
    """Nor do they store anything for it, and their weights are packed once."""
    if kernels and not fused_layer.has_kernels(encoder.model.encoder.layer[0]):
        pytest.skip("this machine has no kernels")
    owner, name = (fused_layer.FusedLayer, "FusedLayer") if kernels else (layer._Layer, "_Layer")
    calls, packed, lock = [], [], threading.Lock()  # autograd calls backward in a thread of its own
    backward, pack = owner.backward, layer.pack_weights

    class Counted(owner):
        @staticmethod
        def backward(ctx, *args):
            with lock:
                calls.append(1)
            return backward(ctx, *args)

    def counted_pack(weights, dtype, training):
        packed.append(training)
        return pack(weights, dtype, training)

    monkeypatch.setattr(layer, name, Counted)
    monkeypatch.setattr(layer, "has_kernels", lambda _: kernels)
    monkeypatch.setattr(layer, "pack_weights", counted_pack)
    task = make_training_task(encoder, "mnli", 16)
    train(encoder, [task], replace(SCHEDULE, steps=4, frozen=2), title="", checkpoints=None, compute=Compute())
    assert len(calls) == 4  # one layer of three, in four steps
    assert not kernels or (packed.count(False), packed.count(True)) == (2, 4)


def test_training_with_frozen_parts_resumes_bitwise(tiny_xlmr, tmp_path, monkeypatch):
    def trained(folder: str) -> dict[str, torch.Tensor]:
        torch.manual_seed(0)
        encoder = load_encoder(str(tiny_xlmr), dropout=0.1)
        task, schedule = make_training_task(encoder, "udpos", 16), replace(SCHEDULE, steps=6, frozen=1)
        always = Compute(checkpoint_seconds=0.0)
        train(encoder, [task], schedule, title="", checkpoints=tmp_path / folder, compute=always)
        return parameters(encoder) | {f"head {name}": p for name, p in task.head.named_parameters()}

    whole, step, done = trained("whole"), AdamW.step, []

    def dying(optimiser):
        done.append(1)
        if len(done) == 4:
            raise KeyboardInterrupt
        step(optimiser)

    monkeypatch.setattr(AdamW, "step", dying)
    with pytest.raises(KeyboardInterrupt):
        trained("killed")
    resumed = trained("killed")
    assert len(done) == 4 + 3 and resumed.keys() == whole.keys()
    assert all(torch.equal(tensor, resumed[name]) for name, tensor in whole.items())
