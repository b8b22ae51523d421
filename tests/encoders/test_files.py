"""What is wrong with an encoder's folder is said in one clear error, before anything is computed."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from transformers import AutoModelForMaskedLM

from stilts_core.encoders.encoder import read_encoder
from stilts_core.encoders.files import INDEX, TOKENIZER_FILES, find_weight_files, fingerprint_encoder
from stilts_core.encoders.weights import load_model
from stilts_core.errors import EncoderError

POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 470641600\n"


@pytest.fixture
def folder(tiny_xlmr, tmp_path) -> Path:
    """A copy of an encoder's folder."""
    return shutil.copytree(tiny_xlmr, tmp_path / "encoder")


@pytest.fixture
def shards(tiny_xlmr, tmp_path) -> Path:
    """An encoder in several files, with their index."""
    AutoModelForMaskedLM.from_pretrained(tiny_xlmr).save_pretrained(tmp_path / "shards", max_shard_size="50KB")
    return tmp_path / "shards"


def weights(folder: Path) -> dict:
    return load_model(folder).state_dict()


@pytest.mark.parametrize("name", ["config.json", *TOKENIZER_FILES])
def test_every_file_that_decides_is_part_of_the_fingerprint(folder, name):
    before = fingerprint_encoder(folder)
    path = folder / name
    content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    path.write_text(json.dumps(content | {"another": True}), encoding="utf-8")
    changed = fingerprint_encoder(folder)
    path.unlink()
    assert changed not in {before, fingerprint_encoder(folder)}


def test_weights_are_part_of_the_fingerprint(folder):
    before = fingerprint_encoder(folder)
    tensors = load_file(folder / "model.safetensors")
    save_file({name: tensor + 1 for name, tensor in tensors.items()}, folder / "model.safetensors")
    assert fingerprint_encoder(folder) != before


@pytest.mark.parametrize("name", ["model-00000-of-00009.safetensors", "model-99999-of-99999.safetensors"])
def test_index_decides_over_older_shards_beside_those_that_it_names(shards, name):
    expected, fingerprint = weights(shards), fingerprint_encoder(shards)
    first = sorted(shards.glob("model-*.safetensors"))[0]
    save_file({key: tensor + 1 for key, tensor in load_file(first).items()}, shards / name)
    assert fingerprint_encoder(shards) == fingerprint
    assert all(torch.equal(tensor, expected[key]) for key, tensor in weights(shards).items())


def test_index_decides_which_of_two_named_files_holds_a_tensor(shards):
    expected, files = weights(shards), find_weight_files(shards)
    tensors = load_file(files[0])
    save_file(load_file(files[1]) | {key: tensor + 1 for key, tensor in tensors.items()}, files[1])
    assert all(torch.equal(tensor, expected[key]) for key, tensor in weights(shards).items())


def test_single_file_counts_where_other_files_of_weights_have_no_index(folder):
    expected = weights(folder)
    tensors = load_file(folder / "model.safetensors")
    save_file({key: tensor + 1 for key, tensor in tensors.items()}, folder / "model.variant.safetensors")
    assert all(torch.equal(tensor, expected[key]) for key, tensor in weights(folder).items())


def test_shards_without_an_index_are_an_error(shards):
    (shards / INDEX).unlink()
    with pytest.raises(EncoderError, match=r"files of weights.*download the index"):
        find_weight_files(shards)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "is not JSON"),
        ("[]", "not a JSON object"),
        ("{}", "no weight_map"),
        ('{"weight_map": {"a": "../model.safetensors"}}', "of its own folder only"),
        ('{"weight_map": {"a": "model-7.safetensors"}}', "names model-7.safetensors, which is missing"),
        ('{"weight_map": {"a": "model.safetensors"}}', "lacks a, which the index places there"),
    ],
)
def test_broken_index_is_an_error(folder, content, message):
    (folder / INDEX).write_text(content)
    with pytest.raises(EncoderError, match=message):
        load_model(folder)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_weights_that_are_not_finite_are_refused_with_their_name(folder, value):
    tensors = load_file(folder / "model.safetensors")
    name = next(name for name in tensors if "layer.1.output.dense.weight" in name)
    tensors[name][3, 5] = value
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    for _ in range(2):
        with pytest.raises(EncoderError, match=rf"model\.safetensors: tensor {name} holds NaN or infinity"):
            load_model(folder)


