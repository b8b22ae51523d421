"""The one training loop: one task or many, masked-LM co-training, exact resume.

Recipe: jiant, the paper's own code (facts/hyperparameters.csv): AdamW, no weight decay on biases and LayerNorm,
eps 1e-8, gradient clipping, linear warm-up and linear decay, one task per optimiser step.

Everything random is a function of (seed, step), never of what happened before. So a run that was killed needs only its
tensors and its step to continue bitwise as if nothing had happened. Of several processes each draws its own dropout;
without dropout they end where one process would.
"""

import math
import time
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.checkpoint import checkpoint as recomputed

from stilts_core import checkpoint, distributed
from stilts_core.batching import Batch, collate, even_shares, moved, within_budget
from stilts_core.compute import HERE, Compute
from stilts_core.cpu.adamw import AdamW
from stilts_core.encoder import Encoder
from stilts_core.families.head import Head
from stilts_core.laps import process_seconds
from stilts_core.plan import Plan, Schedule, TrainingError, TrainingTask
from stilts_core.progress import Progress

CURVE_POINTS = 200  # the training curve keeps at most about this many points
READING = 1.0  # seconds between two looks at the losses: a GPU is waited for at each
WRITING = 2.0  # seconds that a checkpoint may take to write; one that takes longer is written as much less often


@dataclass
class Phase:
    """What training left to report."""

    steps: int
    curve: list[dict] = field(default_factory=list)
    seconds: float = 0.0
    tokens: int = 0
    padded: int = 0
    squares: float = 0.0
    unused_scale: float = 1.0
    first_step_seconds: float | None = None  # from the start of the process to the end of its first step

    @property
    def padding_share(self) -> float:
        return 1 - self.tokens / self.padded if self.padded else 0.0


class Curve:
    """The training curve of a phase as it grows. Losses stay on their device until they are read."""

    def __init__(self, phase: Phase):
        self.phase = phase
        self._losses: dict[str, list[torch.Tensor]] = {}
        self._unread: list[tuple[dict, list[str], torch.Tensor]] = []

    def add(self, task: str, loss: torch.Tensor) -> None:
        self._losses.setdefault(task, []).append(loss)

    def mark(self, step: int, lr: float, seconds: float) -> None:
        """A point for each task: the mean of its losses since the last mark, of all processes together."""
        means = distributed.summed(torch.stack([torch.stack(losses).mean() for losses in self._losses.values()]))
        point = {"step": step, "lr": lr, "tokens": self.phase.tokens, "seconds": round(seconds, 3)}
        self._unread.append((point, list(self._losses), means))
        self._losses.clear()

    def read(self) -> float:
        """Add the marked points to the phase; returns the last mark's mean over tasks.

        Raises TrainingError for a loss that is not finite.
        """
        for point, tasks, means in self._unread:
            means = means.tolist()
            for task, loss in zip(tasks, means, strict=True):
                if not math.isfinite(loss):
                    step = point["step"]
                    raise TrainingError(
                        f"the loss of {task} is {loss} at step {step}; lower the learning rate or use fp32"
                    )
                self.phase.curve.append({"step": point["step"], "task": task, "loss": loss} | point)
        self._unread.clear()
        return sum(means) / len(means)


