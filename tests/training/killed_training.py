"""Train a tiny encoder in processes that are killed at chosen points and restarted until they finish.

    python killed_training.py ENCODER FOLDER

writes FOLDER/<death>/result.{safetensors,json} for every entry of DEATHS. One process imports PyTorch. The others are
forked from it before it computes anything.
"""

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import NamedTuple
from unittest import mock

import torch
from safetensors.torch import save_file
from toy import make_mlm_task, make_training_task

from stilts_core.encoders.cpu.adamw import AdamW
from stilts_core.runs.encoders import load_encoder
from stilts_core.training import checkpoint, monitor
from stilts_core.training.compute import Compute
from stilts_core.training.loop import train
from stilts_core.training.schedule import Schedule

STEPS, SAVES = 12, 4  # a checkpoint every three steps


class Death(NamedTuple):
    """The point at which a process is killed: before or after (`done`) a call of a function, given by its number."""

    owner: object
    function: str
    call: int
    done: bool


def step(number: int) -> Death:
    """After an optimiser step; steps are counted from the start of the process."""
    return Death(AdamW, "step", number, done=True)


def tensors_written(save: int) -> Death:
    return Death(checkpoint, "save_file", save, done=True)


def whole_but_not_renamed(save: int) -> Death:
    return Death(os, "rename", save, done=False)


def renamed(save: int) -> Death:
    return Death(os, "rename", save, done=True)


DEATHS = {
    "never": [],
    "before the first checkpoint": [step(2)],
    "between two checkpoints": [step(5)],
    "with a checkpoint's tensors written": [tensors_written(2)],
    "with a checkpoint whole but not renamed": [whole_but_not_renamed(2)],
    "with a checkpoint renamed and the older one not deleted": [renamed(2)],
    "with the last checkpoint whole but not renamed": [whole_but_not_renamed(SAVES)],
    "right at the end": [renamed(SAVES)],
    "again and again": [tensors_written(1), renamed(1), step(4), whole_but_not_renamed(1), renamed(2)],
}


def die_at(death: Death) -> mock._patch:
    """Replace the function of `death` by one that kills its process at the given call."""
    original, calls = getattr(death.owner, death.function), count(1)

    def function(*args, **kwargs):
        due = next(calls) == death.call
        result = None if due and not death.done else original(*args, **kwargs)
        if due:
            os.kill(os.getpid(), signal.SIGKILL)
        return result

    return mock.patch.object(death.owner, death.function, function)


def start(work: Callable[[], None], death: Death | None = None) -> int:
    """Run `work` in a new process and return the id of the process."""
    if child := os.fork():
        return child
    try:
        with die_at(death) if death else mock.MagicMock():
            work()
        os._exit(0)
    except BaseException:
        traceback.print_exc()
        os._exit(1)


def wait_for(child: int) -> int:
    """Wait for a process. Returns its exit code, or minus the signal that killed it."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def train_many_tasks(encoder_folder: str, folder: Path) -> None:
    """Train on three tasks and masked language modelling, with dropout; write all weights and the report."""
    torch.manual_seed(0)
    encoder = load_encoder(encoder_folder, dropout=0.1)
    tasks = [make_training_task(encoder, name, 16, dropout=0.1) for name in ("mnli", "udpos", "hellaswag")]
    beside = make_mlm_task(encoder, 24)
    schedule = Schedule(epochs=1, lr=1e-3, batch_size=4, seed=3, auxiliary_weight=0.5)
    compute = Compute(token_budget=96, checkpoint_seconds=0)
    with mock.patch.object(monitor, "CURVE_POINTS", SAVES):
        phase = train(encoder, tasks, schedule, title="", checkpoints=folder / "steps", compute=compute, beside=beside)
    heads = torch.nn.ModuleList([task.head for task in (*tasks, beside)])
    save_file(encoder.model.state_dict() | heads.state_dict(), folder / "result.safetensors")
    (folder / "result.json").write_text(json.dumps(vars(phase)))


if __name__ == "__main__":
    encoder_folder, parent = sys.argv[1], Path(sys.argv[2])
    torch.set_num_threads(1)  # a thread pool does not survive a fork
    load_encoder(encoder_folder)  # imports the model's code once, before the forks
    for name, deaths in DEATHS.items():
        folder = parent / name
        folder.mkdir()
        for death in [*deaths, None]:
            code = wait_for(start(lambda folder=folder: train_many_tasks(encoder_folder, folder), death))
            if code != (-signal.SIGKILL if death else 0):
                sys.exit(f"{name}: a process that should {'be killed' if death else 'finish'} ended with {code}")
