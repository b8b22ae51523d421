"""Trains a tiny encoder in one, two and three processes, which should make no difference.

    python distributed_training.py ENCODER FOLDER

leaves FOLDER/<case>-<processes>/result.safetensors and curve.json for every entry of CASES, and counts.json: how often
each feature was counted. One process imports PyTorch; the others are forked from it before it computes anything.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.distributed as dist
from killed_training import ended, start
from safetensors.torch import save_file
from toy import mlm_task, training_task

from stilts_core.compute import Compute
from stilts_core.distributed import rank, sum_gradients
from stilts_core.encoder import load_encoder
from stilts_core.families.head import Head
from stilts_core.training import Phase, Plan, Schedule, TrainingTask, _accumulate, train

WORLDS = (1, 2, 3)
# Batches of 4 from 9 features leave one feature for the last step of an epoch, with which one process at most can work.
SCHEDULE = Schedule(epochs=2, lr=1e-3, batch_size=4, seed=3)
CASES = {
    "pair": [("mnli", {})],
    "windows of span": [("squad", {"max_length": 24})],
    "contrastive": [("lareqa", {})],
    "many tasks and masked words": [("mnli", {}), ("udpos", {}), ("hellaswag", {}), ("lareqa", {})],
}


def trained(encoder_folder: str, case: str, folder: Path) -> None:
    """Train on the tasks of a case, accumulating; leaves all weights and the curve."""
    torch.manual_seed(0)
    encoder = load_encoder(encoder_folder, dropout=0.0)
    tasks = [training_task(encoder, name, 9, **changes) for name, changes in CASES[case]]
    mlm = mlm_task(encoder, 9) if len(tasks) > 1 else None
    schedule = Schedule(**vars(SCHEDULE) | {"mlm_weight": 0.5})
    compute = Compute(token_budget=64, checkpoint_seconds=1e9)
    phase = train(encoder, tasks, schedule, title="", checkpoints=folder / "steps", compute=compute, mlm=mlm)
    heads = torch.nn.ModuleList([task.head for task in (*tasks, *([mlm] if mlm else []))])
    if rank() == 0:
        save_file(encoder.model.state_dict() | heads.state_dict(), folder / "result.safetensors")
        report = {"tokens": phase.tokens, "padded": phase.padded, "loss": [point["loss"] for point in phase.curve]}
        (folder / "report.json").write_text(json.dumps(report))


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
    with tempfile.TemporaryDirectory() as folder:

        def member(number: int) -> None:
            dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=number, world_size=world)
            work()
            dist.destroy_process_group()

        codes = [ended(child) for child in [start(lambda number=n: member(number)) for n in range(world)]]
    if any(codes):
        sys.exit(f"the processes ended with {codes}")


if __name__ == "__main__":
    encoder_folder, parent = sys.argv[1], Path(sys.argv[2])
    torch.set_num_threads(1)  # a pool of threads would not survive a fork
    load_encoder(encoder_folder)  # imports the model's code once for all

    def everything(parent: Path) -> None:
        for case in CASES:
            trained(encoder_folder, case, parent / case)
        counted(encoder_folder, parent)

    for world in WORLDS:
        for case in CASES:
            (parent / str(world) / case).mkdir(parents=True)
        in_processes(world, lambda world=world: everything(parent / str(world)))
