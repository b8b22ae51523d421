"""The peer does the same work: equal outputs, equal updates, the same examples."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from toy import examples, features, setting

from stilts_core.bench import trainer, training
from stilts_core.compute import Compute
from stilts_core.encoder import load_encoder
from stilts_core.evaluation import predict
from stilts_core.training import Schedule

FAMILIES = ("mnli", "tagged", "squad", "two choices")
PLAIN = trainer.Configuration(attention="eager")


def job(folder, name: str, count: int, batch_size: int) -> training.Job:
    """A training on toy examples; HF's model of choices wants as many choices in every example."""
    encoder = load_encoder(str(folder))
    task = {"tagged": "udpos", "two choices": "hellaswag"}.get(name, name)
    chosen = setting(task)
    if name == "two choices":
        items = [replace(e, choices=e.choices[:2], label=0) for e in examples(task, count)]
        columns = chosen.family.features(items, encoder.tokens, chosen)
    else:
        columns = features(encoder, task, count)
    schedule = Schedule(epochs=1.0, lr=1e-3, batch_size=batch_size, seed=0)
    return training.Job(str(folder), chosen, columns, schedule, Compute())


@pytest.fixture(params=["tiny_bert", "tiny_xlmr"])
def folder(request, one_thread):
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("name", FAMILIES)
def test_peer_has_our_weights_and_predicts_our_outputs(folder, name):
    work = job(folder, name, 10, 4)
    encoder, head = training.start(work)
    model = trainer.model_of(folder, work.setting, head, "eager")
    theirs, _ = trainer.predict(model, work.features, work.setting, PLAIN, work.compute, pad=encoder.tokens.pad, rows=3)
    ours = predict(encoder, head, work.features, work.compute)
    np.testing.assert_allclose(theirs, ours, atol=1e-4)


@pytest.mark.parametrize("name", FAMILIES)
def test_one_update_of_the_peer_is_one_update_of_ours(folder, name):
    # transformers' loss of spans counts padding as a place to answer; so that one gets a single window.
    work = job(folder, name, 1 if name == "squad" else 6, 6)
    _, encoder, _ = training.ours(work)
    _, model, _ = training.theirs(work, PLAIN)
    before = load_encoder(str(folder)).model.state_dict()
    theirs = model.base_model.state_dict()
    for key, weights in encoder.model.state_dict().items():
        if "layer.0" in key and key.endswith("weight"):
            assert not torch.equal(weights, before[key])
            torch.testing.assert_close(weights, theirs[key], atol=2e-5, rtol=1e-3)


@pytest.mark.parametrize("by_length, pool", [(False, None), (True, None), (True, 50)])
def test_both_see_the_same_examples_in_as_many_updates(tiny_bert, one_thread, monkeypatch, by_length, pool):
    work = job(tiny_bert, "mnli", 22, 4)
    seen = {"ours": [], "theirs": []}
    step = training.train.__globals__["Plan"].__getitem__

    def watched(self, number):
        task, chosen = step(self, number)
        seen["ours"].append(chosen)
        return task, chosen

    collate = trainer.collate

    def collated(columns, chosen, pad):
        seen["theirs"].append(chosen)
        return collate(columns, chosen, pad)

    monkeypatch.setattr(training.train.__globals__["Plan"], "__getitem__", watched)
    monkeypatch.setattr(trainer, "collate", collated)
    ours, _, _ = training.ours(work)
    theirs, _, _ = training.theirs(work, replace(PLAIN, by_length=by_length, pool=pool))
    assert ours.steps == theirs.steps == len(seen["ours"]) == len(seen["theirs"]) == 6
    assert sorted(np.concatenate(seen["ours"])) == sorted(np.concatenate(seen["theirs"])) == list(range(22))
    assert ours.tokens == theirs.tokens == len(work.features.ids)


def test_peer_follows_our_schedule(tiny_bert, one_thread, monkeypatch):
    work = job(tiny_bert, "mnli", 20, 4)
    rates = []
    watch = type("Watch", (trainer.Clock,), {"on_pre_optimizer_step": lambda self, *_, **k: rates.append(k)})
    monkeypatch.setattr(trainer, "Clock", watch)
    training.theirs(work, PLAIN)
    schedulers = [k["lr_scheduler"] for k in rates]
    assert len(schedulers) == 5
    expected = [work.schedule.lr_at(step, 5) / work.schedule.lr for step in range(5)]
    assert [schedulers[0].lr_lambdas[0](step) for step in range(5)] == expected


def test_peer_pads_no_more_than_we_do_where_as_many_batches_are_sorted_together(tiny_bert, one_thread):
    work = job(tiny_bert, "mnli", 80, 8)
    sorted_together, _, _ = training.theirs(work, replace(PLAIN, by_length=True, pool=training.POOL))
    as_it_comes, _, _ = training.theirs(work, replace(PLAIN, by_length=True))
    batches = np.array_split(np.sort(work.features.lengths)[::-1], 10)
    padded = sum(len(batch) * batch.max() for batch in batches)
    assert sorted_together.padded == padded < as_it_comes.padded
