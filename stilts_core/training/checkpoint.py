"""Checkpoints: written whole, verified when read, so that a killed run resumes exactly where it was.

A checkpoint is a folder with `tensors.safetensors` and `state.json`; the state holds the SHA-256 of the tensors' file.
"""

import hashlib
import json
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from stilts_core.errors import CheckpointError
from stilts_core.storage.atomic import whole_folder
from stilts_core.storage.locks import lock_on
from stilts_core.training import distributed

TENSORS, STATE = "tensors.safetensors", "state.json"


def write(folder: Path, tensors: dict[str, torch.Tensor], state: dict) -> None:
    """Write a checkpoint to `folder`, which must not exist; it appears whole or not at all."""
    with whole_folder(folder) as partial:
        save_file({name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}, partial / TENSORS)
        state = state | {"sha256": _sha256(partial / TENSORS)}
        (partial / STATE).write_text(json.dumps(state, allow_nan=False), encoding="utf-8")


def read(folder: Path) -> tuple[dict[str, torch.Tensor], dict]:
    """Read the tensors and the state of a checkpoint. Raises CheckpointError if it is damaged."""
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        is_whole = state["sha256"] == _sha256(folder / TENSORS)
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{folder}: not a checkpoint ({error}); delete the folder and run again") from error
    if not is_whole:
        raise CheckpointError(f"{folder}: the tensors do not match their SHA-256; delete the folder and run again")
    return load_file(folder / TENSORS), state


def write_step(parent: Path, step: int, tensors: dict[str, torch.Tensor], state: dict) -> None:
    """Write the checkpoint of `step` under `parent`, then delete the checkpoints of earlier steps."""
    if not (parent / f"step-{step}").exists():
        write(parent / f"step-{step}", tensors, state | {"step": step})
    for folder in _find_steps(parent):
        if folder.name != f"step-{step}":
            shutil.rmtree(folder, ignore_errors=True)
    for leftover in parent.glob(".step-*"):  # from processes that were killed while they wrote another step
        shutil.rmtree(leftover, ignore_errors=True)


def read_latest_step(parent: Path) -> tuple[dict[str, torch.Tensor], dict] | None:
    """Read the latest checkpoint under `parent`; None if there is none.

    A damaged checkpoint is deleted, and the one before it is read instead.
    """
    with distributed.main_process_first():
        for folder in reversed(_find_steps(parent)):
            try:
                return read(folder)
            except CheckpointError:
                shutil.rmtree(folder, ignore_errors=True)
        return None


@contextmanager
def lock_for_run(folder: Path) -> Iterator[None]:
    """Hold the lock on `folder` while the block lasts.

    Of several processes that share a run, only the main process takes the lock; the others wait until it has it.
    """
    with ExitStack() as lock:
        with distributed.main_process_first():
            if distributed.rank() == 0:
                lock.enter_context(lock_on(folder))
        yield


def _find_steps(parent: Path) -> list[Path]:
    """The checkpoints under `parent`, by ascending step."""
    return sorted(parent.glob("step-*"), key=lambda folder: int(folder.name.removeprefix("step-")))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
