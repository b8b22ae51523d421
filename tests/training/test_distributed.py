"""Runs of several processes give the results of a run of one process."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import toy_data
from distributed_training import CASES, RESUMED, RUNS, WORLDS
from safetensors.torch import load_file

SEVERAL = [world for world in WORLDS if world > 1]


@pytest.fixture(scope="module")
def results(folder_of) -> Path:
    return folder_of("distributed_training")


@pytest.mark.parametrize("world", SEVERAL)
@pytest.mark.parametrize("case", CASES)
def test_training_in_several_processes_equals_training_in_one(results, case, world):
    one, several = results / "1" / ("pair" if case == RESUMED else case), results / str(world) / case
    expected, actual = (load_file(folder / "result.safetensors") for folder in (one, several))
    torch.testing.assert_close(actual, expected, rtol=1e-5, atol=1e-6)
    expected, actual = (json.loads((folder / "report.json").read_text()) for folder in (one, several))
    assert actual["tokens"] == expected["tokens"]
    assert actual["loss"] == pytest.approx(expected["loss"], rel=1e-5)


@pytest.mark.parametrize(
    ("world", "target"), [(world, target) for world in RUNS if world > 1 for target in RUNS[world]]
)
def test_run_of_several_processes_leaves_the_files_and_scores_of_a_run_of_one(results, world, target):
    one, several = (results / str(count) / "runs" for count in (1, world))
    left = [{path.relative_to(folder) for path in folder.rglob("*")} for folder in (one, several)]
    assert left[0] == left[1]
    (expected,), (actual,) = (list(folder.glob(f"small/mnli-{target}-*/record.json")) for folder in (one, several))
    expected, actual = (json.loads(path.read_text()) for path in (expected, actual))
    assert (expected["environment"]["processes"], actual["environment"]["processes"]) == (1, world)
    assert actual["scores"] == expected["scores"] and actual["layers"] == expected["layers"]
    for phase, theirs in zip(actual["phases"], expected["phases"], strict=True):
        losses, right = ([point["loss"] for point in report["curve"]] for report in (phase, theirs))
        assert losses == pytest.approx(right, rel=1e-4)


@pytest.mark.parametrize("world", WORLDS)
def test_epoch_counts_every_feature_once(results, world):
    assert json.loads((results / str(world) / "counts.json").read_text()) == [1.0] * 9


@pytest.mark.slow
def test_command_started_by_torchrun_leaves_a_record_and_an_executed_notebook(tiny_xlmr, tmp_path, monkeypatch):
    monkeypatch.setenv("STILTS_DATA", str(toy_data.write_data(tmp_path / "data")))
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    options = ["--profile", "small", "--encoder", tiny_xlmr, "--batch-size", "8", "--runs-dir", tmp_path / "runs"]
    done = subprocess.run([*torchrun, "-m", "stilts_core.cli", "run", *options], text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    (folder,) = (tmp_path / "runs" / "small").glob("none-xnli-*/")
    assert json.loads((folder / "record.json").read_text())["environment"]["processes"] == 2
    assert (folder / "pair.ipynb").exists()
    assert done.stdout.count(str(folder)) == 1
