"""Which types of encoders work: those with a fast path of their own, and those that transformers computes.

A type is the `model_type` of a `config.json`.
"""

from pathlib import Path
from typing import Any

from stilts_core.encoders.files import CONFIG
from stilts_core.errors import EncoderError, shown

# Types with a fast path: batches without padding, and hand-written layers on a CPU. They are built alike.
FAST_TYPES = {"bert": "BertModel", "roberta": "RobertaModel", "xlm-roberta": "XLMRobertaModel"}
# Types that transformers' own layers compute, on padded batches. Each has the tests of `tests/encoders/test_padded.py`.
# Other types with a masked-LM head are tried when they are loaded; see `padded.check_states`.
TESTED_TYPES = ("modernbert", "deberta-v2", "rembert", "electra", "xlm", "distilbert")
CHOICES = f"choose an encoder of type {', '.join((*FAST_TYPES, *TESTED_TYPES))}; `stilts encoders` lists some"


def check_type(folder: Path, config: dict[str, Any]) -> str:
    """Return the type of the encoder in `folder`, whose `config.json` holds `config`.

    Raises EncoderError for a type that transformers does not have, or whose code comes with its files; for a decoder,
    for an encoder-decoder, and for a type without a masked-LM head, which is none for text; and for quantised weights.
    """
    if config.get("quantization_config"):
        raise EncoderError(
            f"{folder / CONFIG} has a quantization_config ({shown(config['quantization_config'])}): quantised weights "
            "are neither read nor trained here. Use the checkpoint before quantisation, or write it with transformers: "
            "model.dequantize(), then save_pretrained"
        )
    kind = config["model_type"]
    known = kind in FAST_TYPES or kind in TESTED_TYPES
    if known and not (config.get("is_decoder") or config.get("is_encoder_decoder")):
        return kind  # without importing transformers
    import transformers
    from transformers.models.auto import modeling_auto as auto

    model = f"{folder} is a model of type {kind!r}"
    if kind not in auto.MODEL_MAPPING_NAMES:
        if "auto_map" in config:
            raise EncoderError(f"{model}, which needs code from its own repository; such code is never run. {_upper()}")
        raise EncoderError(
            f"{model}, which transformers {transformers.__version__} does not have. Install a version that has it, or "
            f"{CHOICES}"
        )
    if config.get("is_encoder_decoder") or kind in auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES:
        raise EncoderError(f"{model}, an encoder-decoder. {_upper()}")
    if config.get("is_decoder") or kind not in auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        is_decoder = config.get("is_decoder") or kind in auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
        what = "a decoder, which reads a text from left to right only" if is_decoder else "no encoder for text"
        raise EncoderError(f"{model}, {what}. {_upper()}")
    return kind


def _upper() -> str:
    return CHOICES[0].upper() + CHOICES[1:]
