"""The masked-LM heads that checkpoints hold, under the names that each type of encoder gives their tensors."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from stilts_core.encoders.tensors import locate_tensors, read_tensor

if TYPE_CHECKING:
    import torch
    from transformers import PretrainedConfig

NEW_HEAD = (
    "Masked language modelling of {name} starts from a new head: a checkpoint's own head is read only if it has GELU "
    "and its output matrix is the input embeddings."
)


class HeadNames(NamedTuple):
    """The names of a head's parts: dense layer and layer norm (None in a head without them), the decoder's bias."""

    dense: str | None
    norm: str | None
    bias: str

    @property
    def tensors(self) -> dict[str, str]:
        """The names of the tensors by those of `families.mlm.MLMHead`."""
        parts = {"dense": self.dense, "norm": self.norm}
        names = {
            f"{part}.{kind}": f"{name}.{kind}" for part, name in parts.items() if name for kind in ("weight", "bias")
        }
        return names | {"bias": self.bias}


BERT_HEAD = HeadNames("cls.predictions.transform.dense", "cls.predictions.transform.LayerNorm", "cls.predictions.bias")
# In all of them the decoder's matrix is the word embeddings, and the activation is GELU.
HEADS = (
    HeadNames("lm_head.dense", "lm_head.layer_norm", "lm_head.bias"),  # XLM-R, RoBERTa
    BERT_HEAD,  # also DeBERTa-v2
    HeadNames("lm_predictions.lm_head.dense", "lm_predictions.lm_head.LayerNorm", "lm_predictions.lm_head.bias"),
    HeadNames("head.dense", "head.norm", "decoder.bias"),  # ModernBERT
    HeadNames("vocab_transform", "vocab_layer_norm", "vocab_projector.bias"),  # DistilBERT
    HeadNames("generator_predictions.dense", "generator_predictions.LayerNorm", "generator_lm_head.bias"),  # ELECTRA
    HeadNames(None, None, "pred_layer.proj.bias"),  # XLM
)


def is_readable(config: "PretrainedConfig") -> bool:
    """Whether a masked-LM head of this type has GELU, and the word embeddings as the decoder's matrix."""
    has_gelu = config.model_type in ("roberta", "xlm-roberta") or getattr(config, "hidden_act", "gelu") == "gelu"
    return has_gelu and getattr(config, "tie_word_embeddings", True)


def read_head(folder: Path) -> "dict[str, torch.Tensor] | None":
    """Read the checkpoint's masked-LM head in fp32, by the names of `families.mlm.MLMHead`.

    None if there is no head whose decoder is the word embeddings. A bias that the type does not have is zero.
    """
    import torch

    stored = locate_tensors(folder)
    names = find_head(stored)
    if names is None:
        return None
    tensors = names.tensors
    head = {ours: read_tensor(*stored[name]) for ours, name in tensors.items() if name in stored}
    for part in {ours.split(".")[0] for ours in tensors.keys() - head.keys()}:
        head[f"{part}.bias"] = torch.zeros(len(head[f"{part}.weight"]))
    return head


def find_head(stored: Mapping[str, object]) -> HeadNames | None:
    """The names of the head that is among the `stored` tensors; biases of dense layer and layer norm may be missing."""
    for names in HEADS:
        needed = [name for ours, name in names.tensors.items() if ours == "bias" or ours.endswith(".weight")]
        if all(name in stored for name in needed):
            return names
    return None
