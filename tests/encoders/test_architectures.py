"""What cannot be an encoder here is refused with its type and a remedy."""

import json

import pytest
import torch
from tiny_encoders import BERT_SIZES, MODELS, write_tiny_encoder
from transformers import XLMRobertaConfig, XLMRobertaModel

from stilts_core.config import RunConfig
from stilts_core.encoders.architectures import FAST_TYPES, TESTED_TYPES, check_type
from stilts_core.encoders.encoder import Encoder, read_encoder
from stilts_core.encoders.packed import PackedStates
from stilts_core.encoders.weights import load_model
from stilts_core.errors import EncoderError
from stilts_core.runs.encoders import load_encoder
from stilts_core.runs.pipeline import _load_checked_encoder

SENTENCES = ["The river rose in the night and the old bridge was gone.", "Who built the bridge over the river?"] * 20
REMEDY = "hoose an encoder of type bert, roberta, xlm-roberta, modernbert"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"model_type": "gpt2"}, "'gpt2', a decoder"),
        ({"model_type": "modernbert-decoder"}, "'modernbert-decoder', a decoder"),
        ({"model_type": "electra", "is_decoder": True}, "'electra', a decoder"),
        ({"model_type": "bert", "is_decoder": True}, "'bert', a decoder"),
        ({"model_type": "xlm-roberta", "is_encoder_decoder": True}, "'xlm-roberta', an encoder-decoder"),
        ({"model_type": "mt5"}, "'mt5', an encoder-decoder"),
        ({"model_type": "mbart"}, "'mbart', an encoder-decoder"),
        ({"model_type": "vit"}, "'vit', no encoder for text"),
        ({"model_type": "burt"}, r"'burt', which transformers 5\S* does not have. Install a version"),
        ({"model_type": "new", "auto_map": {"AutoModel": "x.Y"}}, "'new', which needs code from its own repository"),
    ],
)
def test_other_types_are_refused_with_their_name_and_a_remedy(tmp_path, config, message):
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(EncoderError, match=f"(?s){message}.*{REMEDY}"):
        load_model(tmp_path)
    assert {check_type(tmp_path, {"model_type": kind}) for kind in (*FAST_TYPES, *TESTED_TYPES)} == {
        *FAST_TYPES,
        *TESTED_TYPES,
    }


def test_every_type_without_a_fast_path_has_a_tiny_model_in_the_tests():
    assert set(MODELS) == set(TESTED_TYPES)


def test_weights_that_need_other_code_are_refused(tiny_encoder, tmp_path):
    folder = write_tiny_encoder("distilbert", tmp_path, SENTENCES)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"n_layers": 2, "auto_map": {"AutoModel": "x.Y"}}))
    with pytest.raises(EncoderError, match=r"unknown, such as \S*layer\.2\..*auto_map\), which is never run"):
        load_model(folder)


def test_missing_tensors_are_an_error_in_every_path(tmp_path):
    folder = write_tiny_encoder("modernbert", tmp_path, SENTENCES)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"attention_bias": True}))
    with pytest.raises(EncoderError, match=r"missing, such as \S*attn\.Wo\.bias"):
        load_model(folder)


def test_untested_type_is_tried_and_refused_if_its_states_depend_on_padding(monkeypatch, tmp_path):
    monkeypatch.setitem(MODELS, "fnet", ("FNetForMaskedLM", BERT_SIZES))  # Fourier transforms have no mask
    with pytest.raises(EncoderError, match=f"of type 'fnet' depend on padding; c{REMEDY}"):
        load_encoder(str(write_tiny_encoder("fnet", tmp_path / "fnet", SENTENCES)))


DEBERTA = {"relative_attention": True, "pos_att_type": ["p2c", "c2p"], "type_vocab_size": 0}


def test_untested_type_is_refused_in_a_precision_in_which_it_cannot_compute(monkeypatch, tmp_path):
    monkeypatch.setitem(MODELS, "deberta", ("DebertaForMaskedLM", BERT_SIZES | DEBERTA))
    name = str(write_tiny_encoder("deberta", tmp_path / "deberta", SENTENCES))
    assert load_encoder(name).layers == 3
    with pytest.raises(EncoderError, match=f"'deberta' cannot compute in bf16 .*use --precision fp32, or c{REMEDY}"):
        load_encoder(name, precision="bf16")
    config = RunConfig(encoder=name, target="xnli", intermediate="none", precision="bf16")
    with pytest.raises(EncoderError, match="cannot compute in bf16"):
        _load_checked_encoder(config.resolved())


def test_untested_type_is_refused_if_its_vocabulary_cannot_be_trimmed(monkeypatch, tmp_path):
    monkeypatch.setitem(MODELS, "ibert", ("IBertForMaskedLM", BERT_SIZES))
    with pytest.raises(EncoderError, match=rf"'ibert' have word embeddings of their own \(QuantEmbedding\).*{REMEDY}"):
        load_encoder(str(write_tiny_encoder("ibert", tmp_path / "ibert", SENTENCES)))


def test_untested_type_works_if_its_states_do_not_depend_on_padding(monkeypatch, tmp_path):
    monkeypatch.setitem(MODELS, "camembert", ("CamembertForMaskedLM", BERT_SIZES))
    encoder = load_encoder(str(write_tiny_encoder("camembert", tmp_path / "camembert", SENTENCES)))
    pad = encoder.tokenizer.pad
    assert (encoder.first_position, encoder.max_length) == (pad + 1, 128 - pad - 1)  # it is a RoBERTa
    ids = torch.tensor(encoder.tokenizer.encode(["the old bridge"])[0].ids)[None]
    before = encoder.hidden(ids, torch.ones_like(ids, dtype=torch.bool))
    expected = encoder.model(ids).last_hidden_state
    torch.testing.assert_close(before, expected)
    encoder.trim_vocabulary(ids.unique().numpy())
    assert torch.equal(encoder.hidden(ids, torch.ones_like(ids, dtype=torch.bool)), before)


def test_layers_without_a_list_cannot_be_frozen_one_by_one(monkeypatch, tmp_path):
    monkeypatch.setitem(MODELS, "albert", ("AlbertForMaskedLM", BERT_SIZES))  # all its layers are one
    encoder = load_encoder(str(write_tiny_encoder("albert", tmp_path / "albert", SENTENCES)))
    with pytest.raises(EncoderError, match=r"\(albert\) cannot be frozen one by one; freeze none"):
        encoder.freeze(1)
    assert encoder.freeze(None) is None


def test_xlmr_types_with_a_large_vocabulary_take_the_fast_path(tmp_path):
    """XLM-V has 901,629 pieces."""
    sizes = {"hidden_size": 4, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 4}
    XLMRobertaModel(XLMRobertaConfig(vocab_size=901_629, **sizes)).save_pretrained(tmp_path)
    encoder = read_encoder(tmp_path)
    assert isinstance(encoder, Encoder) and encoder.fast and isinstance(encoder._states, PackedStates)
    ids = torch.tensor([[0, 901_628, 450_000, 2]])
    states = encoder.hidden(ids, torch.ones_like(ids, dtype=torch.bool))
    torch.testing.assert_close(states, XLMRobertaModel.from_pretrained(tmp_path).eval()(ids).last_hidden_state)
