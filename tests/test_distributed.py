"""A run of several processes ends where a run of one does."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from distributed_training import CASES, WORLDS
from safetensors.torch import load_file

# Biases that a softmax cancels, in attention, over choices, over positions: Adam makes steps of their rounding errors.
NO_GRADIENT = ("key.bias", "scorer.classifier.bias", "scorer.bias", "layer.2.output.LayerNorm.bias")
SEVERAL = [world for world in WORLDS if world > 1]


@pytest.fixture(scope="module")
def results(tiny_xlmr, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("distributed")
    script = Path(__file__).with_name("distributed_training.py")
    done = subprocess.run([sys.executable, script, tiny_xlmr, folder], text=True, stderr=subprocess.PIPE, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("world", SEVERAL)
@pytest.mark.parametrize("case", CASES)
def test_several_processes_end_where_one_does(results, case, world):
    one, several = (results / str(count) / case for count in (1, world))
    expected, found = (load_file(folder / "result.safetensors") for folder in (one, several))
    for name in expected:
        if not name.endswith(NO_GRADIENT):
            torch.testing.assert_close(found[name], expected[name], rtol=1e-3, atol=2e-5)
    expected, found = (json.loads((folder / "report.json").read_text()) for folder in (one, several))
    assert found["tokens"] == expected["tokens"]
    assert found["loss"] == pytest.approx(expected["loss"], rel=1e-4)


@pytest.mark.parametrize("world", WORLDS)
def test_every_feature_of_an_epoch_is_counted_once(results, world):
    assert json.loads((results / str(world) / "counts.json").read_text()) == [1.0] * 9
