"""The tensors in a Hugging Face folder: found, read in fp32, and checked against those that an architecture expects."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from stilts_core.encoders.files import explain_damage, find_weight_files, read_config, read_index
from stilts_core.errors import EncoderError
from stilts_core.storage.cache import cache_folder, checksum, read_entry, write_entry

if TYPE_CHECKING:  # torch takes seconds to import; to find files does not need it
    import torch

Locations = dict[str, tuple[Path, str]]  # by a tensor's name: its file, and its name there


def locate_tensors(folder: Path) -> Locations:
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
    """Read one tensor of a safetensors file, as a copy in fp32. Raises EncoderError if it holds no real numbers."""
    import torch
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        return _require_floating(path, name, file.get_tensor(name)).to(torch.float32, copy=True)


def read_tensors(
    folder: Path, kind: str, expected: "dict[str, torch.Tensor]", prefix: str, unused: re.Pattern[str]
) -> "dict[str, torch.Tensor]":
    """Read the tensors that the architecture expects, in fp32; `prefix` may precede their names in the file.

    Raises EncoderError if a file is damaged, or if a tensor is missing, unknown or of another shape. The names of other
    tensors that the file may hold match `unused`.
    """
    stored = {name.removeprefix(prefix): location for name, location in locate_tensors(folder).items()}
    used = {name: stored[name] for name in expected if name in stored}
    tensors = map_tensors(folder, used)
    require_exact(
        folder,
        kind,
        missing=expected.keys() - stored.keys(),
        unknown=[name for name in stored.keys() - expected.keys() if not unused.match(name)],
        reshaped=[name for name in tensors if tensors[name].shape != expected[name].shape],
    )
    require_finite(tensors, used)
    return tensors


def require_exact(
    folder: Path, kind: str, *, missing: Iterable[str], unknown: Iterable[str], reshaped: Iterable[str]
) -> None:
    """Raise EncoderError if tensors of an architecture are missing, unknown or of another shape."""
    faults = {"missing": sorted(missing), "unknown": sorted(unknown), "of another shape": sorted(reshaped)}
    if any(faults.values()):
        listed = "; ".join(f"{len(names)} {fault}, such as {names[0]}" for fault, names in faults.items() if names)
        has_code = "auto_map" in read_config(folder)
        own_code = " It names code of its own (auto_map), which is never run." if has_code else ""
        raise EncoderError(
            f"the weights in {folder} are not those of the {kind} encoder in its config.json ({listed}).{own_code} "
            "Write the folder with save_pretrained, or correct config.json or the prefix of the names"
        )


def require_finite(tensors: "dict[str, torch.Tensor]", locations: Locations) -> None:
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


def map_tensors(folder: Path, locations: Locations) -> "dict[str, torch.Tensor]":
    """Read tensors in fp32. Tensors stored in fp32 are mapped: read at their first use, and never written back.

    Raises EncoderError for a damaged file, and for weights that are not real numbers, such as those of a quantised
    model.
    """
    from safetensors import SafetensorError, safe_open

    try:
        files = {path: safe_open(path, "pt") for path, _ in locations.values()}
        return {
            name: _require_floating(path, stored, files[path].get_tensor(stored)).float()
            for name, (path, stored) in locations.items()
        }
    except SafetensorError as error:
        raise EncoderError(f"the weights in {folder} are damaged ({error}); download them again") from error


def _require_floating(path: Path, name: str, tensor: "torch.Tensor") -> "torch.Tensor":
    """Return a tensor of real numbers, or of the indices that old versions stored (`position_ids`)."""
    if not tensor.is_floating_point() and not name.endswith("_ids"):
        raise EncoderError(
            f"{path}: tensor {name} holds {str(tensor.dtype).removeprefix('torch.')} and not real numbers, as in a "
            "quantised model, whose scale is not read. Use the checkpoint before quantisation, in fp32, fp16 or bf16"
        )
    return tensor
