"""The peer does the same case as our loop: equal outputs, equal updates, the same examples."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy import make_examples, make_features, make_setting

from stilts_core.bench import trainer_peer, training
from stilts_core.bench.trainer_peer import TrainerConfiguration
from stilts_core.bench.training import TrainingCase
from stilts_core.families.table import get_family
from stilts_core.runs.encoders import load_encoder
from stilts_core.runs.prediction import predict
from stilts_core.training.compute import Compute
from stilts_core.training.schedule import Schedule

FAMILIES = ("mnli", "tagged", "squad", "two choices")
PLAIN = TrainerConfiguration(attention="eager")


def toy_case(folder, name: str, count: int, batch_size: int) -> TrainingCase:
    """A training case of toy examples. transformers' multiple-choice model needs as many choices in every example."""
    encoder = load_encoder(str(folder))
    task = {"tagged": "udpos", "two choices": "hellaswag"}.get(name, name)
    chosen = make_setting(task)
    if name == "two choices":
        items = [replace(e, choices=e.choices[:2], label=0) for e in make_examples(task, count)]
        columns = get_family(chosen.task).make_features(items, encoder.tokenizer, chosen)
    else:
        columns = make_features(encoder, task, count)
    schedule = Schedule(epochs=1.0, lr=1e-3, batch_size=batch_size, seed=0)
    return TrainingCase(str(folder), chosen, columns, schedule, Compute())


@pytest.fixture(params=["tiny_bert", "tiny_xlmr"])
def folder(request, one_thread):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("name", FAMILIES)
def test_peer_has_our_weights_and_predicts_our_outputs(folder, name):
    case = toy_case(folder, name, 10, 4)
    encoder, head = training.load_pretrained(case)
    model = trainer_peer.build_model(folder, case.setting, head, "eager")
    theirs, _ = trainer_peer.predict_outputs(
        model, case.features, case.setting, PLAIN, case.compute, pad=encoder.tokenizer.pad, rows=3
    )
    ours = predict(encoder, head, case.features, case.compute)
    np.testing.assert_allclose(theirs, ours, atol=1e-4)


@pytest.mark.parametrize("name", FAMILIES)
def test_one_update_of_the_peer_is_one_update_of_ours(folder, name):
    # transformers' span loss counts padding as possible answers, so spans get a single window without padding.
    case = toy_case(folder, name, 1 if name == "squad" else 6, 6)
    _, encoder, _ = training.train_ours(case)
    _, model, _ = training.train_theirs(case, PLAIN)
    before = load_encoder(str(folder)).model.state_dict()
    theirs = model.base_model.state_dict()
    for key, weights in encoder.model.state_dict().items():
        if "layer.0" in key and key.endswith("weight"):
            assert not torch.equal(weights, before[key])
            torch.testing.assert_close(weights, theirs[key], atol=2e-5, rtol=1e-3)


@pytest.mark.parametrize("by_length, pool", [(False, None), (True, None), (True, 50)])
def test_both_see_the_same_examples_in_as_many_updates(tiny_bert, one_thread, monkeypatch, by_length, pool):
    case = toy_case(tiny_bert, "mnli", 22, 4)
    seen = {"ours": [], "theirs": []}
    step = training.train.__globals__["Plan"].__getitem__

    def watched(self, number):
        task, chosen = step(self, number)
        seen["ours"].append(chosen)
        return task, chosen

    collate = trainer_peer.collate

    def watched_collate(features, chosen, pad):
        seen["theirs"].append(chosen)
        return collate(features, chosen, pad)

    monkeypatch.setattr(training.train.__globals__["Plan"], "__getitem__", watched)
    monkeypatch.setattr(trainer_peer, "collate", watched_collate)
    ours, _, _ = training.train_ours(case)
    theirs, _, _ = training.train_theirs(case, replace(PLAIN, by_length=by_length, pool=pool))
    assert ours.steps == theirs.steps == len(seen["ours"]) == len(seen["theirs"]) == 6
    assert sorted(np.concatenate(seen["ours"])) == sorted(np.concatenate(seen["theirs"])) == list(range(22))
    assert ours.tokens == theirs.tokens == len(case.features.ids)


def test_peer_follows_our_schedule(tiny_bert, one_thread, monkeypatch):
    case = toy_case(tiny_bert, "mnli", 20, 4)
    arguments = []
    hook = {"on_pre_optimizer_step": lambda self, *_, **k: arguments.append(k)}
    monkeypatch.setattr(trainer_peer, "TrainingClock", type("Watch", (trainer_peer.TrainingClock,), hook))
    training.train_theirs(case, PLAIN)
    schedulers = [k["lr_scheduler"] for k in arguments]
    assert len(schedulers) == 5
    expected = [case.schedule.lr_at(step, 5) / case.schedule.lr for step in range(5)]
    assert [schedulers[0].lr_lambdas[0](step) for step in range(5)] == expected


def test_peer_pads_no_more_than_ours_with_as_many_batches_sorted_together(tiny_bert, one_thread):
    case = toy_case(tiny_bert, "mnli", 80, 8)
    sorted_together, _, _ = training.train_theirs(case, replace(PLAIN, by_length=True, pool=training.POOL))
    default_pools, _, _ = training.train_theirs(case, replace(PLAIN, by_length=True))
    batches = np.array_split(np.sort(case.features.lengths)[::-1], 10)
    padded = sum(len(batch) * batch.max() for batch in batches)
    assert sorted_together.padded == padded < default_pools.padded
