"""The weights in a Hugging Face folder: what is there, and loading them without a tensor missing or left over."""

import gc
import hashlib
import json
import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from stilts_core.cache import checksum
from stilts_core.packaged import EncoderError

if TYPE_CHECKING:  # torch and transformers take seconds to import, which a look at the files can do without
    import torch
    from torch import nn

KINDS = {"bert": "BertModel", "roberta": "RobertaModel", "xlm-roberta": "XLMRobertaModel"}
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

    weight_files(folder)
    kind = json.loads((folder / "config.json").read_text(encoding="utf-8"))["model_type"]
    if kind not in KINDS:
        raise EncoderError(f"{folder} is of type {kind!r}; encoders may be {', '.join(KINDS)}")
    model_class = architecture(kind)
    config = model_class.config_class.from_pretrained(folder)
    config.dtype = torch.float32
    if dropout is not None:
        config.hidden_dropout_prob = config.attention_probs_dropout_prob = dropout
    with torch.device("meta"):  # nothing is drawn at random only to be overwritten
        model = model_class(config, add_pooling_layer=False)
    expected, prefix = model.state_dict(), f"{model_class.base_model_prefix}."
    try:
        stored = {name.removeprefix(prefix): place for name, place in stored_tensors(folder).items()}
        tensors = _mapped({name: stored[name] for name in expected if name in stored})
    except SafetensorError as error:
        raise EncoderError(f"the weights in {folder} are damaged ({error}); fetch them again") from error
    faults = {
        "missing": sorted(expected.keys() - stored.keys()),
        "unknown": sorted(name for name in stored.keys() - expected.keys() if not LEFT_OVER.match(name)),
        "of another shape": sorted(name for name in tensors if tensors[name].shape != expected[name].shape),
    }
    if any(faults.values()):
        listed = "; ".join(f"{len(keys)} {fault}, as {keys[0]}" for fault, keys in faults.items() if keys)
        raise EncoderError(
            f"the weights in {folder} are not the {kind} encoder that its config.json describes "
            f"({listed}). Write the folder with save_pretrained, or correct config.json or the names' prefix"
        )
    model.load_state_dict(tensors, assign=True)
    positions = torch.arange(config.max_position_embeddings)[None]
    model.embeddings.position_ids, model.embeddings.token_type_ids = positions, torch.zeros_like(positions)
    return model.eval()


def architecture(kind: str) -> type:
    """transformers' class for encoders of a kind.

    Importing it takes most of a start, so it is kept short: by no way over AutoModel, which prepares for every kind
    there is; without scipy.optimize, which only losses for object detection need; and without a search for garbage,
    of which an import leaves none.
    """
    gc.disable()
    from transformers import utils

    has_scipy, utils.is_scipy_available = utils.is_scipy_available, lambda: False
    try:
        module = kind.replace("-", "_")
        return getattr(import_module(f"transformers.models.{module}.modeling_{module}"), KINDS[kind])
    finally:
        utils.is_scipy_available = has_scipy
        gc.freeze()  # nor will a later search find anything among what was imported
        gc.enable()


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


def _mapped(stored: dict[str, tuple[Path, str]]) -> "dict[str, torch.Tensor]":
    """Tensors in fp32 by name; those that are stored so are read when they are used. The files are never written."""
    from safetensors import safe_open

    files = {path: safe_open(path, "pt") for path, _ in stored.values()}
    return {name: files[path].get_tensor(key).float() for name, (path, key) in stored.items()}


def read_tensor(path: Path, name: str) -> "torch.Tensor":
    """One tensor of a safetensors file, in fp32 and in memory of its own."""
    import torch
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return file.get_tensor(name).to(torch.float32, copy=True)
