"""A kept encoder counts only with all its files, none of them cut off."""

from pathlib import Path

import pytest
import torch
from record_fixture import synthetic_record
from safetensors.torch import save_file

from stilts_core.errors import RecordError
from stilts_core.runs.kept_model import HEAD, MODEL, is_whole_model
from stilts_core.runs.record import finished_record, verify_record, write_record

FILES = ("model.safetensors", HEAD)


@pytest.fixture
def folder(tmp_path) -> Path:
    """The folder of a finished run with its encoder."""
    record = synthetic_record()
    folder = tmp_path / record.run_id
    write_record(folder, record)
    for score in record.scores.values():
        (folder / score.predictions).parent.mkdir(exist_ok=True)
        (folder / score.predictions).touch()
    (folder / MODEL).mkdir()
    (folder / MODEL / "config.json").write_text("{}")
    save_file({"weight": torch.ones(3, 5), "bias": torch.ones(3)}, folder / MODEL / "model.safetensors")
    save_file({}, folder / MODEL / HEAD)  # as of a target without training
    return folder


def test_whole_encoder_makes_a_run_finished(folder):
    assert is_whole_model(folder / MODEL)
    assert finished_record(folder, with_model=True) == finished_record(folder) == verify_record(folder)


@pytest.mark.parametrize("name", ["config.json", *FILES])
def test_run_whose_encoder_lacks_a_file_is_not_finished(folder, name):
    (folder / MODEL / name).unlink()
    assert finished_record(folder, with_model=True) is None and finished_record(folder)


@pytest.mark.parametrize("name", FILES)
def test_run_whose_encoder_is_cut_off_is_not_finished(folder, name):
    content = (folder / MODEL / name).read_bytes()
    for size in range(len(content)):
        (folder / MODEL / name).write_bytes(content[:size])
        assert finished_record(folder, with_model=True) is None
    for other in (b"hello world" * 9, (2).to_bytes(8, "little") + b"[]", (2**63).to_bytes(8, "little")):
        (folder / MODEL / name).write_bytes(other)
        assert finished_record(folder, with_model=True) is None


def test_record_without_any_language_is_not_that_of_a_finished_run(folder):
    write_record(folder, verify_record(folder).model_copy(update={"scores": {}}))
    with pytest.raises(RecordError, match=r"record\.json has neither scores nor predictions.*run again"):
        verify_record(folder)
    assert finished_record(folder) is None
