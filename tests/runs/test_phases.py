"""The intermediate phase is computed once for all targets, and heads are new in every phase."""

import json
import os
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from shared_training import SCHEDULE, task_data
from threads import threads
from toy import make_auxiliary

from stilts_core.encoders.cpu.adamw import AdamW
from stilts_core.families.features import Truncation
from stilts_core.runs import phases
from stilts_core.runs.encoders import load_encoder
from stilts_core.runs.phases import IntermediateFacts, IntermediateMaterial, Link, intermediate_encoder, train_phase
from stilts_core.runs.record import PhaseRecord
from stilts_core.training import checkpoint
from stilts_core.training.compute import Compute

pytestmark = pytest.mark.usefixtures("one_thread")
SCHEDULE = replace(SCHEDULE, epochs=1, auxiliary_weight=1.0)


def make_material(names, texts, changes, encoder) -> IntermediateMaterial:
    tasks = [task_data(encoder, name) for name in names]
    auxiliary = make_auxiliary(encoder, "mlm", texts) if texts else None
    return IntermediateMaterial(tasks, replace(SCHEDULE, **changes), auxiliary, IntermediateFacts(notes=list(names)))


@pytest.fixture
def ask(tiny_xlmr, tmp_path):
    """Asks for the encoder after one phase; returns it, the record of the phase, and the facts."""

    def ask(*, names=("mnli",), texts=0, compute=None, **changes):
        prepare = partial(make_material, names, texts, changes)
        encoder = load_encoder(str(tiny_xlmr), dropout=0.1)
        chain = [Link(tmp_path / "store" / "kept", prepare)]
        encoder, (record,), facts = intermediate_encoder(encoder, chain, compute or Compute())
        return encoder, record, facts

    return ask


def equal(first: dict, second: dict) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def without_reused(record: PhaseRecord | dict) -> dict:
    values = record.model_dump() if isinstance(record, PhaseRecord) else record
    return {name: value for name, value in values.items() if name != "reused"}


def test_intermediate_encoder_is_computed_once_and_reused(ask, tmp_path, monkeypatch):
    first, record, facts = ask()
    monkeypatch.setattr(phases, "train", None)  # it must not be needed
    second, again, stored = ask()
    assert facts == stored == IntermediateFacts(notes=["mnli"])
    assert (record.reused, again.reused) == (False, True)
    assert without_reused(record) == without_reused(again)
    assert equal(first.model.state_dict(), second.model.state_dict())
    assert torch.equal(first.expand_embeddings(), second.expand_embeddings())
    name = record.checkpoint
    assert {path.name for path in (tmp_path / "store").iterdir()} == {name, f"{name}.lock"}


def test_intermediate_encoder_is_what_training_with_the_full_vocabulary_gives(ask, tiny_xlmr, tmp_path):
    found, *_ = ask(weight_decay=0.5, lr=1e-2)
    encoder = load_encoder(str(tiny_xlmr), dropout=0.1)
    schedule = replace(SCHEDULE, weight_decay=0.5, lr=1e-2)
    train_phase("intermediate", encoder, [task_data(encoder, "mnli")], schedule, Compute(), tmp_path / "whole")
    torch.testing.assert_close(found.model.state_dict(), encoder.model.state_dict(), rtol=1e-4, atol=1e-5)
    assert found.embedding_count == encoder.vocabulary_size


def test_masked_language_modelling_alone_is_a_phase_as_long_as_a_task_with_as_many_examples(ask):
    encoder, record, _ = ask(names=(), texts=50, cap=12)
    assert record.tasks == ["mlm"] and {point["task"] for point in record.curve} == {"mlm"}
    assert record.steps == 3 and record.examples == {"mlm": 50}
    assert record.dev == {} and encoder.embedding_count == encoder.vocabulary_size


def test_phase_that_was_trained_but_not_kept_is_not_trained_again(ask, tmp_path, monkeypatch):
    write, always = checkpoint.write, Compute(checkpoint_seconds=0.0)

    def full(folder, tensors, state):
        if not folder.name.startswith("step"):
            raise OSError("disk full")
        write(folder, tensors, state)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "write", full)
        with pytest.raises(OSError, match="disk full"):
            ask(compute=always)
    with monkeypatch.context() as patch:
        patch.setattr(AdamW, "step", None)  # it must not be needed
        resumed, record, _ = ask(compute=always)
    assert not record.reused
    assert not list((tmp_path / "store").glob(".*"))
    checkpoint.shutil.rmtree(tmp_path / "store")
    assert equal(resumed.model.state_dict(), ask()[0].model.state_dict())


def flip_a_digit(state: Path) -> None:
    content = json.loads(state.read_text())
    content["unused_scale"] *= 0.5
    state.write_text(json.dumps(content))


DAMAGES = {
    "tensors missing": lambda folder: (folder / checkpoint.TENSORS).unlink(),
    "tensors cut off": lambda folder: os.truncate(folder / checkpoint.TENSORS, 1000),
    "tensors are zeros": lambda folder: (folder / checkpoint.TENSORS).write_bytes(bytes(5000)),
    "state missing": lambda folder: (folder / checkpoint.STATE).unlink(),
    "state is zeros": lambda folder: (folder / checkpoint.STATE).write_bytes(bytes(500)),
    "state is a list": lambda folder: (folder / checkpoint.STATE).write_text("[]"),
    "state changed": lambda folder: flip_a_digit(folder / checkpoint.STATE),
    "empty folder": lambda folder: [path.unlink() for path in folder.iterdir()],
}


