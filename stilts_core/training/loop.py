"""The training loop: one task or several, with or without something beside them, resumed exactly.

The recipe is that of jiant, the paper's own code (see `tasks/facts/hyperparameters.csv`): AdamW without weight decay on
biases and LayerNorm, eps 1e-8, gradient clipping, linear warm-up and linear decay, one task in each optimiser step.

All randomness is a function of (seed, step), never of earlier steps. A killed run therefore needs only its tensors and
its step to continue bitwise as if it had never stopped. Several processes draw different dropout; without dropout they
give the results of one process.
"""

from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from stilts_core.encoders.cpu.adamw import AdamW
from stilts_core.encoders.encoder import Encoder
from stilts_core.errors import TrainingError
from stilts_core.families.head import Head
from stilts_core.training import checkpoint, distributed
from stilts_core.training.compute import CPU_FP32, Compute
from stilts_core.training.gradients import accumulate_gradient
from stilts_core.training.machine import process_seconds
from stilts_core.training.monitor import Monitor
from stilts_core.training.phase import Phase
from stilts_core.training.progress import Progress
from stilts_core.training.schedule import Plan, Schedule, TrainingTask


def train(
    encoder: Encoder,
    tasks: list[TrainingTask],
    schedule: Schedule,
    *,
    title: str = "training",
    checkpoints: Path | None = None,
    compute: Compute = CPU_FP32,
    beside: TrainingTask | None = None,
) -> Phase:
    """Train the encoder and the heads of `tasks` in place, and return the report of the phase.

    Training resumes from the latest checkpoint under `checkpoints`; None reads and writes none (see `Monitor` for when
    one is written). A step of more padded sub-words than `compute.token_budget` accumulates the gradient over
    micro-batches. What stands `beside` the tasks (masked language modelling, an adversary, …) has a pass of its own in
    every step; its head says what it does with the schedule's `auxiliary_weight`.

    Raises TrainingError if a task has no features, or if a loss or a final weight is not finite.
    """
    encoder.freeze(schedule.frozen)
    all_tasks = tasks + ([beside] if beside else [])
    modules = nn.ModuleDict({"encoder": encoder.model} | {f"head {task.name}": task.head for task in all_tasks})
    modules.to(compute.device)
    optimiser = build_optimiser(modules, schedule)
    plans = [Plan(tasks, schedule)]
    steps = plans[0].steps
    if beside:
        plans.append(Plan([beside], schedule, steps=steps))
    phase = Phase(steps)
    first = load_checkpoint(checkpoints, modules, optimiser, phase) if checkpoints else 0
    write = None
    if checkpoints and distributed.rank() == 0:
        write = partial(write_checkpoint, checkpoints, modules=modules, optimiser=optimiser, phase=phase)
    monitor = Monitor(phase, Progress(title, steps, done=first, quiet=compute.quiet), write, compute.checkpoint_seconds)
    modules.train()
    for step in range(first, steps):
        seed_dropout(schedule.seed, step)
        lr = schedule.lr_at(step, steps)
        weights = 1.0, schedule.auxiliary_weight_at(step, steps)
        for plan, weight in zip(plans, weights, strict=False):
            task, chosen = plan[step]
            measured = accumulate_gradient(encoder, task, chosen, weight, (schedule.seed, step), compute, phase)
            monitor.curve.add_step(task.name, *measured)
        distributed.sum_gradients(modules.parameters())
        make_step(optimiser, lr)
        if encoder.word_embeddings.requires_grad:
            phase.unused_scale *= 1 - lr * schedule.weight_decay
        if step == first:
            phase.first_step_seconds = process_seconds()
        monitor.end_step(step + 1, lr)
    modules.eval()
    encoder.freeze(None)
    check_weights(modules, title, schedule.lr)
    return phase


def build_optimiser(modules: nn.Module, schedule: Schedule) -> AdamW:
    """AdamW in two groups: weight matrices decay; biases and LayerNorm, which are one-dimensional, do not.

    A head that is `apart` has groups of its own, whose gradient is clipped by its own norm.
    """
    parameters = [parameter for parameter in modules.parameters() if parameter.requires_grad]
    own = {id(p) for head in modules.modules() if isinstance(head, Head) and head.apart for p in head.parameters()}
    groups = []
    for apart in [False, True] if own else [False]:
        part = [p for p in parameters if (id(p) in own) == apart]
        groups += [
            {"params": [p for p in part if p.ndim > 1], "weight_decay": schedule.weight_decay, "apart": apart},
            {"params": [p for p in part if p.ndim <= 1], "weight_decay": 0.0, "apart": apart},
        ]
    return AdamW(groups, lr=schedule.lr, eps=1e-8, clip=schedule.clip)


def seed_dropout(seed: int, step: int) -> None:
    """Seed PyTorch's random numbers for a step; each process draws its own."""
    number = int(np.random.SeedSequence([seed, step, distributed.rank()]).generate_state(1)[0])
    if torch.cuda.is_initialized():
        torch.manual_seed(number)
    else:  # `manual_seed` would describe the call stack for every kind of device that is not used: 0.3 ms a step
        torch.default_generator.manual_seed(number)


def make_step(optimiser: AdamW, lr: float) -> None:
    """Make an optimiser step with the learning rate `lr`, and drop the gradients."""
    for group in optimiser.param_groups:
        group["lr"] = lr
    optimiser.step()
    optimiser.zero_grad(set_to_none=True)


def check_weights(modules: nn.Module, title: str, lr: float) -> None:
    """Raise TrainingError if a weight is not finite: the loss does not show a failure of the last steps."""
    if not all(parameter.isfinite().all() for parameter in modules.parameters()):
        raise TrainingError(
            f"the weights after the {title} are not finite, with learning rate {lr:g}; lower the learning rate"
        )


def write_checkpoint(folder: Path, step: int, *, modules: nn.Module, optimiser: AdamW, phase: Phase) -> None:
    """Write the weights, the optimiser's moments and the phase after `step` steps to a checkpoint under `folder`."""
    tensors = {f"model {name}": tensor for name, tensor in modules.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser {index} {name}": tensor for name, tensor in state.items()}
    checkpoint.write_step(folder, step, tensors, {"phase": vars(phase)})


def load_checkpoint(folder: Path, modules: nn.Module, optimiser: AdamW, phase: Phase) -> int:
    """Load the latest checkpoint under `folder`, if there is one. Returns the number of steps already done."""
    latest = checkpoint.read_latest_step(folder)
    if latest is None:
        return 0
    tensors, state = latest
    model = {name.removeprefix("model "): t for name, t in tensors.items() if name.startswith("model ")}
    modules.load_state_dict(model, strict=True)
    moments: dict[int, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith("optimiser "):
            _, index, moment = name.split(" ")
            moments.setdefault(int(index), {})[moment] = tensor
    optimiser.load_state_dict({"state": moments, "param_groups": optimiser.state_dict()["param_groups"]})
    vars(phase).update(state["phase"])
    return state["step"]
