"""The training loop equals plain loops, does not depend on micro-batches, and resumes after being killed."""

import json
from dataclasses import replace
from itertools import chain, count, repeat
from pathlib import Path

import numpy as np
import pytest
import torch
from killed_training import DEATHS
from safetensors.torch import load_file
from torch.nn.utils import clip_grad_norm_
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes
from toy import TASKS, make_auxiliary, make_auxiliary_task, make_mlm_task, make_training_task
from transformers import AutoModelForSequenceClassification

from stilts_core.encoders.cpu.adamw import AdamW
from stilts_core.errors import TrainingError
from stilts_core.families.batches import collate
from stilts_core.families.language import Discriminator
from stilts_core.runs.encoders import load_encoder
from stilts_core.tasks.auxiliaries import AUXILIARIES
from stilts_core.training import gradients, loop, monitor
from stilts_core.training.batching import GroupSampling
from stilts_core.training.compute import Compute
from stilts_core.training.gradients import accumulate_gradient
from stilts_core.training.loop import train
from stilts_core.training.phase import Phase
from stilts_core.training.schedule import Plan, Schedule, TrainingTask

SCHEDULE = Schedule(epochs=2, lr=1e-3, batch_size=4, seed=3)


@pytest.fixture(autouse=True)
def seeded(one_thread):
    torch.manual_seed(0)


@pytest.fixture(params=["tiny_xlmr", "tiny_bert"])
def folder(request) -> str:
    return str(request.getfixturevalue(request.param))


@pytest.fixture
def encoder(tiny_xlmr):
    return load_encoder(str(tiny_xlmr), dropout=0.0)


@pytest.fixture
def trained(tmp_path):
    """Trains, and returns the phase."""

    def trained(encoder, tasks, schedule=SCHEDULE, compute=None, **beside) -> Phase:
        compute = compute or Compute()
        return train(encoder, tasks, schedule, title="test", checkpoints=tmp_path / "steps", compute=compute, **beside)

    return trained


# --- killed and started again
@pytest.fixture(scope="module")
def results(folder_of) -> Path:
    return folder_of("killed_training")


@pytest.mark.parametrize("death", [death for death in DEATHS if death != "never"])
def test_killed_and_resumed_training_equals_an_uninterrupted_one_bitwise(results, death):
    expected, actual = (load_file(results / name / "result.safetensors") for name in ("never", death))
    assert actual.keys() == expected.keys()
    assert all(torch.equal(actual[name], expected[name]) for name in expected)
    expected, actual = (json.loads((results / name / "result.json").read_text()) for name in ("never", death))
    for report in (expected, actual):
        assert all(report.pop(name) > 0 for name in ("seconds", "processor_seconds", "first_step_seconds"))
        assert all(point.pop("seconds") > 0 for point in report["curve"])
    assert actual == expected


def test_finished_training_is_not_repeated(encoder, trained):
    task = make_training_task(encoder, "mnli", 8)
    always = Compute(checkpoint_seconds=0.0)
    phase, weights = trained(encoder, [task], compute=always), encoder.word_embeddings.clone()
    assert trained(encoder, [task], compute=always) == phase
    assert torch.equal(encoder.word_embeddings, weights)