def train(
    encoder: Encoder,
    tasks: list[TrainingTask],
    schedule: Schedule,
    *,
    title: str = "training",
    checkpoints: Path | None = None,
    compute: Compute = HERE,
    mlm: TrainingTask | None = None,
) -> Phase:
    """Train encoder and heads in place on `tasks` and report the phase.

    A checkpoint under `checkpoints` is resumed from; None keeps none. One is written every
    `compute.checkpoint_seconds`, less often if that takes long, and at the end unless the last one is so recent (a
    tenth of that) that repeating the steps since is cheaper. A step of more padded sub-words than
    `compute.token_budget` accumulates the gradients of parts, weighted so that their sum is the gradient of the whole
    batch. `mlm` adds its loss, times the schedule's mlm_weight, to every step.

    Raises TrainingError if the loss, or a weight in the end, is not finite.
    """
    trained = tasks + ([mlm] if mlm else [])
    modules = nn.ModuleDict({"encoder": encoder.model} | {f"head {task.name}": task.head for task in trained})
    modules.to(compute.device)
    optimiser = _adamw(modules, schedule)
    plan = Plan(tasks, schedule)
    mlm_plan = Plan([mlm], schedule, steps=plan.steps) if mlm else None
    phase = Phase(steps=plan.steps)
    first = _resume(checkpoints, modules, optimiser, phase) if checkpoints else 0
    every = max(1, plan.steps // CURVE_POINTS)
    progress = Progress(title, plan.steps, done=first, quiet=compute.quiet)
    curve = Curve(phase)
    modules.train()
    started = saved = read = time.perf_counter()
    earlier, pause = phase.seconds, compute.checkpoint_seconds
    for step in range(first, plan.steps):
        dropout = np.random.SeedSequence([schedule.seed, step, distributed.rank()])
        torch.manual_seed(int(dropout.generate_state(1)[0]))
        lr = schedule.lr_at(step, plan.steps)
        for group in optimiser.param_groups:
            group["lr"] = lr
        seed = (schedule.seed, step)
        task, chosen = plan[step]
        curve.add(task.name, _accumulate(encoder, task, chosen, 1.0, seed, compute, phase))
        if mlm:
            chosen = mlm_plan[step][1]
            curve.add(mlm.name, _accumulate(encoder, mlm, chosen, schedule.mlm_weight, seed, compute, phase))
        distributed.sum_gradients(modules.parameters())
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
        if step == first:
            phase.first_step_seconds = process_seconds()
        phase.unused_scale *= 1 - lr * schedule.weight_decay
        done = step + 1
        if done % every == 0 or done == plan.steps:
            now = time.perf_counter()
            curve.mark(done, lr, earlier + now - started)
            due = now - saved > (pause if done < plan.steps else pause / 10)
            if due or now - read > READING or done == plan.steps:
                mean = curve.read()
                read = time.perf_counter()
                phase.seconds = earlier + read - started
                progress.update(done, loss=f"{mean:.3f}", **{"tok/s": f"{phase.tokens / phase.seconds:,.0f}"})
            if checkpoints and due and distributed.rank() == 0:
                begun = time.perf_counter()
                _save(checkpoints, done, modules, optimiser, phase)
                saved = time.perf_counter()
                pause = compute.checkpoint_seconds * max(1, (saved - begun) / WRITING)
    modules.eval()
    if not all(parameter.isfinite().all() for parameter in modules.parameters()):
        raise TrainingError(f"the last steps of the {title} left weights that are not finite; lower the learning rate")
    return phase


def _accumulate(
    encoder: Encoder,
    task: TrainingTask,
    chosen: np.ndarray,
    weight: float,
    seed: tuple[int, int],
    compute: Compute,
    phase: Phase,
) -> torch.Tensor:
    """Add the gradient of the mean loss over `chosen`, times `weight`; returns that mean loss, detached.

    Of several processes each adds the gradient of its share, and returns its share of the loss. Nothing here waits for
    the device.
    """
    shares, count = _lay_out(encoder, task, chosen, seed, compute, phase)
    whole = list(chain.from_iterable(shares))
    own, idle = shares[distributed.rank()], not shares[distributed.rank()]
    # A process without a feature takes another's and counts it 0 times: so it has gradients where the others have them.
    own = [batch.to(compute.device) for batch in (whole[-1:] if idle else own)]
    if task.head.couples:
        outputs = _outputs(encoder, task.head, own, compute)
        rows = [sum(len(batch.sequences) for batch in share) for share in shares]
        outputs = distributed.gathered(outputs[:0] if idle else outputs, rows)
        targets = {name: torch.cat([batch.targets[name] for batch in whole]) for name in whole[0].targets}
        loss = task.head.coupled_loss(outputs, moved(targets, compute.device)) / count
        (loss * weight).backward()
        return loss.detach() / distributed.world()
    total = torch.zeros((), device=compute.device)
    for batch in own:
        with compute.autocast():
            hidden = encoder.hidden(**batch.inputs, layer=task.head.layer, read=task.head.reads(batch))
            loss = task.head.loss(hidden, batch) / count * (not idle)
        (loss * weight).backward()
        total += loss.detach()
    return total


def _lay_out(
    encoder: Encoder, task: TrainingTask, chosen: np.ndarray, seed: tuple[int, int], compute: Compute, phase: Phase
) -> tuple[list[list[Batch]], int]:
    """The batches of every process for one step, on the host, and the number of terms that their losses sum.

    Each process lays out the whole step: that costs little, and all of them know the count without a word between them.
    """
    shares = [
        [
            task.head.prepare(collate(task.features, part, encoder.tokens.pad), seed)
            for part in within_budget(task.features, share, compute.token_budget)
        ]
        for share in even_shares(task.features, chosen, distributed.world())
    ]
    whole = list(chain.from_iterable(shares))
    for batch in whole:
        lengths = batch.mask.sum(1)
        phase.tokens += int(lengths.sum())
        phase.padded += batch.ids.numel()
        phase.squares += float((lengths.double() ** 2).sum())
    return shares, max(1, sum(task.head.count(batch) for batch in whole))


def _outputs(encoder: Encoder, head: Head, batches: list[Batch], compute: Compute) -> torch.Tensor:
    """The outputs of a head that couples all features of a step.

    Where there are several batches, only their outputs are kept for the backward pass, which computes the rest again,
    one by one: so memory is that of one part, however large the step is.
    """

    def outputs(batch: Batch) -> torch.Tensor:
        with compute.autocast():
            return head(encoder.hidden(**batch.inputs, layer=head.layer), batch)

    if len(batches) == 1:
        return outputs(batches[0])
    return torch.cat([recomputed(outputs, batch, use_reentrant=False) for batch in batches])


def _adamw(modules: nn.Module, schedule: Schedule) -> AdamW:
    """AdamW in two groups: weight matrices decay, biases and LayerNorm (all one-dimensional) do not."""
    parameters = [parameter for parameter in modules.parameters() if parameter.requires_grad]
    groups = [
        {"params": [p for p in parameters if p.ndim > 1], "weight_decay": schedule.weight_decay},
        {"params": [p for p in parameters if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return AdamW(groups, lr=schedule.lr, eps=1e-8, clip=schedule.clip)


def _save(folder: Path, step: int, modules: nn.Module, optimiser: AdamW, phase: Phase) -> None:
    tensors = {f"model {name}": tensor for name, tensor in modules.state_dict().items()}
    for index, state in optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser {index} {name}": tensor for name, tensor in state.items()}
    checkpoint.write_step(folder, step, tensors, {"phase": vars(phase)})


def _resume(folder: Path, modules: nn.Module, optimiser: AdamW, phase: Phase) -> int:
    """Load the newest checkpoint under `folder`, if there is one; returns the number of steps already done."""
    found = checkpoint.latest_step(folder)
    if found is None:
        return 0
    tensors, state = found
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