@pytest.fixture(scope="module")
def whole(tmp_path_factory, tiny_xlmr) -> Path:
    """A folder with a finished intermediate checkpoint; it is copied and damaged."""
    folder = tmp_path_factory.mktemp("whole") / "kept"
    with threads(1):
        encoder = load_encoder(str(tiny_xlmr), dropout=0.1)
        intermediate_encoder(encoder, [Link(folder, partial(make_material, ("mnli",), 0, {}))], Compute())
    return folder


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_checkpoint_is_computed_again_with_one_line_that_says_so(ask, whole, tmp_path, name, capsys):
    folder = tmp_path / "store" / "kept"
    shutil.copytree(whole, folder)
    DAMAGES[name](folder)
    _, record, _ = ask()
    lines = [line for line in capsys.readouterr().err.splitlines() if "it is computed again" in line]
    assert len(lines) == 1 and f"Damaged checkpoint {folder}: " in lines[0] and not record.reused
    assert equal(checkpoint.read(folder)[0], checkpoint.read(whole)[0])


def test_error_of_the_disk_is_no_damage(whole, monkeypatch):
    def broken(path):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(checkpoint, "_sha256", broken)
    with pytest.raises(OSError, match="Input/output"):
        checkpoint.read_or_remove(whole)
    assert whole.exists()


def test_checkpoint_of_an_earlier_version_without_its_own_digest_is_reused(ask, whole, tmp_path):
    folder = tmp_path / "store" / "kept"
    shutil.copytree(whole, folder)
    state = json.loads((folder / checkpoint.STATE).read_text())
    del state[checkpoint.OWN_DIGEST]
    (folder / checkpoint.STATE).write_text(json.dumps(state))
    assert ask()[1].reused


# --- several processes
@pytest.fixture(scope="module")
def cases(folder_of) -> Path:
    return folder_of("shared_training")


def finished(case: Path, process: str) -> tuple[dict, dict]:
    return load_file(case / f"{process}.safetensors"), json.loads((case / f"{process}.json").read_text())


def test_two_processes_that_ask_at_once_train_once(cases):
    (first, report), (second, other) = (finished(cases / "at once", process) for process in ("first", "second"))
    assert equal(first, second)
    assert sorted([report["reused"], other["reused"]]) == [False, True]
    assert without_reused(report) == without_reused(other)
    assert f"Waiting for another process that is computing {report['checkpoint']}." in (cases / "stderr").read_text()


def test_process_that_waits_finishes_the_work_of_a_killed_one(cases):
    undisturbed, _ = finished(cases / "at once", "first")
    weights, report = finished(cases / "first killed", "second")
    assert not report["reused"]
    assert equal(weights, undisturbed)


# --- one phase
def test_heads_are_new_in_every_phase(tiny_xlmr, tmp_path):
    encoder = load_encoder(str(tiny_xlmr))
    task, still = task_data(encoder, "mnli"), replace(SCHEDULE, lr=1e-12)

    def head(name: str, schedule) -> dict:
        return train_phase("target", encoder, [task], schedule, Compute(), tmp_path / name)[1]["mnli"].state_dict()

    new, trained, after = head("new", still), head("trained", SCHEDULE), head("after", still)
    assert not torch.allclose(trained["dense.weight"], new["dense.weight"])
    torch.testing.assert_close(after, new)
    assert not torch.allclose(head("other", replace(still, seed=9))["dense.weight"], new["dense.weight"])


def test_record_of_a_phase_describes_its_training(tiny_xlmr, tmp_path):
    encoder = load_encoder(str(tiny_xlmr))
    tasks = [task_data(encoder, "mnli"), task_data(encoder, "udpos")]
    texts = make_auxiliary(encoder, "mlm", 8)
    schedule = replace(SCHEDULE, auxiliary_weight=0.5)
    record, heads, phase = train_phase("target", encoder, tasks, schedule, Compute(), tmp_path, auxiliary=texts)
    assert record.tasks == list(heads) == ["mnli", "udpos"]
    assert record.examples == {"mnli": 16, "udpos": 16}
    assert record.steps == phase.steps == 8
    assert {point["task"] for point in record.curve} == {"mnli", "udpos", "mlm"}
    assert record.dev["mnli"].metric == "accuracy" and record.dev["mnli"].n == 6
    assert 0 <= record.dev["udpos"].score <= 100
    assert record.cut["mnli"] == Truncation(inputs=16)
    assert record.texts == {"en": 8}
    flops = encoder.count_flops(phase.tokens, phase.squares) + phase.head_flops  # that of masked LM
    assert record.flops == 3 * flops and phase.head_flops > 0


def test_task_without_dev_examples_has_no_dev_score(tiny_xlmr, tmp_path):
    encoder = load_encoder(str(tiny_xlmr))
    task = replace(task_data(encoder, "mnli"), dev_examples=[])
    record, _, _ = train_phase("target", encoder, [task], SCHEDULE, Compute(), tmp_path)
    assert record.dev == {}