# --- against plain loops
def test_training_equals_a_plain_loop_over_the_model_of_transformers(folder, trained):
    encoder = load_encoder(folder, dropout=0.0)
    task = make_training_task(encoder, "mnli", 22)
    schedule = replace(SCHEDULE, clip=0.5, weight_decay=0.3)
    settings = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0, "num_labels": 3}
    theirs = AutoModelForSequenceClassification.from_pretrained(folder, **settings)
    dense, last = (
        (theirs.classifier.dense, theirs.classifier.out_proj)
        if encoder.kind == "xlm-roberta"
        else (theirs.bert.pooler.dense, theirs.classifier)
    )
    dense.load_state_dict(task.head.dense.state_dict())
    last.load_state_dict(task.head.classifier.state_dict())

    plan, named = Plan([task], schedule), dict(theirs.named_parameters())
    plain = {name for name in named if name.endswith("bias") or "LayerNorm" in name}
    groups = [
        {"params": [named[name] for name in named if name not in plain], "weight_decay": schedule.weight_decay},
        {"params": [named[name] for name in plain], "weight_decay": 0.0},
    ]
    optimiser = torch.optim.AdamW(groups, eps=1e-8, foreach=False, fused=False)
    losses = []
    theirs.train()
    for step in range(plan.steps):
        batch = collate(task.features, plan[step][1], encoder.tokenizer.pad)
        inputs = {"input_ids": batch.ids, "attention_mask": batch.mask.long(), "token_type_ids": batch.types}
        loss = theirs(**inputs, labels=batch.targets["label"]).loss
        loss.backward()
        clip_grad_norm_(theirs.parameters(), schedule.clip)
        for group in optimiser.param_groups:
            group["lr"] = schedule.lr_at(step, plan.steps)
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())

    phase = trained(encoder, [task], schedule)
    assert phase.steps == 12
    np.testing.assert_allclose([point["loss"] for point in phase.curve], losses, rtol=1e-4)
    for name, parameter in encoder.model.named_parameters():
        if not name.endswith("key.bias"):  # softmax leaves it no gradient, and Adam makes steps of the rounding errors
            torch.testing.assert_close(parameter, theirs.base_model.get_parameter(name), rtol=1e-3, atol=2e-5)


def test_weights_decay_and_one_dimensional_parameters_do_not(encoder, trained):
    task = make_training_task(encoder, "mnli", 8)
    before = {name: parameter.detach().clone() for name, parameter in encoder.model.named_parameters()}
    for parameter in task.head.parameters():
        torch.nn.init.zeros_(parameter)  # the encoder then gets no gradient, and only decays
    phase = trained(encoder, [task], replace(SCHEDULE, epochs=0.5, weight_decay=10.0))
    assert phase.unused_scale < 0.995
    for name, parameter in encoder.model.named_parameters():
        scale = phase.unused_scale if parameter.ndim > 1 else 1.0
        torch.testing.assert_close(parameter, before[name] * scale)


@pytest.mark.parametrize("name", TASKS)
def test_training_lowers_the_loss_of_every_family(name, encoder, trained):
    task = make_training_task(encoder, name, 32)
    curve = trained(encoder, [task], replace(SCHEDULE, epochs=12, lr=3e-3)).curve
    losses = [point["loss"] for point in curve]
    assert np.mean(losses[-8:]) < 0.7 * np.mean(losses[:8])


# --- micro-batches
@pytest.mark.parametrize("name", TASKS)
def test_accumulated_gradient_equals_that_of_the_whole_batch(name, encoder):
    """The micro-batches hold different numbers of words, sub-words, and choices."""
    task = make_training_task(encoder, name, 9)
    gradients = []
    for budget in (60, 100_000):
        phase = Phase(steps=1)
        loss, _ = accumulate_gradient(encoder, task, np.arange(9), 0.5, (3, 0), Compute(token_budget=budget), phase)
        modules = torch.nn.ModuleList([encoder.model, task.head])
        gradients.append([loss] + [p.grad.clone() for p in modules.parameters() if p.grad is not None])
        modules.zero_grad()
        assert phase.tokens == len(task.features.ids)
    for accumulated, whole in zip(*gradients, strict=True):
        torch.testing.assert_close(accumulated, whole, rtol=1e-4, atol=1e-6)


def test_contrastive_loss_has_the_same_dropout_when_it_is_recomputed(tiny_xlmr, monkeypatch):
    encoder, computed = load_encoder(str(tiny_xlmr), dropout=0.3), []
    task = make_training_task(encoder, "lareqa", 9)
    encoder.model.train()
    for again in (True, False):
        if not again:
            monkeypatch.setattr(gradients, "recompute_in_backward", lambda function, batch, **_: function(batch))
        torch.manual_seed(0)
        loss, _ = accumulate_gradient(
            encoder, task, np.arange(9), 1.0, (3, 0), Compute(token_budget=60), Phase(steps=1)
        )
        computed.append([loss] + [parameter.grad.clone() for parameter in encoder.model.parameters()])
        encoder.model.zero_grad()
    torch.testing.assert_close(*computed)


