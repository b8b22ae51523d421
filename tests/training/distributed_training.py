"""Train a tiny encoder in one, two and three processes, which must give the same results.

    python distributed_training.py ENCODER FOLDER

writes FOLDER/<processes>/<case>/result.safetensors and report.json for every entry of CASES, the number of times that
each feature was counted to FOLDER/<processes>/counts.json, and a whole run to FOLDER/<processes>/runs. One process
imports PyTorch. The others are forked from it before it computes anything, in the environment that torchrun sets.
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
from killed_training import start, wait_for
from safetensors.torch import save_file
from toy import make_auxiliary_task, make_training_task

from stilts_core.config import RunConfig
from stilts_core.encoders.cpu.adamw import AdamW
from stilts_core.families.head import Head
from stilts_core.runs.encoders import load_encoder
from stilts_core.runs.pipeline import run
from stilts_core.training import distributed
from stilts_core.training import loop as training
from stilts_core.training.compute import Compute
from stilts_core.training.distributed import process_group, rank, sum_gradients
from stilts_core.training.gradients import accumulate_gradient
from stilts_core.training.loop import train
from stilts_core.training.phase import Phase
from stilts_core.training.schedule import Plan, Schedule, TrainingTask

WORLDS = (1, 2, 3)
RUNS = {1: ("xnli", "tatoeba"), 2: ("xnli", "tatoeba")}
RESUMED = "pair, stopped and resumed"
# Batches of 4 from 9 features leave one feature for the last step of an epoch, enough for one process only.
SCHEDULE = Schedule(epochs=2, lr=1e-3, batch_size=4, seed=3)
CASES = {
    "pair": [("mnli", {})],
    RESUMED: [("mnli", {})],
    "windows of span": [("squad", {"max_length": 24})],
    "contrastive": [("lareqa", {})],
    "many tasks and masked words": [("mnli", {}), ("udpos", {}), ("hellaswag", {}), ("lareqa", {})],
    "adversary": [("mnli", {})],
    "matched means": [("mnli", {})],
}
BESIDE = {"many tasks and masked words": "mlm", "adversary": "reversal", "matched means": "means"}


def build_steady_optimiser(modules: torch.nn.Module, schedule: Schedule, adamw=training.build_optimiser) -> AdamW:
    """The loop's optimiser with a larger eps: its own makes full steps of rounding errors where gradients are 0."""
    optimiser = adamw(modules, schedule)
    for group in optimiser.param_groups:
        group["eps"] = 1e-3
    return optimiser


def train_case(encoder_folder: str, case: str, folder: Path) -> None:
    """Train on the tasks of a case with micro-batches; write all weights and the report."""
    torch.manual_seed(0)
    encoder = load_encoder(encoder_folder, dropout=0.0)
    tasks = [make_training_task(encoder, name, 9, **changes) for name, changes in CASES[case]]
    beside = make_auxiliary_task(encoder, BESIDE[case], 9) if case in BESIDE else None
    schedule = Schedule(**vars(SCHEDULE) | {"auxiliary_weight": 0.5})
    compute = Compute(token_budget=64, checkpoint_seconds=0 if case == RESUMED else 1e9)
    with mock.patch.object(training, "build_optimiser", build_steady_optimiser):
        phase = train(encoder, tasks, schedule, title="", checkpoints=folder / "steps", compute=compute, beside=beside)
    heads = torch.nn.ModuleList([task.head for task in (*tasks, *([beside] if beside else []))])
    if rank() == 0:
        save_file(encoder.model.state_dict() | heads.state_dict(), folder / "result.safetensors")
        report = {"tokens": phase.tokens, "padded": phase.padded, "loss": [point["loss"] for point in phase.curve]}
        (folder / "report.json").write_text(json.dumps(report))


def stop_at(call: int) -> Callable:
    """The optimiser's step, but it raises InterruptedError at the given call."""
    original, calls = AdamW.step, count(1)

    def step(*args, **kwargs):
        if next(calls) == call:
            raise InterruptedError
        return original(*args, **kwargs)

    return step


class CountingHead(Head):
    """A head with a loss whose gradient in `counted` is the number of times that each feature was counted."""

    def __init__(self, features: int):
        super().__init__()
        self.counted = torch.nn.Parameter(torch.zeros(features))

    def loss(self, hidden: torch.Tensor, batch) -> torch.Tensor:
        return self.counted[batch.features].sum()


def count_features(encoder_folder: str, folder: Path) -> None:
    """Write how often one epoch counts each feature, over all processes."""
    encoder = load_encoder(encoder_folder)
    features = make_training_task(encoder, "hellaswag", 9).features
    task = TrainingTask("counted", features, CountingHead(len(features)))
    total = np.zeros(len(features))
    plan = Plan([task], SCHEDULE, steps=3)
    for step in range(plan.steps):
        chosen = plan[step][1]
        phase, compute = Phase(steps=1), Compute(token_budget=64)
        accumulate_gradient(encoder, task, chosen, float(len(chosen)), (3, step), compute, phase)
        sum_gradients(task.head.parameters())
        total += task.head.counted.grad.numpy()
        task.head.zero_grad()
    if rank() == 0:
        (folder / "counts.json").write_text(json.dumps(total.tolist()))


def run_in_processes(world: int, work: Callable[[], None]) -> None:
    """Run `work` in a group of processes. Exits with a message if one of them fails."""
    with socket.create_server(("localhost", 0)) as server:
        port = server.getsockname()[1]

    def member(number: int) -> None:
        names = {"RANK": number, "LOCAL_RANK": number, "WORLD_SIZE": world, "MASTER_ADDR": "localhost"}
        names |= {"MASTER_PORT": port, "TORCHELASTIC_RUN_ID": "test"}
        os.environ |= {name: str(value) for name, value in names.items()}
        with process_group():
            work()

    codes = [wait_for(child) for child in [start(lambda number=n: member(number)) for n in range(world)]]
    if any(codes):
        sys.exit(f"the processes ended with {codes}")


def run_all(world: int, encoder_folder: str, parent: Path) -> None:
    with mock.patch.object(AdamW, "step", stop_at(4)), suppress(InterruptedError):
        train_case(encoder_folder, RESUMED, parent / RESUMED)
    for case in CASES:
        train_case(encoder_folder, case, parent / case)
    count_features(encoder_folder, parent)
    for target in RUNS.get(world, ()):
        sizes = {"encoder": encoder_folder, "batch_size": 7, "runs_dir": str(parent / "runs"), "precision": "fp32"}
        run(RunConfig(profile="small", intermediate="mnli", target=target, keep_checkpoint=True, **sizes))


if __name__ == "__main__":
    encoder_folder, parent = sys.argv[1], Path(sys.argv[2])
    torch.set_num_threads(1)  # a thread pool does not survive a fork
    load_encoder(encoder_folder)  # imports the model's code once, before the forks
    distributed.BUCKET_ELEMENTS = 5000  # the gradients of this small encoder then fill several buckets
    os.environ["STILTS_DATA"] = str(toy_data.write_data(parent / "data"))
    for world in WORLDS:
        folder = parent / str(world)
        for case in CASES:
            (folder / case).mkdir(parents=True)
        run_in_processes(world, lambda world=world, folder=folder: run_all(world, encoder_folder, folder))
