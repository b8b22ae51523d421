"""Trains a tiny encoder in one, two and three processes, which should make no difference.

    python distributed_training.py ENCODER FOLDER

leaves FOLDER/<processes>/<case>/result.safetensors and report.json for every entry of CASES; FOLDER/<processes>/
counts.json, which says how often each feature was counted; and FOLDER/<processes>/runs with a whole run. One process
imports PyTorch; the others are forked from it before it computes anything, in the environment that torchrun gives.
"""

import json
import os
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from pathlib import Path
from unittest import mock

import numpy as np
import torch
import toy_data
from killed_training import ended, start
from safetensors.torch import save_file
from toy import mlm_task, training_task

from stilts_core import distributed, training
from stilts_core.compute import Compute
from stilts_core.config import RunConfig
from stilts_core.cpu.adamw import AdamW
from stilts_core.distributed import rank, sum_gradients, together
from stilts_core.encoder import load_encoder
from stilts_core.families.head import Head
from stilts_core.pipeline import run
from stilts_core.training import Phase, Plan, Schedule, TrainingTask, _accumulate, train

WORLDS = (1, 2, 3)
RUNS = {1: ("xnli", "tatoeba"), 2: ("xnli", "tatoeba")}
RESUMED = "pair, stopped and resumed"
# Batches of 4 from 9 features leave one feature for the last step of an epoch, with which one process at most can work.
SCHEDULE = Schedule(epochs=2, lr=1e-3, batch_size=4, seed=3)
CASES = {
    "pair": [("mnli", {})],
    RESUMED: [("mnli", {})],
    "windows of span": [("squad", {"max_length": 24})],
    "contrastive": [("lareqa", {})],
    "many tasks and masked words": [("mnli", {}), ("udpos", {}), ("hellaswag", {}), ("lareqa", {})],
}


def steady(modules: torch.nn.Module, schedule: Schedule, adamw=training._adamw) -> AdamW:
    """The loop's optimiser with a larger eps: with its own it makes steps of rounding errors where gradients are 0."""
    optimiser = adamw(modules, schedule)
    for group in optimiser.param_groups:
        group["eps"] = 1e-3
    return optimiser


def trained(encoder_folder: str, case: str, folder: Path) -> None:
    """Train on the tasks of a case, accumulating; leaves all weights and what was reported."""
    torch.manual_seed(0)
    encoder = load_encoder(encoder_folder, dropout=0.0)
    tasks = [training_task(encoder, name, 9, **changes) for name, changes in CASES[case]]
    mlm = mlm_task(encoder, 9) if len(tasks) > 1 else None
    schedule = Schedule(**vars(SCHEDULE) | {"mlm_weight": 0.5})
    compute = Compute(token_budget=64, checkpoint_seconds=0 if case == RESUMED else 1e9)
    with mock.patch.object(training, "_adamw", steady):
        phase = train(encoder, tasks, schedule, title="", checkpoints=folder / "steps", compute=compute, mlm=mlm)
    heads = torch.nn.ModuleList([task.head for task in (*tasks, *([mlm] if mlm else []))])
    if rank() == 0:
        save_file(encoder.model.state_dict() | heads.state_dict(), folder / "result.safetensors")
        report = {"tokens": phase.tokens, "padded": phase.padded, "loss": [point["loss"] for point in phase.curve]}
        (folder / "report.json").write_text(json.dumps(report))


def stopping(call: int) -> Callable:
    """The optimiser's step, which raises InterruptedError at that call."""
    original, calls = AdamW.step, count(1)

    def step(*args, **kwargs):
        if next(calls) == call:
            raise InterruptedError
        return original(*args, **kwargs)

    return step


class CountingHead(Head):
    """A loss whose gradient in `counted` says how often each feature was counted."""

    def __init__(self, features: int):
        super().__init__()
        self.counted = torch.nn.Parameter(torch.zeros(features))

    def loss(self, hidden: torch.Tensor, batch) -> torch.Tensor:
        return self.counted[batch.features].sum()


def counted(encoder_folder: str, folder: Path) -> None:
    """How often one epoch counts each feature, whatever process works on it."""
    encoder = load_encoder(encoder_folder)
    features = training_task(encoder, "hellaswag", 9).features
    task = TrainingTask("counted", features, CountingHead(len(features)))
    total = np.zeros(len(features))
    plan = Plan([task], SCHEDULE, steps=3)
    for step in range(plan.steps):
        chosen = plan[step][1]
        phase, compute = Phase(steps=1), Compute(token_budget=64)
        _accumulate(encoder, task, chosen, float(len(chosen)), (3, step), compute, phase)
        sum_gradients(task.head.parameters())
        total += task.head.counted.grad.numpy()
        task.head.zero_grad()
    if rank() == 0:
        (folder / "counts.json").write_text(json.dumps(total.tolist()))


def in_processes(world: int, work: Callable[[], None]) -> None:
    """Do `work` in a group of processes; ends this one with a message if one of them fails."""
    with socket.create_server(("localhost", 0)) as server:
        port = server.getsockname()[1]

    def member(number: int) -> None:
        names = {"RANK": number, "LOCAL_RANK": number, "WORLD_SIZE": world, "MASTER_ADDR": "localhost"}
        names |= {"MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "test"}
        os.environ |= {name: str(value) for name, value in names.items()}
        with together():
            work()

    codes = [ended(child) for child in [start(lambda number=n: member(number)) for n in range(world)]]
    if any(codes):
        sys.exit(f"the processes ended with {codes}")


def everything(world: int, encoder_folder: str, parent: Path) -> None:
    with mock.patch.object(AdamW, "step", stopping(4)), suppress(InterruptedError):
        trained(encoder_folder, RESUMED, parent / RESUMED)
    for case in CASES:
        trained(encoder_folder, case, parent / case)
    counted(encoder_folder, parent)
    for target in RUNS.get(world, ()):
        sizes = {"encoder": encoder_folder, "batch_size": 7, "runs_dir": str(parent / "runs"), "precision": "fp32"}
        run(RunConfig(profile="small", intermediate="mnli", target=target, keep_checkpoint=True, **sizes))


if __name__ == "__main__":
    encoder_folder, parent = sys.argv[1], Path(sys.argv[2])
    torch.set_num_threads(1)  # a pool of threads would not survive a fork
    load_encoder(encoder_folder)  # imports the model's code once for all
    distributed.BUCKET = 5000  # the gradients of so small an encoder fill several
    os.environ["STILTS_DATA"] = str(toy_data.write_data(parent / "data"))
    for world in WORLDS:
        folder = parent / str(world)
        for case in CASES:
            (folder / case).mkdir(parents=True)
        in_processes(world, lambda world=world, folder=folder: everything(world, encoder_folder, folder))
