"""The weights in a Hugging Face folder: find them, and load them without a missing or unknown tensor."""

import gc
import re
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, cast

from stilts_core.encoders.files import explain_damage, find_weight_files, read_config, read_index
from stilts_core.errors import EncoderError
from stilts_core.storage.cache import cache_folder, checksum, read_entry, write_entry

if TYPE_CHECKING:  # torch and transformers take seconds to import; to find files needs neither
    import torch
    from transformers import BertConfig, BertModel

MODEL_CLASSES = {"bert": "BertModel", "roberta": "RobertaModel", "xlm-roberta": "XLMRobertaModel"}
# What a checkpoint may hold beyond the encoder: heads of its earlier training, and an index that old versions stored.
UNUSED_TENSORS = re.compile(r"(\w+\.)?((pooler|lm_head|cls|classifier|qa_outputs)\.|embeddings\.position_ids$)")


def load_model(folder: Path, dropout: float | None = None) -> "BertModel":
    """Load the encoder in `folder` (without pooler or head) in fp32, whatever the precision of its file.

    `dropout` replaces the encoder's own dropout. Raises EncoderError unless the weights are safetensors and exactly
    those of the architecture. A tensor that is missing, or stored under an unknown name, would leave random weights in
    the model; this happened to XLM-R in jiant until July 2021. Only tensors of heads may remain unused.
    """
    import torch

    find_weight_files(folder)
    kind = read_config(folder)["model_type"]
    if kind not in MODEL_CLASSES:
        raise EncoderError(f"{folder} is an encoder of type {kind!r}; choose one of type {', '.join(MODEL_CLASSES)}")
    model_class = import_model_class(kind)
    try:
        config = cast("type[BertConfig]", model_class.config_class).from_pretrained(folder)
        config.dtype = torch.float32
        if dropout is not None:
            config.hidden_dropout_prob = config.attention_probs_dropout_prob = dropout
        with torch.device("meta"):  # no memory and no random numbers for weights that are replaced at once
            model = model_class(config, add_pooling_layer=False)
    except Exception as error:  # transformers raises errors of many classes for values that it cannot use
        reason = " ".join(str(error).split())
        raise EncoderError(
            f"{folder / 'config.json'} does not describe a {kind} encoder ({type(error).__name__}: {reason}); download "
            "it again, or write it with save_pretrained"
        ) from error
    tensors = _read_tensors(folder, kind, model.state_dict(), f"{model_class.base_model_prefix}.")
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
    """
    gc.disable()
    from transformers import utils

    is_scipy_available, utils.is_scipy_available = utils.is_scipy_available, lambda: False
    try:
        module = kind.replace("-", "_")
        return getattr(import_module(f"transformers.models.{module}.modeling_{module}"), MODEL_CLASSES[kind])
    finally:
        utils.is_scipy_available = is_scipy_available
        gc.freeze()
        gc.enable()


def locate_tensors(folder: Path) -> dict[str, tuple[Path, str]]:
    """Find where each tensor of a checkpoint is stored: name -> (file, name in the file).

    Where there is an index, it decides. Raises EncoderError for a damaged file, or a tensor that is not where the index
    says.
    """
    from safetensors import SafetensorError, safe_open

    stored: dict[str, Path] = {}
    index = read_index(folder)
    for path in find_weight_files(folder):
        try:
            with safe_open(path, "pt") as file:
                names = set(file.keys())
        except (SafetensorError, OSError) as error:
            raise explain_damage(path, error) from error
        indexed = names if index is None else {name for name, file in index.items() if file == path.name}
        if missing := sorted(indexed - names):
            raise EncoderError(f"{path} lacks {missing[0]}, which the index places there; download it again")
        stored |= dict.fromkeys(sorted(indexed), path)
    return {_modern_name(name): (path, name) for name, path in stored.items()}


def _modern_name(name: str) -> str:
    """The first BERT checkpoints call the tensors of a layer norm gamma and beta."""
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def read_tensor(path: Path, name: str) -> "torch.Tensor":
    """Read one tensor of a safetensors file, as a copy in fp32."""
    import torch
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return file.get_tensor(name).to(torch.float32, copy=True)


def _read_tensors(
    folder: Path, kind: str, expected: "dict[str, torch.Tensor]", prefix: str
) -> "dict[str, torch.Tensor]":
    """Read the tensors that the architecture expects; `prefix` may precede their names in the file.

    Raises EncoderError if a file is damaged, or if a tensor is missing, unknown or of another shape.
    """
    from safetensors import SafetensorError

    try:
        stored = {name.removeprefix(prefix): location for name, location in locate_tensors(folder).items()}
        used = {name: stored[name] for name in expected if name in stored}
        tensors = _map_tensors(used)
    except SafetensorError as error:
        raise EncoderError(f"the weights in {folder} are damaged ({error}); download them again") from error
    faults = {
        "missing": sorted(expected.keys() - stored.keys()),
        "unknown": sorted(name for name in stored.keys() - expected.keys() if not UNUSED_TENSORS.match(name)),
        "of another shape": sorted(name for name in tensors if tensors[name].shape != expected[name].shape),
    }
    if any(faults.values()):
        listed = "; ".join(f"{len(names)} {fault}, such as {names[0]}" for fault, names in faults.items() if names)
        raise EncoderError(
            f"the weights in {folder} are not those of the {kind} encoder in its config.json ({listed}). "
            "Write the folder with save_pretrained, or correct config.json or the prefix of the names"
        )
    _require_finite(tensors, used)
    return tensors


def _require_finite(tensors: "dict[str, torch.Tensor]", locations: dict[str, tuple[Path, str]]) -> None:
    """Raise EncoderError if a tensor holds NaN or infinity.

    The cache folder stores which files passed, because this check reads all weights, and a run needs few of them.
    """
    import torch

    for path in sorted({path for path, _ in locations.values()}):
        passed = cache_folder() / "weights" / f"{checksum(path)[:32]}.json"
        names = sorted(name for name, (file, _) in locations.items() if file == path)
        if read_entry(passed) == names:
            continue
        for name in names:
            # The sum is finite in almost all cases; only if it is not are all values looked at.
            if not torch.isfinite(tensors[name].sum()) and not torch.isfinite(tensors[name]).all():
                raise EncoderError(
                    f"{path}: tensor {locations[name][1]} holds NaN or infinity; its training has failed, or the file "
                    "is damaged. Use another checkpoint"
                )
        write_entry(passed, names)


def _map_tensors(locations: dict[str, tuple[Path, str]]) -> "dict[str, torch.Tensor]":
    """Read tensors in fp32. Tensors stored in fp32 are mapped: read at their first use, and never written back."""
    from safetensors import safe_open

    files = {path: safe_open(path, "pt") for path, _ in locations.values()}
    return {name: files[path].get_tensor(stored_name).float() for name, (path, stored_name) in locations.items()}
