"""The trained encoder that a run keeps in its folder, and whether its files are whole."""

import json
from pathlib import Path

MODEL = "model"  # the folder of the trained encoder in the folder of a run, if it is kept
HEAD = "head.safetensors"  # the file of the run's head there
LENGTH = 8  # bytes at the beginning of a safetensors file that hold the length of its header


def is_whole_model(folder: Path) -> bool:
    """Whether a folder has a trained encoder and its head, none of them cut off. Tensors are not read."""
    files = [folder / name for name in ("model.safetensors", HEAD)]
    return (folder / "config.json").is_file() and all(_is_whole(path) for path in files)


def _is_whole(path: Path) -> bool:
    """Whether a safetensors file is as long as its header says."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(LENGTH), "little")
            if length > path.stat().st_size:
                return False
            header = json.loads(file.read(length))
        ends = [facts["data_offsets"][1] for name, facts in header.items() if name != "__metadata__"]
        return path.stat().st_size == LENGTH + length + max(ends, default=0)
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return False
