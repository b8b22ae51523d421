import gc
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoModelForMaskedLM

from stilts_core.encoders.files import fingerprint_weights
from stilts_core.encoders.weights import import_model_class, load_model
from stilts_core.errors import EncoderError


@pytest.fixture(params=["tiny_xlmr", "tiny_bert"])
def folder(request):
    return request.getfixturevalue(request.param)


def altered(folder: Path, into: Path, alter) -> Path:
    """Copy an encoder's folder and change its weights with `alter`."""
    if folder != into:
        shutil.copytree(folder, into, dirs_exist_ok=True)
    save_file(alter(load_file(folder / "model.safetensors")), into / "model.safetensors", metadata={"format": "pt"})
    return into


def renaming(old: str, new: str):
    return lambda tensors: {name.replace(old, new): tensor for name, tensor in tensors.items()}


def prefix_of(folder: Path) -> str:
    """The prefix of the names of the encoder's own tensors: bert or roberta."""
    return next(name for name in load_file(folder / "model.safetensors") if "embeddings" in name).split(".")[0]


def same_weights(a, b) -> bool:
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_later_import_of_a_class_leaves_the_garbage_collector_alone():
    import_model_class("bert")
    frozen = gc.get_freeze_count()
    gc.disable()
    try:
        assert import_model_class("bert").__name__ == "BertModel"
        assert not gc.isenabled() and gc.get_freeze_count() == frozen
    finally:
        gc.enable()


