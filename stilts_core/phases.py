"""The two phases of training; the intermediate one is computed once and shared by every target that asks for it."""

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
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

FORMAT = 2  # raise it when the same data and schedule would train another encoder


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
    checkpoints: Path,
    *,
    unlabelled: Features | None = None,
) -> tuple[dict, dict[str, Head], Phase]:
    """Train the encoder on `tasks` with new heads; returns what the record keeps, the heads, and the phase.

    Heads start anew in every phase, as in the paper, from the schedule's seed.
    """
    torch.manual_seed(schedule.seed)
    heads = {task.name: task.setting.family.head(encoder, task.setting) for task in tasks}
    training = [TrainingTask(task.name, task.train, heads[task.name]) for task in tasks]
    mlm = TrainingTask("mlm", unlabelled, MLMHead(encoder)) if unlabelled is not None else None
    phase = train(
        encoder,
        training,
        schedule,
        title=f"{name} phase ({', '.join(task.name for task in tasks)})",
        checkpoints=checkpoints,
        compute=compute,
        mlm=mlm,
    )
    return_freed_memory()
    report = {
        "name": name,
        "tasks": [task.name for task in tasks],
        "examples": {task.name: len(np.unique(task.train.example)) for task in tasks},
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
        "cut": {task.name: asdict(task.train.cut) for task in tasks},
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


def intermediate_encoder(
    encoder: Encoder,
    tasks: list[TaskData],
    schedule: Schedule,
    compute: Compute,
    store: Path,
    *,
    unlabelled: Features | None = None,
) -> tuple[Encoder, dict]:
    """The encoder after the intermediate phase, with its full vocabulary, and the phase's part of the record.

    The result is kept in `store` under a hash of all that decides it (encoder, features, schedule, precision). It is
    computed once: a second process that asks for it waits for the first, and a killed one is resumed.
    """
    decides = {
        "format": FORMAT,
        "encoder": encoder.fingerprint,
        "tasks": {task.name: [task.train.digest(), task.dev.digest()] for task in tasks},
        "heads": {t.name: [t.setting.labels, t.setting.pooling, t.setting.dropout] for t in tasks},
        "unlabelled": unlabelled.digest() if unlabelled is not None else None,
        "schedule": asdict(schedule),
        "dropout": [encoder.dropout, encoder.attention_dropout],
        "compute": [compute.device, compute.precision],
    }
    key = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()[:16]
    folder = store / f"{'+'.join(task.name for task in tasks)}-s{schedule.seed}-{key}"
    with checkpoint.locked(folder):
        reused = folder.exists()
        if not reused:
            _train_and_keep(encoder, tasks, schedule, compute, folder, unlabelled)
            encoder = encoder.reloaded()
    tensors, state = checkpoint.read(folder)
    kept_rows = tensors.pop("kept_rows").numpy()
    encoder.restore(tensors, kept_rows, state["unused_scale"])
    return encoder, state["report"] | {"reused": reused, "checkpoint": folder.name}


def _train_and_keep(encoder, tasks, schedule, compute, folder: Path, unlabelled: Features | None) -> None:
    """Run the intermediate phase and write its encoder to `folder`: the rows of the vocabulary that it used."""
    parts = [features for task in tasks for features in (task.train, task.dev)] + [unlabelled] * (
        unlabelled is not None
    )
    encoder.trim_vocabulary(used_ids(*parts))
    partial = folder.with_name(f".{folder.name}")
    report, _, phase = train_phase("intermediate", encoder, tasks, schedule, compute, partial, unlabelled=unlabelled)
    tensors = encoder.model.state_dict() | {"kept_rows": torch.from_numpy(encoder.kept_rows)}
    with distributed.first_ahead():
        if not folder.exists():
            checkpoint.write(folder, tensors, {"report": report, "unused_scale": phase.unused_scale})
    shutil.rmtree(partial, ignore_errors=True)