def test_phase_counts_sub_words_and_padding(encoder, trained):
    task = make_training_task(encoder, "mnli", 12)
    phase = trained(encoder, [task])
    lengths = np.diff(task.features.starts)
    assert phase.tokens == 2 * lengths.sum()
    assert phase.squares == 2 * (lengths**2).sum()
    assert 0 < phase.padding_share < 0.5
    assert [point["step"] for point in phase.curve] == list(range(1, phase.steps + 1))


# --- the vocabulary
@pytest.mark.parametrize("name", ["mnli", "udpos"])
def test_training_with_a_trimmed_vocabulary_equals_training_with_the_full_one(name, tiny_xlmr, tmp_path):
    finished = []
    for trimmed in (False, True):
        torch.manual_seed(0)
        encoder = load_encoder(str(tiny_xlmr), dropout=0.1)
        task = make_training_task(encoder, name, 16, dropout=0.1)
        if trimmed:
            encoder.trim_vocabulary(np.unique(task.features.ids))
        schedule = replace(SCHEDULE, weight_decay=0.5, lr=1e-2)
        phase = train(encoder, [task], schedule, title="", checkpoints=tmp_path / str(trimmed), compute=Compute())
        weights = encoder.model.state_dict() | {encoder.embeddings_name: encoder.expand_embeddings(phase.unused_scale)}
        finished.append((weights, [point["loss"] for point in phase.curve]))
    torch.testing.assert_close(*finished, rtol=1e-4, atol=1e-5)
    assert encoder.embedding_count < encoder.vocabulary_size


# --- masked-LM co-training
def test_co_training_adds_a_masked_lm_loss_to_every_step(encoder, trained):
    task, mlm = make_training_task(encoder, "mnli", 8), make_mlm_task(encoder, 6)
    phase = trained(encoder, [task], replace(SCHEDULE, auxiliary_weight=0.5), beside=mlm)
    points = {name: [p["step"] for p in phase.curve if p["task"] == name] for name in ("mnli", "mlm")}
    assert points["mnli"] == points["mlm"] == [1, 2, 3, 4]


@pytest.mark.parametrize("name", AUXILIARIES)
def test_weight_zero_computes_the_same_passes_and_leaves_encoder_and_task_as_they_are_without(
    name, tiny_xlmr, tmp_path
):
    finished, tokens = [], []
    for weight in (None, 0.0, 0.5):
        torch.manual_seed(0)
        encoder = load_encoder(str(tiny_xlmr), dropout=0.1)
        task = make_training_task(encoder, "mnli", 8)
        beside = None if weight is None else make_auxiliary_task(encoder, name, 9)
        schedule = replace(SCHEDULE, auxiliary_weight=weight or 0.0, clip=0.1)
        folder = tmp_path / str(weight)
        phase = train(encoder, [task], schedule, title="", checkpoints=folder, compute=Compute(), beside=beside)
        finished.append(encoder.model.state_dict() | task.head.state_dict())
        tokens.append(phase.tokens)
    without, zero, half = finished
    assert all(torch.equal(zero[key], without[key]) for key in without)
    assert not torch.equal(half["embeddings.word_embeddings.weight"], without["embeddings.word_embeddings.weight"])
    assert tokens[0] < tokens[1] == tokens[2]