def test_large_finite_weights_are_accepted(folder):
    tensors = load_file(folder / "model.safetensors")
    next(tensor for name, tensor in tensors.items() if name.endswith("word_embeddings.weight")).fill_(3e38)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    load_model(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
def test_git_lfs_pointer_is_named_as_such(folder, name):
    (folder / name).write_text(POINTER)
    with pytest.raises(EncoderError, match=rf"{name} is a Git LFS pointer.*git lfs pull"):
        read_encoder(folder)


@pytest.mark.parametrize("name", ["config.json", "model.safetensors", "tokenizer.json"])
@pytest.mark.parametrize("size", [0, 1, 100])
def test_empty_or_truncated_file_is_an_error(folder, name, size):
    (folder / name).write_bytes((folder / name).read_bytes()[:size])
    with pytest.raises(EncoderError, match=name):
        read_encoder(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no config.json"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("3", "not a JSON object"),
        ("{}", "model_type None"),
        ('{"model_type": 3}', "model_type 3"),
        ('{"model_type": "bert", "hidden_size": "many"}', "does not describe a bert encoder"),
        ('{"model_type": "bert", "hidden_size": 30, "num_attention_heads": 7}', "does not describe a bert encoder"),
        ('{"model_type": "bert", "hidden_act": "none of them"}', "does not describe a bert encoder"),
    ],
)
def test_broken_config_is_an_error(folder, content, message):
    (folder / "config.json").unlink() if content is None else (folder / "config.json").write_text(content)
    with pytest.raises(EncoderError, match=message):
        load_model(folder)


@pytest.mark.parametrize(
    ("field", "value", "least"),
    [
        ("num_attention_heads", -2, "1 or more"),
        ("num_hidden_layers", -1, "1 or more"),
        ("max_position_embeddings", -1, "1 or more"),
        ("pad_token_id", -5, "0 or more"),
        ("layer_norm_eps", -1.0, "above 0, such as 1e-12"),
        ("layer_norm_eps", 0.0, "above 0, such as 1e-12"),
        ("layer_norm_eps", 1e6, "above 0, such as 1e-12"),
    ],
)
def test_number_in_config_outside_its_range_is_an_error(folder, field, value, least):
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {field: value}), encoding="utf-8")
    with pytest.raises(EncoderError, match=rf"config\.json has {field} {value}; it must be {least}.*save_pretrained"):
        load_model(folder)


def test_ranges_hold_for_types_that_transformers_computes(tiny_encoder, tmp_path):
    folder = shutil.copytree(tiny_encoder("modernbert"), tmp_path / "encoder")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    (folder / "config.json").write_text(json.dumps(config | {"norm_eps": -1.0}), encoding="utf-8")
    with pytest.raises(EncoderError, match=r"config\.json has norm_eps -1\.0; it must be above 0"):
        load_model(folder)


@pytest.mark.parametrize("dtype", [torch.int8, torch.int64, torch.uint8])
def test_quantised_weights_are_refused_with_their_name(folder, dtype):
    tensors = load_file(folder / "model.safetensors")
    name = next(name for name in tensors if "layer.1.output.dense.weight" in name)
    save_file(tensors | {name: tensors[name].to(dtype)}, folder / "model.safetensors", metadata={"format": "pt"})
    message = rf"model\.safetensors: tensor {name} holds {str(dtype)[6:]} and not real numbers.*before quantisation"
    for _ in range(2):
        with pytest.raises(EncoderError, match=message):
            load_model(folder)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_weights_of_every_floating_precision_are_accepted(folder, dtype):
    expected, tensors = weights(folder), load_file(folder / "model.safetensors")
    rounded = {name: tensor.to(dtype) for name, tensor in tensors.items()}
    save_file(rounded, folder / "model.safetensors", metadata={"format": "pt"})
    for name, tensor in weights(folder).items():
        assert tensor.dtype == torch.float32
        torch.testing.assert_close(tensor, expected[name], rtol=0.02, atol=1e-3)


def test_indices_of_positions_that_old_versions_stored_are_accepted(tiny_encoder, tmp_path):
    folder = shutil.copytree(tiny_encoder("electra"), tmp_path / "encoder")
    tensors = load_file(folder / "model.safetensors")
    tensors["electra.embeddings.position_ids"] = torch.arange(128)[None]
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    load_model(folder)


def test_config_of_quantised_weights_is_refused(folder):
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    quantised = config | {"quantization_config": {"quant_method": "bitsandbytes", "load_in_4bit": True}}
    (folder / "config.json").write_text(json.dumps(quantised), encoding="utf-8")
    with pytest.raises(EncoderError, match=r"config\.json has a quantization_config .*bitsandbytes.*dequantize"):
        load_model(folder)


@pytest.mark.parametrize(("spare", "noted"), [(0, False), (127, False), (200, True)])
def test_tokenizer_with_far_fewer_ids_than_embeddings_is_noted(folder, spare, noted):
    model = AutoModelForMaskedLM.from_pretrained(folder)
    ids = read_encoder(folder).tokenizer.id_count
    model.resize_token_embeddings(ids + spare)
    model.save_pretrained(folder)
    expected = f"mine has {ids + spare} embeddings, but its tokenizer.json only {ids} ids: check"
    assert any(expected in note for note in read_encoder(folder, "mine").notes) is noted


def test_tokenizer_with_more_ids_than_embeddings_is_an_error_at_loading(folder):
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.add_tokens(["a token that was added without an embedding"])
    tokenizer.save(str(folder / "tokenizer.json"))
    with pytest.raises(EncoderError, match=r"ids up to (\d+), but the encoder has \1 embeddings"):
        read_encoder(folder)