def test_first_import_of_a_class_leaves_the_garbage_collector_off_where_it_was_off():
    code = "import gc; gc.disable(); from stilts_core.encoders.weights import import_model_class as load; load('bert')"
    done = subprocess.run([sys.executable, "-c", f"{code}; print(gc.isenabled())"], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr


def test_encoder_is_loaded_from_a_checkpoint_with_a_head(folder):
    stored = {name.split(".", 1)[1]: t for name, t in load_file(folder / "model.safetensors").items()}
    loaded = load_model(folder).state_dict()
    assert all(torch.equal(tensor, stored[name]) for name, tensor in loaded.items())


def test_heads_of_earlier_training_are_ignored(folder, tmp_path):
    prefix = prefix_of(folder)
    names = [f"{prefix}.pooler.dense.weight", "classifier.out_proj.bias", "qa_outputs.weight"]
    names += [f"{prefix}.embeddings.position_ids"]
    copy = altered(folder, tmp_path, lambda tensors: tensors | {name: torch.zeros(2) for name in names})
    assert same_weights(load_model(copy), load_model(folder))


def test_wrong_prefix_is_an_error(folder, tmp_path):
    copy = altered(folder, tmp_path, renaming(prefix_of(folder), "transformer"))
    with pytest.raises(
        EncoderError, match=r"missing, such as embeddings.*unknown, such as transformer\..*prefix"
    ) as raised:
        load_model(copy)
    assert str(copy) in str(raised.value)


def test_missing_tensor_is_an_error(folder, tmp_path):
    def drop(tensors):
        return {name: t for name, t in tensors.items() if "layer.1.attention.self.query.bias" not in name}

    with pytest.raises(EncoderError, match=r"1 missing, such as encoder\.layer\.1\.attention\.self\.query\.bias"):
        load_model(altered(folder, tmp_path, drop))


def test_unknown_tensor_is_an_error(folder, tmp_path):
    with pytest.raises(EncoderError, match=r"1 unknown, such as adapter\.weight"):
        load_model(altered(folder, tmp_path, lambda tensors: tensors | {"adapter.weight": torch.zeros(2)}))


def test_checkpoint_with_more_layers_than_the_config_is_an_error(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    config = json.loads((folder / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config | {"num_hidden_layers": 2}))
    with pytest.raises(EncoderError, match=r"unknown, such as (\w+\.)?encoder\.layer\.2"):
        load_model(tmp_path)


def test_tensor_of_another_shape_is_an_error(folder, tmp_path):
    def cut(tensors):
        return {name: t[:-1].clone() if "word_embeddings" in name else t for name, t in tensors.items()}

    with pytest.raises(EncoderError, match=r"1 of another shape, such as embeddings\.word_embeddings\.weight"):
        load_model(altered(folder, tmp_path, cut))


def test_pickled_weights_are_an_error(folder, tmp_path):
    shutil.copy(folder / "config.json", tmp_path)
    torch.save(load_file(folder / "model.safetensors"), tmp_path / "pytorch_model.bin")
    with pytest.raises(EncoderError, match=r"only pytorch_model\.bin.*safetensors.*save_pretrained"):
        load_model(tmp_path)


def test_damaged_file_is_an_error(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    whole = (folder / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(EncoderError, match="damaged"):
        load_model(tmp_path)


def test_other_architecture_is_an_error(folder, tmp_path):
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    (tmp_path / "config.json").write_text(json.dumps({"model_type": "gpt2"}))
    with pytest.raises(EncoderError, match=r"of type 'gpt2', a decoder.*Choose an encoder of type bert"):
        load_model(tmp_path)


def test_bf16_checkpoint_is_loaded_as_fp32(folder, tmp_path):
    AutoModel.from_pretrained(folder, dtype=torch.bfloat16, add_pooling_layer=False).save_pretrained(tmp_path)
    assert load_file(tmp_path / "model.safetensors")["embeddings.LayerNorm.weight"].dtype == torch.bfloat16
    model, exact = load_model(tmp_path).state_dict(), load_model(folder).state_dict()
    assert {tensor.dtype for tensor in model.values()} == {torch.float32}
    assert all(torch.equal(model[name], exact[name].bfloat16().float()) for name in model)


def test_shards_are_loaded_as_one_file(folder, tmp_path):
    AutoModelForMaskedLM.from_pretrained(folder).save_pretrained(tmp_path, max_shard_size="50KB")
    assert len(list(tmp_path.glob("model-*.safetensors"))) > 1
    assert same_weights(load_model(tmp_path), load_model(folder))


def test_layer_norms_of_the_first_bert_checkpoints_are_loaded(tiny_bert, tmp_path):
    gamma = altered(tiny_bert, tmp_path, renaming("LayerNorm.weight", "LayerNorm.gamma"))
    copy = altered(gamma, tmp_path, renaming("LayerNorm.bias", "LayerNorm.beta"))
    assert same_weights(load_model(copy), load_model(tiny_bert))


def test_dropout_replaces_that_of_the_encoder(folder):
    rates = {module.p for module in load_model(folder, dropout=0.3).modules() if isinstance(module, torch.nn.Dropout)}
    assert rates == {0.3}


def test_model_equals_the_one_that_transformers_loads(folder):
    ours, theirs = load_model(folder), AutoModel.from_pretrained(folder, add_pooling_layer=False)
    assert same_weights(ours, theirs) and not ours.training
    assert {name for name, _ in ours.named_buffers()} == {name for name, _ in theirs.named_buffers()}
    assert all(torch.equal(buffer, theirs.get_buffer(name)) for name, buffer in ours.named_buffers())
    ids = torch.arange(5, 40)[None]
    with torch.no_grad():
        assert torch.equal(ours(ids).last_hidden_state, theirs(ids).last_hidden_state)


def test_loading_does_not_import_libraries_that_only_other_models_need(tiny_xlmr):
    source = f"""if True:
        import sys
        from pathlib import Path
        from stilts_core.encoders.weights import load_model
        load_model(Path({str(tiny_xlmr)!r}))
        print(sorted({{"scipy", "pandas", "sklearn", "matplotlib", "datasets", "pyarrow"}} & set(sys.modules)))
        from transformers.utils import is_scipy_available
        print(is_scipy_available())
    """
    done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["[]", "True"]


def test_changing_weights_does_not_change_the_file(folder, tmp_path):
    copy = altered(folder, tmp_path, dict)
    before = (copy / "model.safetensors").read_bytes()
    model = load_model(copy)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 1
    assert (copy / "model.safetensors").read_bytes() == before
    assert not same_weights(model, load_model(copy))


def test_fingerprint_depends_on_the_content_only(folder, tmp_path):
    same = altered(folder, tmp_path / "same", dict)
    other = altered(
        folder, tmp_path / "other", lambda tensors: {n: t + (n.endswith("bias")) for n, t in tensors.items()}
    )
    assert fingerprint_weights(same) == fingerprint_weights(folder) != fingerprint_weights(other)
