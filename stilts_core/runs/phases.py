"""The two phases of training; the intermediate one is computed once and shared by all targets."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import torch
from pydantic import BaseModel

from stilts_core.encoders.encoder import Encoder
from stilts_core.families.features import Features, used_ids
from stilts_core.families.head import Head
from stilts_core.families.mlm import MLMHead
from stilts_core.families.table import get_family
from stilts_core.runs.prediction import predict
from stilts_core.runs.preparation import TaskData
from stilts_core.runs.record import CardRecord, CurvePoint, DevScore, PhaseName, PhaseRecord
from stilts_core.training import checkpoint, distributed
from stilts_core.training.compute import Compute, return_freed_memory
from stilts_core.training.loop import train
from stilts_core.training.phase import Phase
from stilts_core.training.schedule import Schedule, TrainingTask


def train_phase(
    name: PhaseName,
    encoder: Encoder,
    tasks: list[TaskData],
    schedule: Schedule,
    compute: Compute,
    checkpoints: Path | None = None,
    *,
    unlabelled: Features | None = None,
) -> tuple[PhaseRecord, dict[str, Head], Phase]:
    """Train the encoder on `tasks` with new heads; returns the phase's record, the heads, and the phase.

    Heads are initialised anew in every phase, as in the paper, from the schedule's seed. Masked language modelling on
    `unlabelled` is trained beside the tasks, or is the whole phase where there are no tasks.
    """
    torch.manual_seed(schedule.seed)
    heads = {task.name: get_family(task.setting.task).new_head(encoder, task.setting) for task in tasks}
    trained = [TrainingTask(task.name, task.train, heads[task.name]) for task in tasks]
    mlm = TrainingTask("mlm", unlabelled, MLMHead(encoder)) if unlabelled is not None else None
    if mlm and not tasks:
        trained, mlm = [mlm], None
    phase = train(
        encoder,
        trained,
        schedule,
        title=f"{name} phase ({', '.join(task.name for task in trained)})",
        checkpoints=checkpoints,
        compute=compute,
        mlm=mlm,
    )
    return_freed_memory()
    record = PhaseRecord(
        name=name,
        tasks=[task.name for task in trained],
        examples={task.name: len(np.unique(task.features.example)) for task in trained},
        steps=phase.steps,
        epochs=schedule.epochs,
        reused=False,
        curve=cast(list[CurvePoint], phase.curve),
        dev={task.name: dev_score(encoder, heads[task.name], task, compute) for task in tasks if task.dev_examples},
        seconds=round(phase.seconds, 2),
        processor_seconds=round(distributed.sum_numbers(phase.processor_seconds), 2),
        first_step_seconds=None if phase.first_step_seconds is None else round(phase.first_step_seconds, 2),
        tokens=phase.tokens,
        tokens_per_second=round(phase.tokens / phase.seconds, 1) if phase.seconds else None,
        padding_share=round(phase.padding_share, 4),
        flops=3 * encoder.count_flops(phase.tokens, phase.squares),
        cut={task.name: task.features.truncation for task in trained},
    )
    return record, heads, phase


def dev_score(encoder: Encoder, head: Head, task: TaskData, compute: Compute) -> DevScore:
    """The English dev score of a task."""
    family, metric = get_family(task.setting.task), task.setting.task.metric
    outputs = predict(encoder, head, task.dev, compute)
    predictions = family.decode(outputs, task.dev, task.dev_examples, task.setting)
    score = family.score_predictions(task.dev_examples, predictions, task.setting, "en")
    return DevScore(metric=metric, score=score.metrics[metric], metrics=score.metrics, n=score.n)


class IntermediateFacts(BaseModel):
    """What a record prints of the intermediate data; it is stored with the checkpoint."""

    notes: list[str] = []
    dropped: dict[str, int] = {}
    cards: dict[str, list[CardRecord]] = {}


@dataclass
class IntermediateMaterial:
    """What the intermediate phase trains on, and the facts that are stored with its checkpoint."""

    tasks: list[TaskData]
    schedule: Schedule
    unlabelled: Features | None
    facts: IntermediateFacts


def intermediate_encoder(
    encoder: Encoder, folder: Path, prepare: Callable[[Encoder], IntermediateMaterial], compute: Compute
) -> tuple[Encoder, PhaseRecord, IntermediateFacts]:
    """The encoder after the intermediate phase, with its full vocabulary; the phase's record; the facts.

    The result is stored in `folder`, whose name has all that decides it. It is computed once, and only then is
    `prepare` called: a second process that wants it waits for the first, and a killed process is resumed. A damaged
    result is computed again.
    """
    with checkpoint.lock_for_run(folder):
        with distributed.main_process_first():
            content = checkpoint.read_or_remove(folder)
        reused = content is not None
        if reused:  # a phase that was killed at its end leaves its optimiser's state
            shutil.rmtree(locate_unfinished(folder), ignore_errors=True)
        else:
            _train_intermediate(encoder, prepare(encoder), compute, folder)
            encoder = encoder.reload()
    tensors, state = content or checkpoint.read(folder)
    embedding_ids = tensors.pop("kept_rows").numpy()
    encoder.restore(tensors, embedding_ids, state["unused_scale"])
    record = PhaseRecord.model_validate(state["report"] | {"reused": reused, "checkpoint": folder.name})
    return encoder, record, IntermediateFacts.model_validate(state["facts"])


def locate_unfinished(folder: Path) -> Path:
    """The folder of an intermediate phase that is not finished."""
    return folder.with_name(f".{folder.name}")


def _train_intermediate(encoder: Encoder, material: IntermediateMaterial, compute: Compute, folder: Path) -> None:
    """Run the intermediate phase and write to `folder` the encoder with the embeddings that the phase used."""
    tasks, texts = material.tasks, material.unlabelled
    features = [columns for task in tasks for columns in (task.train, task.dev)] + ([texts] if texts else [])
    encoder.trim_vocabulary(used_ids(*features))
    unfinished = locate_unfinished(folder)
    record, _, phase = train_phase(
        "intermediate", encoder, tasks, material.schedule, compute, unfinished, unlabelled=texts
    )
    tensors = encoder.model.state_dict() | {"kept_rows": torch.from_numpy(encoder.active_ids)}
    state = {
        "report": record.model_dump(mode="json", exclude_unset=True),
        "unused_scale": phase.unused_scale,
        "facts": material.facts.model_dump(mode="json"),
    }
    with distributed.main_process_first():
        if not folder.exists():
            checkpoint.write(folder, tensors, state)
    shutil.rmtree(unfinished, ignore_errors=True)
