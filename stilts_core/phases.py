"""The two phases of training; the intermediate one is computed once and shared by every target that asks for it."""

import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch

from stilts_core import checkpoint, distributed
from stilts_core.batching import Features, used_ids
from stilts_core.compute import Compute, return_freed_memory
from stilts_core.encoder import Encoder
from stilts_core.evaluation import predict
from stilts_core.families.head import Head
from stilts_core.families.mlm import MLMHead
from stilts_core.families.setting import Setting
from stilts_core.training import Phase, Schedule, TrainingTask, train


@dataclass
class TaskData:
    """One task of a phase: English training features, and the English dev examples with their features."""

    setting: Setting
    train: Features
    dev_examples: list
    dev: Features | None

    @property
    def name(self) -> str:
        return self.setting.task.name


def train_phase(
    name: str,
    encoder: Encoder,
    tasks: list[TaskData],
    schedule: Schedule,
    compute: Compute,
    checkpoints: Path | None,
    *,
    unlabelled: Features | None = None,
) -> tuple[dict, dict[str, Head], Phase]:
    """Train the encoder on `tasks` with new heads; returns what the record keeps, the heads, and the phase.

    Heads start anew in every phase, as in the paper, from the schedule's seed. Without tasks, masked language modelling
    on `unlabelled` is the phase.
    """
    torch.manual_seed(schedule.seed)
    heads = {task.name: task.setting.family.head(encoder, task.setting) for task in tasks}
    training = [TrainingTask(task.name, task.train, heads[task.name]) for task in tasks]
    mlm = TrainingTask("mlm", unlabelled, MLMHead(encoder)) if unlabelled is not None else None
    if not tasks:
        training, mlm = [mlm], None
    phase = train(
        encoder,
        training,
        schedule,
        title=f"{name} phase ({', '.join(task.name for task in training)})",
        checkpoints=checkpoints,
        compute=compute,
        mlm=mlm,
    )
    return_freed_memory()
    report = {
        "name": name,
        "tasks": [task.name for task in training],
        "examples": {task.name: len(np.unique(task.features.example)) for task in training},
        "steps": phase.steps,
        "epochs": schedule.epochs,
        "reused": False,
        "curve": phase.curve,
        "dev": {task.name: dev_score(encoder, heads[task.name], task, compute) for task in tasks if task.dev_examples},
        "seconds": round(phase.seconds, 2),
        "first_step_seconds": round(phase.first_step_seconds, 2),
        "tokens": phase.tokens,
        "tokens_per_second": round(phase.tokens / phase.seconds, 1) if phase.seconds else None,
        "padding_share": round(phase.padding_share, 4),
        "flops": 3 * encoder.flops(phase.tokens, phase.squares),
        "cut": {task.name: asdict(task.features.cut) for task in training},
    }
    return report, heads, phase


def dev_score(encoder: Encoder, head: Head, task: TaskData, compute: Compute) -> dict:
    """The English dev score of a task: its metrics, the primary one, and the number of examples."""
    family = task.setting.family
    outputs = predict(encoder, head, task.dev, compute)
    predictions = family.decode(outputs, task.dev, task.dev_examples, task.setting)
    score = family.grade(task.dev_examples, predictions, task.setting, "en")
    metric = task.setting.task.metric
    return {"metric": metric, "score": score.metrics[metric], "metrics": score.metrics, "n": score.n}


@dataclass
class Intermediate:
    """What the intermediate phase trains on, and the facts about it that are kept with its result (a dict for JSON)."""

    tasks: list[TaskData]
    schedule: Schedule
    unlabelled: Features | None = None
    facts: dict = field(default_factory=dict)


def intermediate_encoder(
    encoder: Encoder, folder: Path, prepare: Callable[[Encoder], Intermediate], compute: Compute
) -> tuple[Encoder, dict, dict]:
    """The encoder after the intermediate phase, with its full vocabulary; the phase's part of the record; the facts.

    The result is kept in `folder`, whose name says all that decides it. It is computed once, and only then is `prepare`
    called: a second process that asks for it waits for the first, and a killed one is resumed.
    """
    with checkpoint.locked(folder):
        reused = folder.exists()
        if not reused:
            _train_and_keep(encoder, prepare(encoder), compute, folder)
            encoder = encoder.reloaded()
    tensors, state = checkpoint.read(folder)
    kept_rows = tensors.pop("kept_rows").numpy()
    encoder.restore(tensors, kept_rows, state["unused_scale"])
    return encoder, state["report"] | {"reused": reused, "checkpoint": folder.name}, state["facts"]


def _train_and_keep(encoder: Encoder, material: Intermediate, compute: Compute, folder: Path) -> None:
    """Run the intermediate phase and write its encoder to `folder`: the rows of the vocabulary that it used."""
    tasks, texts = material.tasks, material.unlabelled
    parts = [features for task in tasks for features in (task.train, task.dev)] + [texts] * (texts is not None)
    encoder.trim_vocabulary(used_ids(*parts))
    partial = folder.with_name(f".{folder.name}")
    report, _, phase = train_phase(
        "intermediate", encoder, tasks, material.schedule, compute, partial, unlabelled=texts
    )
    tensors = encoder.model.state_dict() | {"kept_rows": torch.from_numpy(encoder.kept_rows)}
    state = {"report": report, "unused_scale": phase.unused_scale, "facts": material.facts}
    with distributed.first_ahead():
        if not folder.exists():
            checkpoint.write(folder, tensors, state)
    shutil.rmtree(partial, ignore_errors=True)
