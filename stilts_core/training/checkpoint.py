"""Checkpoints: written whole, verified when read, so that a killed run resumes exactly where it was.

A checkpoint is a folder with `tensors.safetensors` and `state.json`; the state holds the SHA-256 of the tensors' file
and of itself.
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
from stilts_core.storage.leftovers import remove
from stilts_core.storage.locks import lock_on
from stilts_core.training import distributed
from stilts_core.training.progress import Progress

TENSORS, STATE = "tensors.safetensors", "state.json"
OWN_DIGEST = "state_sha256"  # the entry of the state with the SHA-256 of all others
REMEDY = "; delete the folder and run again"
_WRONG_TYPE = (TypeError, AttributeError)  # the state is JSON, but no object


def write(folder: Path, tensors: dict[str, torch.Tensor], state: dict) -> None:
    """Write a checkpoint to `folder`, which must not exist; it appears whole or not at all."""
    with whole_folder(folder) as partial:
        save_file({name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}, partial / TENSORS)
        state = state | {"sha256": _sha256(partial / TENSORS)}
        (partial / STATE).write_text(
            json.dumps(state | {OWN_DIGEST: _digest(state)}, allow_nan=False), encoding="utf-8"
        )


def read(folder: Path) -> tuple[dict[str, torch.Tensor], dict]:
    """Read the tensors and the state of a checkpoint. Raises CheckpointError if it is damaged."""
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        own_digest = state.pop(OWN_DIGEST, None)  # None: written by an earlier version
        is_whole = state["sha256"] == _sha256(folder / TENSORS)
    except FileNotFoundError as error:
        raise CheckpointError(f"{folder}: {Path(error.filename).name} is missing{REMEDY}") from error
    except (NotADirectoryError, IsADirectoryError, ValueError, RecursionError, LookupError, *_WRONG_TYPE) as error:
        raise CheckpointError(f"{folder}: not a checkpoint ({error}){REMEDY}") from error
    if not is_whole:
        raise CheckpointError(f"{folder}: the tensors do not match their SHA-256{REMEDY}")
    if own_digest not in (None, _digest(state)):
        raise CheckpointError(f"{folder}: {STATE} does not match its SHA-256{REMEDY}")
    return load_file(folder / TENSORS), state


def read_or_remove(folder: Path) -> tuple[dict[str, torch.Tensor], dict] | None:
    """Read a checkpoint; None if there is none. A damaged one is reported with one line and removed."""
    if not folder.exists():
        return None
    try:
        return read(folder)
    except CheckpointError as error:
        Progress("", 1).note(f"Damaged checkpoint {str(error).removesuffix(REMEDY)}; it is computed again.")
        remove(folder)
        return None


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
            if content := read_or_remove(folder):
                return content
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


def _digest(state: dict) -> str:
    """The SHA-256 of a state, whether it was read or is to be written."""
    return hashlib.sha256(json.dumps(state, sort_keys=True, allow_nan=False).encode()).hexdigest()
