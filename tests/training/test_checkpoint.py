import json

import pytest
import torch

from stilts_core.training import checkpoint


def test_written_checkpoint_is_read_back(tmp_path):
    tensors = {"a": torch.randn(3, 4), "b": torch.arange(5)}
    checkpoint.write(tmp_path / "step-3", tensors, {"note": "x"})
    read, state = checkpoint.read(tmp_path / "step-3")
    assert all(torch.equal(read[name], tensors[name]) for name in tensors)
    assert state["note"] == "x"


def test_damaged_tensors_are_an_error_that_names_the_folder(tmp_path):
    checkpoint.write(tmp_path / "step-3", {"a": torch.zeros(8)}, {})
    path = tmp_path / "step-3" / checkpoint.TENSORS
    damaged = bytearray(path.read_bytes())
    damaged[-1] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(checkpoint.CheckpointError, match="step-3"):
        checkpoint.read(tmp_path / "step-3")


def test_latest_step_is_the_one_before_a_damaged_checkpoint(tmp_path, capsys):
    for step in (5, 40):
        checkpoint.write(tmp_path / f"step-{step}", {"a": torch.full((2,), float(step))}, {"step": step})
    (tmp_path / "step-40" / checkpoint.STATE).write_text(json.dumps({"sha256": "0"}))
    tensors, state = checkpoint.read_latest_step(tmp_path)
    lines = capsys.readouterr().err
    assert "step-40: the tensors do not match" in lines and lines.count("\n") == 1
    assert state["step"] == 5 and tensors["a"].tolist() == [5.0, 5.0]


def test_writing_a_step_removes_earlier_steps_and_unfinished_ones(tmp_path):
    (tmp_path / ".step-2.77").mkdir(parents=True)
    for step in (1, 9, 10):
        checkpoint.write_step(tmp_path, step, {"a": torch.zeros(1)}, {})
    assert [path.name for path in tmp_path.iterdir()] == ["step-10"]


def test_latest_step_without_checkpoints_is_none(tmp_path):
    assert checkpoint.read_latest_step(tmp_path / "absent") is None
