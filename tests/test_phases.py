"""The intermediate phase is computed once for all that ask for the same one, and heads are new in each phase."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from shared_training import SCHEDULE, task_data
from toy import unlabelled

from stilts_core import checkpoint, phases
from stilts_core.compute import Compute
from stilts_core.cpu.adamw import AdamW
from stilts_core.encoder import load_encoder
from stilts_core.phases import Intermediate, intermediate_encoder, train_phase

pytestmark = pytest.mark.usefixtures("one_thread")
SCHEDULE = replace(SCHEDULE, epochs=1, mlm_weight=0.0)


@pytest.fixture
def ask(tiny_xlmr, tmp_path):
    """Asks for an intermediate encoder; returns it, its report and the facts."""

    def ask(*, names=("mnli",), texts=0, compute=None, **changes):
        def prepare(encoder):
            tasks = [task_data(encoder, name) for name in names]
            return Intermediate(
                tasks, replace(SCHEDULE, **changes), unlabelled(encoder, texts) if texts else None, {"cards": names}
            )

        encoder = load_encoder(str(tiny_xlmr), dropout=0.1)
        return intermediate_encoder(encoder, tmp_path / "store" / "kept", prepare, compute or Compute())

    return ask


def equal(first: dict, second: dict) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def without(report: dict, *names: str) -> dict:
    return {name: value for name, value in report.items() if name not in names}


def test_intermediate_encoder_is_computed_once_and_found_again(ask, tmp_path, monkeypatch):
    first, report, facts = ask()
    monkeypatch.setattr(phases, "train", None)  # it must not be needed
    second, again, found = ask()
    assert facts == found == {"cards": ["mnli"]}
    assert (report["reused"], again["reused"]) == (False, True)
    assert without(report, "reused") == without(again, "reused")
    assert equal(first.model.state_dict(), second.model.state_dict())
    assert torch.equal(first.full_embeddings(), second.full_embeddings())
    name = report["checkpoint"]
    assert {path.name for path in (tmp_path / "store").iterdir()} == {name, f"{name}.lock"}


def test_intermediate_encoder_is_what_training_with_the_full_vocabulary_gives(ask, tiny_xlmr, tmp_path):
    found, *_ = ask(weight_decay=0.5, lr=1e-2)
    encoder = load_encoder(str(tiny_xlmr), dropout=0.1)
    schedule = replace(SCHEDULE, weight_decay=0.5, lr=1e-2)
    train_phase("intermediate", encoder, [task_data(encoder, "mnli")], schedule, Compute(), tmp_path / "whole")
    torch.testing.assert_close(found.model.state_dict(), encoder.model.state_dict(), rtol=1e-4, atol=1e-5)
    assert found.rows == encoder.vocabulary


def test_masked_language_modelling_alone_is_a_phase_as_long_as_a_task_with_as_many_examples(ask):
    encoder, report, _ = ask(names=(), texts=50, cap=12)
    assert report["tasks"] == ["mlm"] and {point["task"] for point in report["curve"]} == {"mlm"}
    assert report["steps"] == 3 and report["examples"] == {"mlm": 50}
    assert report["dev"] == {} and encoder.rows == encoder.vocabulary


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
        resumed, report, _ = ask(compute=always)
    assert not report["reused"]
    assert not list((tmp_path / "store").glob(".*"))
    checkpoint.shutil.rmtree(tmp_path / "store")
    assert equal(resumed.model.state_dict(), ask()[0].model.state_dict())


def test_damaged_checkpoint_is_an_error_that_names_it(ask, tmp_path):
    _, report, _ = ask()
    (tmp_path / "store" / report["checkpoint"] / checkpoint.TENSORS).write_bytes(b"")
    with pytest.raises(checkpoint.CheckpointError, match=f"{report['checkpoint']}.*delete the folder and run again"):
        ask()


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
    assert without(report, "reused") == without(other, "reused")
    assert f"another process is at work on {report['checkpoint']}; waiting for it" in (cases / "stderr").read_text()


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
        return train_phase(name, encoder, [task], schedule, Compute(), tmp_path / name)[1]["mnli"].state_dict()

    new, trained, after = head("new", still), head("trained", SCHEDULE), head("after", still)
    assert not torch.allclose(trained["dense.weight"], new["dense.weight"])
    torch.testing.assert_close(after, new)
    assert not torch.allclose(head("other", replace(still, seed=9))["dense.weight"], new["dense.weight"])


def test_report_says_what_was_trained(tiny_xlmr, tmp_path):
    encoder = load_encoder(str(tiny_xlmr))
    tasks = [task_data(encoder, "mnli"), task_data(encoder, "udpos")]
    texts = unlabelled(encoder, 8)
    schedule = replace(SCHEDULE, mlm_weight=0.5)
    report, heads, phase = train_phase("test", encoder, tasks, schedule, Compute(), tmp_path, unlabelled=texts)
    assert report["tasks"] == list(heads) == ["mnli", "udpos"]
    assert report["examples"] == {"mnli": 16, "udpos": 16}
    assert report["steps"] == phase.steps == 8
    assert {point["task"] for point in report["curve"]} == {"mnli", "udpos", "mlm"}
    assert report["dev"]["mnli"]["metric"] == "accuracy" and report["dev"]["mnli"]["n"] == 6
    assert 0 <= report["dev"]["udpos"]["score"] <= 100
    assert report["cut"]["mnli"] == {"inputs": 16, "cut": 0, "split": 0, "tokens_lost": 0}
    assert report["flops"] == 3 * encoder.flops(phase.tokens, phase.squares)
    json.dumps(report)


def test_task_without_dev_examples_has_no_dev_score(tiny_xlmr, tmp_path):
    encoder = load_encoder(str(tiny_xlmr))
    task = replace(task_data(encoder, "mnli"), dev_examples=[])
    report, _, _ = train_phase("test", encoder, [task], SCHEDULE, Compute(), tmp_path)
    assert report["dev"] == {}
