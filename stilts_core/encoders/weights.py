"""The model in a Hugging Face folder, loaded without a missing or unknown tensor."""

import gc
import re
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from stilts_core.encoders.architectures import FAST_TYPES, check_type
from stilts_core.encoders.files import explain_config, find_weight_files, read_config, require_ranges
from stilts_core.encoders.tensors import read_tensors
from stilts_core.errors import EncoderError

if TYPE_CHECKING:  # torch and transformers take seconds to import
    from transformers import BertConfig, BertModel, PreTrainedModel

# What a checkpoint may hold beyond the encoder: heads of its earlier training, and an index that old versions stored.
UNUSED_TENSORS = re.compile(r"(\w+\.)?((pooler|lm_head|cls|classifier|qa_outputs)\.|embeddings\.position_ids$)")


def load_model(folder: Path, dropout: float | None = None) -> "BertModel | PreTrainedModel":
    """Load the encoder in `folder` (without pooler or head) in fp32, whatever the precision of its file.

    `dropout` replaces the encoder's own dropout. Raises EncoderError unless the type is one that `check_type` accepts,
    and the weights are safetensors and exactly those of the architecture. A tensor that is missing, or stored under an
    unknown name, would leave random weights in the model; this happened to XLM-R in jiant until July 2021. Only tensors
    of heads may remain unused.
    """
    kind = check_type(folder, read_config(folder))
    find_weight_files(folder)
    if kind in FAST_TYPES:
        return _load_fast(folder, kind, dropout)
    from stilts_core.encoders.padded import load_padded_model

    return load_padded_model(folder, kind, dropout)


def _load_fast(folder: Path, kind: str, dropout: float | None) -> "BertModel":
    import torch

    model_class = import_model_class(kind)
    try:
        config = cast("type[BertConfig]", model_class.config_class).from_pretrained(folder)
        require_ranges(folder, config)
        config.dtype = torch.float32
        if dropout is not None:
            config.hidden_dropout_prob = config.attention_probs_dropout_prob = dropout
        with torch.device("meta"):  # no memory and no random numbers for weights that are replaced at once
            model = model_class(config, add_pooling_layer=False)
    except EncoderError:
        raise
    except Exception as error:  # transformers raises errors of many classes for values that it cannot use
        raise explain_config(folder, kind, error) from error
    tensors = read_tensors(folder, kind, model.state_dict(), f"{model_class.base_model_prefix}.", UNUSED_TENSORS)
    model.load_state_dict(tensors, assign=True)
    positions = torch.arange(config.max_position_embeddings)[None]
    model.embeddings.register_buffer("position_ids", positions, persistent=False)
    model.embeddings.register_buffer("token_type_ids", torch.zeros_like(positions), persistent=False)
    return model.eval()


def import_model_class(kind: str) -> "type[BertModel]":
    """Import transformers' class for encoders of a kind. RoBERTa's and XLM-R's classes have the structure of BERT's.

    The import takes most of a program's start, so it is shortened in three ways. Each figure is the smallest processor
    time of 12 to 20 new processes on one core of an AMD EPYC:

    - no garbage collection while importing: the import takes 1.7 s instead of 2.3 s;
    - the imported objects are frozen, so that no later collection visits them, nor the one at the end of the process:
      the whole process takes 3.1 s instead of 4.1 s;
    - no `scipy.optimize`, which only losses for object detection need: the import takes 1.8 s instead of 1.9 s.

    A later call leaves the garbage collector as it is.
    """
    module = "transformers.models.{0}.modeling_{0}".format(kind.replace("-", "_"))
    if module not in sys.modules:
        _import_quickly(module)
    return getattr(import_module(module), FAST_TYPES[kind])


def _import_quickly(module: str) -> None:
    """Import a module of transformers as `import_model_class` describes."""
    is_collecting = gc.isenabled()
    gc.disable()
    try:
        from transformers import utils

        is_scipy_available, utils.is_scipy_available = utils.is_scipy_available, lambda: False
        try:
            import_module(module)
        finally:
            utils.is_scipy_available = is_scipy_available
    finally:
        gc.freeze()
        if is_collecting:
            gc.enable()