@pytest.mark.parametrize("name", AUXILIARIES)
def test_interrupted_training_with_an_auxiliary_resumes_bitwise(name, tiny_xlmr, tmp_path, monkeypatch):
    """Its head's weights and moments, its running means, and the order of its languages."""

    def train_with(folder: str, steps: int | None = None) -> tuple[dict, list]:
        torch.manual_seed(0)
        encoder = load_encoder(str(tiny_xlmr), dropout=0.1)
        task, made = make_training_task(encoder, "mnli", 12), make_auxiliary(encoder, name, 9)
        sampling = None if name == "mlm" else GroupSampling(made.groups, np.array([0.2, 0.5, 0.3]))
        beside = TrainingTask(name, made.features, made.new_head(encoder), sampling)
        schedule = replace(SCHEDULE, auxiliary_weight=0.5, auxiliary_rises=True)
        calls, make_step = count(1), loop.make_step

        def stopping(*args) -> None:
            if next(calls) == steps:
                raise InterruptedError
            make_step(*args)

        compute = Compute(checkpoint_seconds=0.0)
        with monkeypatch.context() as patch:
            patch.setattr(loop, "make_step", stopping)
            phase = train(encoder, [task], schedule, checkpoints=tmp_path / folder, compute=compute, beside=beside)
        losses = [(point["loss"], point.get("accuracy")) for point in phase.curve]
        return encoder.model.state_dict() | beside.head.state_dict(), losses

    expected, losses = train_with("whole")
    with pytest.raises(InterruptedError):
        train_with("interrupted", steps=4)
    actual, again = train_with("interrupted")
    assert all(torch.equal(actual[key], expected[key]) for key in expected) and again == losses


def test_discriminator_is_trained_also_where_its_weight_is_zero(encoder, trained):
    beside = make_auxiliary_task(encoder, "reversal", 12)
    before = beside.head.classifier.weight.clone()
    phase = trained(
        encoder, [make_training_task(encoder, "mnli", 8)], replace(SCHEDULE, auxiliary_weight=0), beside=beside
    )
    assert not torch.equal(beside.head.classifier.weight, before)
    curve = [point for point in phase.curve if point["task"] == "reversal"]
    assert all(0 <= point["accuracy"] <= 1 for point in curve) and len(curve) == phase.steps
    assert all("accuracy" not in point for point in phase.curve if point["task"] == "mnli")


@pytest.mark.parametrize("supported", [True, False], ids=["kernels", "PyTorch"])
def test_gradients_of_an_adversary_are_clipped_apart(supported, monkeypatch):
    if not supported:
        monkeypatch.setattr("stilts_core.encoders.cpu.adamw._is_supported", lambda parameter: False)

    def moved(*scales: float) -> list[torch.Tensor]:
        """What two steps do to a parameter of the encoder and to one of an adversary, by the scale of its gradient."""
        encoder, adversary = torch.nn.Linear(3, 2), Discriminator(2, 2)
        torch.nn.init.ones_(encoder.weight)
        modules = torch.nn.ModuleDict({"encoder": encoder, "head": adversary})
        optimiser = loop.build_optimiser(modules, replace(SCHEDULE, clip=0.3))
        for scale in scales:
            for parameter in modules.parameters():
                parameter.grad = torch.ones_like(parameter)
            for parameter in adversary.parameters():
                parameter.grad *= scale
            optimiser.step()
        return [optimiser.state[parameter]["exp_avg"] for parameter in (encoder.weight, adversary.classifier.weight)]

    (encoder, adversary), (same, larger), (_, small) = moved(1, 1), moved(100, 100), moved(1e-3, 1e-3)
    assert torch.equal(encoder, same)
    torch.testing.assert_close(larger, adversary)  # both are clipped to the same norm
    assert small.norm() < 0.1 * adversary.norm()


# --- errors
def test_task_without_examples_is_an_error_that_names_it(encoder, trained):
    tasks = [make_training_task(encoder, "mnli", 8), make_training_task(encoder, "udpos", 0)]
    with pytest.raises(TrainingError, match=r"udpos has no training examples; add examples or leave the task out"):
        trained(encoder, tasks)


