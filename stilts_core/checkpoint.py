"""Checkpoints: written atomically, verified when read, so that a killed run resumes exactly.

A checkpoint is a folder with `tensors.safetensors` and `state.json`, which carries the hash of the former. It is
written under another name and renamed when it is whole, so what has the name is complete.
"""

import hashlib
import json
import os
import shutil
import sys
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
from filelock import FileLock, Timeout
from safetensors.torch import load_file, save_file

from stilts_core import distributed

TENSORS, STATE = "tensors.safetensors", "state.json"


class CheckpointError(ValueError):
    """A checkpoint that is damaged; the message names the folder and the remedy."""


def write(folder: Path, tensors: dict[str, torch.Tensor], state: dict) -> None:
    """Write a checkpoint to `folder`, which must not exist; nothing is there until all of it is."""
    for leftover in folder.parent.glob(f".{folder.name}.*"):  # of a process killed at this place
        shutil.rmtree(leftover)
    partial = folder.with_name(f".{folder.name}.{os.getpid()}")
    partial.mkdir(parents=True)
    save_file({name: tensor.detach().contiguous().cpu() for name, tensor in tensors.items()}, partial / TENSORS)
    state = state | {"sha256": _sha256(partial / TENSORS)}
    (partial / STATE).write_text(json.dumps(state), encoding="utf-8")
    for path in (partial / TENSORS, partial / STATE, partial):
        _sync(path)
    os.rename(partial, folder)
    _sync(folder.parent)


def read(folder: Path) -> tuple[dict[str, torch.Tensor], dict]:
    """The tensors and the state of a checkpoint; raises CheckpointError where its hash does not match."""
    try:
        state = json.loads((folder / STATE).read_text(encoding="utf-8"))
        whole = state["sha256"] == _sha256(folder / TENSORS)
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"{folder}: not a checkpoint ({error}); delete the folder and run again") from error
    if not whole:
        raise CheckpointError(f"{folder}: the tensors do not match their hash; delete the folder and run again")
    return load_file(folder / TENSORS), state


def write_step(parent: Path, step: int, tensors: dict[str, torch.Tensor], state: dict) -> None:
    """Write the checkpoint of `step` under `parent`, then delete those before it."""
    if not (parent / f"step-{step}").exists():
        write(parent / f"step-{step}", tensors, state | {"step": step})
    for folder in _steps(parent):
        if folder.name != f"step-{step}":
            shutil.rmtree(folder, ignore_errors=True)
    for leftover in parent.glob(".step-*"):
        shutil.rmtree(leftover, ignore_errors=True)


def latest_step(parent: Path) -> tuple[dict[str, torch.Tensor], dict] | None:
    """The newest whole checkpoint under `parent`, or None; a damaged one is deleted and the one before it is taken."""
    with distributed.first_ahead():
        for folder in reversed(_steps(parent)):
            try:
                return read(folder)
            except CheckpointError:
                shutil.rmtree(folder, ignore_errors=True)
        return None


def locked(folder: Path) -> AbstractContextManager:
    """The lock on `folder` while the context lasts; says so if another process holds it, and waits.

    Of processes that train together the first takes it for all.
    """
    with distributed.first_ahead():
        if distributed.rank() > 0:
            return nullcontext()
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder.with_name(f"{folder.name}.lock"))
        try:
            return lock.acquire(timeout=0)
        except Timeout:
            sys.stderr.write(f"another process is at work on {folder.name}; waiting for it\n")
            return lock.acquire()


def _steps(parent: Path) -> list[Path]:
    return sorted(parent.glob("step-*"), key=lambda folder: int(folder.name.removeprefix("step-")))


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
