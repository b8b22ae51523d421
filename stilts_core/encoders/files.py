"""The files of an encoder's folder: which hold the weights, which decide the encoder's outputs, and their faults.

Every fault is an EncoderError that names the file. Only small reads are needed to find it.
"""

import hashlib
import json
import math
import re
from pathlib import Path
from typing import Any

from stilts_core.errors import EncoderError, shown
from stilts_core.storage.cache import checksum

CONFIG, INDEX = "config.json", "model.safetensors.index.json"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
LFS_POINTER = b"version https://git-lfs"
# Values of config.json that transformers accepts in every range: (names, lowest, highest).
RANGES = (
    (("num_hidden_layers", "num_attention_heads", "max_position_embeddings", "vocab_size"), 1, math.inf),
    (("pad_token_id",), 0, math.inf),
    (("layer_norm_eps", "norm_eps"), 1e-30, 1.0),
)


def require_content(path: Path) -> Path:
    """Return the path of a file that has content. Raises EncoderError for an empty file and for a Git LFS pointer."""
    try:
        with path.open("rb") as file:
            start = file.read(len(LFS_POINTER))
    except OSError as error:
        raise EncoderError(f"{path} cannot be read ({error.strerror}); download the encoder again") from error
    if start == LFS_POINTER:
        raise EncoderError(
            f"{path} is a Git LFS pointer and not the file itself; run `git lfs pull` in its folder, or download the "
            "encoder again"
        )
    if not start:
        raise EncoderError(f"{path} is empty; download the encoder again")
    return path


def read_object(path: Path) -> dict[str, Any]:
    """Read a JSON object. Raises EncoderError for a file that cannot be read or holds something else."""
    try:
        content = json.loads(require_content(path).read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise EncoderError(f"{path} is not JSON ({error}); download the encoder again") from error
    if not isinstance(content, dict):
        raise EncoderError(f"{path} holds {type(content).__name__} and not a JSON object; download the encoder again")
    return content


def read_config(folder: Path) -> dict[str, Any]:
    """Read an encoder's `config.json`. Raises EncoderError if there is none, or if it has no text `model_type`."""
    path = folder / CONFIG
    if not path.exists():
        raise EncoderError(
            f"{folder} has no config.json; it needs the whole folder of an encoder, as save_pretrained writes it"
        )
    config = read_object(path)
    if not isinstance(config.get("model_type"), str):
        raise EncoderError(f"{path} has model_type {config.get('model_type')!r}; write it with save_pretrained")
    return config


def read_index(folder: Path) -> dict[str, str] | None:
    """Read which file holds each tensor, name in the file -> file name; None for a folder without an index.

    Raises EncoderError for a broken index, and for one that names a missing file or a file outside the folder.
    """
    path = folder / INDEX
    if not path.exists():
        return None
    files = read_object(path).get("weight_map")
    if not isinstance(files, dict) or not files or not all(isinstance(name, str) for name in files.values()):
        raise EncoderError(f"{path} has no weight_map from tensors to files; download the encoder again")
    for name in sorted(set(files.values())):
        if Path(name).name != name or not name.endswith(".safetensors"):
            raise EncoderError(f"{path} names {name!r}; it may name safetensors files of its own folder only")
        if not (folder / name).exists():
            raise EncoderError(f"{path} names {name}, which is missing in {folder}; download it")
    return files


def find_weight_files(folder: Path) -> list[Path]:
    """Find the safetensors files of a folder; where there is an index, these are the files that it names.

    Raises EncoderError if there are none, and if there are several and no index says which of them count.
    """
    if index := read_index(folder):
        return [require_content(folder / name) for name in sorted(set(index.values()))]
    files = sorted(folder.glob("model*.safetensors"))
    if (single := folder / "model.safetensors") in files:
        return [require_content(single)]
    if len(files) > 1:
        raise EncoderError(
            f"{folder} has {len(files)} files of weights, such as {files[0].name}, and no {INDEX} that says which "
            "belong together; download the index too"
        )
    if not files:
        pickled = ", ".join(path.name for path in sorted(folder.glob("*.bin")))
        content = f"only {pickled}, but reading pickled files can run foreign code" if pickled else "no weights"
        raise EncoderError(
            f"{folder} has {content}; it needs model.safetensors. If you trust the source, load it with transformers "
            "and write it with save_pretrained"
        )
    return [require_content(path) for path in files]


def fingerprint_weights(folder: Path) -> str:
    """Compute the SHA-256 over the checksums of the weights' files."""
    digests = [checksum(path) for path in find_weight_files(folder)]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def fingerprint_encoder(folder: Path) -> str:
    """Compute the SHA-256 over all files that decide an encoder's outputs: weights, index, config and tokenizer."""
    present = [path for name in (CONFIG, INDEX, *TOKENIZER_FILES) if (path := folder / name).exists()]
    facts = [fingerprint_weights(folder), *(f"{path.name} {checksum(path)}" for path in present)]
    return hashlib.sha256("\n".join(facts).encode()).hexdigest()


def explain_damage(path: Path, error: Exception) -> EncoderError:
    """The error for a safetensors file that cannot be read; `error` is what the library said."""
    reason = re.sub(r"\s+", " ", str(error))
    return EncoderError(f"the weights in {path} are damaged ({reason}); download them again")


def explain_config(folder: Path, kind: str, error: Exception) -> EncoderError:
    """The error for a `config.json` with values that transformers cannot use; `error` is what it raised."""
    reason = " ".join(str(error).split())
    return EncoderError(
        f"{folder / CONFIG} does not describe a {kind} encoder ({type(error).__name__}: {reason}); download it again, "
        "or write it with save_pretrained"
    )


def require_ranges(folder: Path, config: Any) -> None:
    """Raise EncoderError for a number in `config.json` with which no encoder can compute.

    `config` is transformers' configuration, which has usual names for the sizes of all types.
    """
    for names, lowest, highest in RANGES:
        for name in names:
            value = getattr(config, name, None)
            if isinstance(value, int | float) and not lowest <= value <= highest:
                least = f"{lowest} or more" if highest == math.inf else "above 0, such as 1e-12 or 1e-05"
                raise EncoderError(
                    f"{folder / CONFIG} has {name} {shown(value)}; it must be {least}. Download it again, or write it "
                    "with save_pretrained"
                )