def test_loss_that_becomes_nan_is_an_error_that_names_step_and_task(encoder, trained):
    task = make_training_task(encoder, "mnli", 8)
    calls = chain([1.0, 1.0, float("nan")], repeat(1.0))  # losses are read later, several at once
    loss = task.head.loss
    task.head.loss = lambda hidden, batch: loss(hidden, batch) * next(calls)
    with pytest.raises(TrainingError, match=r"mnli is nan at step 3, with learning rate 0\.000\d+; lower the learning"):
        trained(encoder, [task])


def test_loss_that_becomes_nan_long_before_a_point_of_the_curve_ends_the_run(encoder, trained, monkeypatch):
    monkeypatch.setattr(monitor, "CURVE_POINTS", 1)
    monkeypatch.setattr(monitor, "READING_INTERVAL", 0.0)
    task = make_training_task(encoder, "mnli", 8)
    calls = chain([1.0, float("nan")], repeat(1.0))
    loss = task.head.loss
    task.head.loss = lambda hidden, batch: loss(hidden, batch) * next(calls)
    with pytest.raises(TrainingError, match="mnli is nan at step 2, with learning rate"):
        trained(encoder, [task])


# --- no waiting for a GPU
class Waits(TorchDispatchMode):
    """Counts operations whose result the host needs: on a GPU, the host waits for each of them."""

    KNOWN = ("_local_scalar_dense", "nonzero", "masked_select", "is_nonzero", "equal", "_unique2", "bincount")

    def __init__(self):
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        name = function.overloadpacket.__name__
        indices = args[1] if name in ("index", "index_put", "index_put_", "_index_put_impl_") else ()
        if name in self.KNOWN or any(index is not None and index.dtype == torch.bool for index in indices):
            self.names.append(name)
        return function(*args, **kwargs or {})


def waits(encoder, tasks, folder, monkeypatch, steps: int, **beside) -> list[str]:
    """The waits in a training of `steps` steps, without those for tensors of the host."""
    prepare, counted = gradients.prepare_micro_batches, Waits()

    def on_the_host(*args):
        with _disable_current_modes():
            return prepare(*args)

    with monkeypatch.context() as patch, counted:
        patch.setattr(gradients, "prepare_micro_batches", on_the_host)
        patch.setattr(monitor, "READING_INTERVAL", 60.0)
        schedule = replace(SCHEDULE, epochs=steps, batch_size=16, auxiliary_weight=0.5)
        train(encoder, tasks, schedule, title="", checkpoints=folder / str(steps), compute=Compute(), **beside)
    return counted.names


@pytest.mark.parametrize("name", [*TASKS, *AUXILIARIES])
def test_steps_never_wait_for_the_device(name, encoder, tmp_path, monkeypatch):
    task = make_training_task(encoder, "mnli" if name in AUXILIARIES else name, 16)
    beside = {"beside": make_auxiliary_task(encoder, name, 16)} if name in AUXILIARIES else {}
    few, many = (waits(encoder, [task], tmp_path, monkeypatch, steps, **beside) for steps in (1, 4))
    assert few and many == few  # only those at the end of the phase


# --- checkpoints
def test_slow_checkpoints_are_written_less_often(encoder, trained, monkeypatch):
    task, clock, shares = make_training_task(encoder, "mnli", 8), [0.0], {}
    step = AdamW.step

    def passing(*args, **kwargs):
        clock[0] += 1.0
        return step(*args, **kwargs)

    monkeypatch.setattr(AdamW, "step", passing)
    monkeypatch.setattr(monitor.time, "perf_counter", lambda: clock[0])
    for cost in (0.5, 10.0):
        saves = []

        def writing(folder, done, *, saves=saves, cost=cost, **_):
            saves.append(done)
            clock[0] += cost

        monkeypatch.setattr(loop, "write_checkpoint", writing)
        trained(encoder, [task], replace(SCHEDULE, epochs=75), Compute(checkpoint_seconds=10.0))
        shares[cost] = np.diff(saves[:-1])
    assert (shares[0.5] == 11).all() and (shares[10.0] == 51).all()
