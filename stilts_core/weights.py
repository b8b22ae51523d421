"""The weights in a Hugging Face folder: what is there, and loading them without a tensor missing or left over."""

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING

from stilts_core.cache import checksum
from stilts_core.packaged import EncoderError

if TYPE_CHECKING:  # torch and transformers take seconds to import, which a look at the files can do without
    import torch
    from torch import nn

KINDS = ("bert", "roberta", "xlm-roberta")
# What a checkpoint may hold beyond the encoder: heads of its earlier training, and an index that old versions stored.
LEFT_OVER = re.compile(r"(\w+\.)?((pooler|lm_head|cls|classifier|qa_outputs)\.|embeddings\.position_ids$)")


def load_model(folder: Path, dropout: float | None = None) -> "nn.Module":
    """Load the encoder in `folder` (without pooler or head) in fp32, whatever the precision of its file.

    `dropout` replaces the encoder's own. Raises EncoderError unless the weights are safetensors and exactly those of
    the architecture. A tensor that is missing, or unknown under its name, would leave random weights behind: jiant
    did so with XLM-R until July 2021. Only heads may be left over.
    """
    import torch
    from safetensors import SafetensorError
    from transformers import AutoConfig, AutoModel
    from transformers.utils import logging

    weight_files(folder)
    config = AutoConfig.from_pretrained(folder)
    if config.model_type not in KINDS:
        raise EncoderError(f"{folder} is of type {config.model_type!r}; encoders may be {', '.join(KINDS)}")
    if dropout is not None:
        config.hidden_dropout_prob = config.attention_probs_dropout_prob = dropout
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # what transformers only warns of is checked below
    logging.disable_progress_bar()
    try:
        model, found = AutoModel.from_pretrained(
            folder,
            config=config,
            add_pooling_layer=False,
            attn_implementation="sdpa",
            dtype=torch.float32,
            use_safetensors=True,
            ignore_mismatched_sizes=True,
            output_loading_info=True,
        )
    except SafetensorError as error:
        raise EncoderError(f"the weights in {folder} are damaged ({error}); fetch them again") from error
    finally:
        logging.set_verbosity(verbosity)
    faults = {
        "missing": sorted(found["missing_keys"]),
        "unknown": sorted(key for key in found["unexpected_keys"] if not LEFT_OVER.match(key)),
        "of another shape": sorted(key for key, *_ in found["mismatched_keys"]),
    }
    if any(faults.values()):
        listed = "; ".join(f"{len(keys)} {fault}, as {keys[0]}" for fault, keys in faults.items() if keys)
        raise EncoderError(
            f"the weights in {folder} are not the {config.model_type} encoder that its config.json describes "
            f"({listed}). Write the folder with save_pretrained, or correct config.json or the names' prefix"
        )
    return model


def weight_files(folder: Path) -> list[Path]:
    """The safetensors files of a folder. Raises EncoderError if there are none."""
    files = sorted(folder.glob("model*.safetensors"))
    if not files:
        pickled = ", ".join(path.name for path in sorted(folder.glob("*.bin")))
        held = f"only {pickled}, and pickled files can run code when they are read" if pickled else "no weights"
        raise EncoderError(
            f"{folder} has {held}; it should have model.safetensors. If you trust the source, load it with "
            "transformers and write it with save_pretrained"
        )
    return files


def fingerprint(folder: Path) -> str:
    """SHA-256 over the weights' files."""
    digests = [checksum(path) for path in weight_files(folder)]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def stored_tensors(folder: Path) -> dict[str, tuple[Path, str]]:
    """Where every tensor of a checkpoint is, by its name: (file, name there)."""
    from safetensors import safe_open

    stored = {}
    for path in weight_files(folder):
        with safe_open(path, "pt") as file:
            for name in file.keys():  # noqa: SIM118 (the file is no mapping)
                # The first BERT checkpoints call a layer norm's tensors gamma and beta.
                present = name.replace("LayerNorm.gamma", "LayerNorm.weight").replace(
                    "LayerNorm.beta", "LayerNorm.bias"
                )
                stored[present] = path, name
    return stored


def read_tensor(path: Path, name: str) -> "torch.Tensor":
    """One tensor of a safetensors file, in fp32 and in memory of its own."""
    import torch
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return file.get_tensor(name).to(torch.float32, copy=True)
