"""The phases of training; the intermediate ones are computed once and shared by all targets and longer chains."""

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
import torch
from pydantic import BaseModel

from stilts_core.encoders.encoder import Encoder
from stilts_core.families.auxiliary import Auxiliary
from stilts_core.families.features import Features, used_ids
from stilts_core.families.head import Head
from stilts_core.families.table import get_family
from stilts_core.runs.prediction import predict
from stilts_core.runs.preparation import TaskData
from stilts_core.runs.record import CardRecord, CurvePoint, DevScore, PhaseName, PhaseRecord
from stilts_core.training import checkpoint, distributed
from stilts_core.training.batching import GroupSampling
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
    auxiliary: Auxiliary | None = None,
    auxiliary_is_a_task: bool = False,
) -> tuple[PhaseRecord, dict[str, Head], Phase]:
    """Train the encoder on `tasks` with new heads; returns the phase's record, the heads, and the phase.

    Heads are initialised anew in every phase, as in the paper, from the schedule's seed. The `auxiliary` is trained
    beside the tasks, or is a task of its own.
    """
    torch.manual_seed(schedule.seed if schedule.initialisation_seed is None else schedule.initialisation_seed)
    heads = {task.name: get_family(task.setting.task).new_head(encoder, task.setting) for task in tasks}
    trained = [TrainingTask(task.name, task.train, heads[task.name]) for task in tasks]
    beside = _auxiliary_task(auxiliary, encoder) if auxiliary else None
    if beside and auxiliary_is_a_task:
        trained, beside = [*trained, beside], None
    phase = train(
        encoder,
        trained,
        schedule,
        title=f"{name} phase ({', '.join(task.name for task in trained)})",
        checkpoints=checkpoints,
        compute=compute,
        beside=beside,
    )
    return_freed_memory()
    texts: dict[str, Any] = {"texts": auxiliary.text_counts} if auxiliary else {}
    record = PhaseRecord(
        **texts,
        name=name,
        tasks=[task.name for task in trained],
        examples={task.name: len(np.unique(task.features.example)) for task in trained},
        steps=phase.steps,
        epochs=schedule.count_epochs([len(task.features) for task in trained]),
        reused=False,
        curve=cast(list[CurvePoint], phase.curve),
        dev={task.name: dev_score(encoder, heads[task.name], task, compute) for task in tasks if task.dev_examples},
        seconds=round(phase.seconds, 2),
        processor_seconds=round(distributed.sum_numbers(phase.processor_seconds), 2),
        first_step_seconds=None if phase.first_step_seconds is None else round(phase.first_step_seconds, 2),
        tokens=phase.tokens,
        tokens_per_second=round(phase.tokens / phase.seconds, 1) if phase.seconds else None,
        padding_share=round(phase.padding_share, 4),
        flops=(3 - 2 * (schedule.frozen or 0) / encoder.layers) * encoder.count_flops(phase.tokens, phase.squares)
        + 3 * phase.head_flops,
        cut={task.name: task.features.truncation for task in trained},
    )
    return record, heads, phase


def _auxiliary_task(auxiliary: Auxiliary, encoder: Encoder) -> TrainingTask:
    sampling = None if auxiliary.shares is None else GroupSampling(auxiliary.groups, auxiliary.shares)
    return TrainingTask(auxiliary.name, auxiliary.features, auxiliary.new_head(encoder), sampling)


def dev_score(encoder: Encoder, head: Head, task: TaskData, compute: Compute) -> DevScore:
    """The English dev score of a task."""
    family, metric = get_family(task.setting.task), task.setting.task.metric
    outputs = predict(encoder, head, task.dev, compute, f"the dev part of {task.setting.task.name}")
    predictions = family.decode(outputs, task.dev, task.dev_examples, task.setting)
    score = family.score_predictions(task.dev_examples, predictions, task.setting, "en")
    return DevScore(metric=metric, score=score.metrics[metric], metrics=score.metrics, n=score.n)


class IntermediateFacts(BaseModel):
    """What a record prints of the intermediate data; it is stored with the checkpoint."""

    notes: list[str] = []
    dropped: dict[str, int] = {}
    cards: dict[str, list[CardRecord]] = {}

    def with_those_of(self, later: "IntermediateFacts") -> "IntermediateFacts":
        """These facts and those of a later phase."""
        notes = list(dict.fromkeys([*self.notes, *later.notes]))
        return IntermediateFacts(notes=notes, dropped=self.dropped | later.dropped, cards=self.cards | later.cards)


@dataclass
class IntermediateMaterial:
    """What one intermediate phase trains on, and the facts that are stored with its checkpoint."""

    tasks: list[TaskData]
    schedule: Schedule
    auxiliary: Auxiliary | None
    facts: IntermediateFacts

    @property
    def features(self) -> list[Features]:
        """All features of the phase."""
        texts = [self.auxiliary.features] if self.auxiliary else []
        return [columns for task in self.tasks for columns in (task.train, task.dev)] + texts

    def count_steps(self) -> int:
        """The number of optimiser steps of the phase."""
        trained = [task.train for task in self.tasks] or self.features
        return self.schedule.count_steps([len(features) for features in trained])


class Link(NamedTuple):
    """One phase of a chain: the folder of its checkpoint, and what makes its material for an encoder."""

    folder: Path
    prepare: Callable[[Encoder], IntermediateMaterial]


class _Trained(NamedTuple):
    """What earlier phases of a chain leave for the record of a run."""

    records: list[PhaseRecord]
    facts: IntermediateFacts


def intermediate_encoder(
    encoder: Encoder, chain: Sequence[Link], compute: Compute
) -> tuple[Encoder, list[PhaseRecord], IntermediateFacts]:
    """The encoder after a chain of intermediate phases, with its full vocabulary; the phases' records; the facts.

    The result of each phase is stored in its folder, whose name has all that decides it. It is computed once, and only
    then are `prepare` called and the phases before it looked at: a second process that wants it waits for the first,
    and a killed process is resumed. A damaged result is computed again.
    """
    if not chain:
        return encoder, [], IntermediateFacts()
    *earlier, (folder, prepare) = chain
    with checkpoint.lock_for_run(folder):
        with distributed.main_process_first():
            content = checkpoint.read_or_remove(folder)
        reused = content is not None
        if reused:  # a phase that was killed at its end leaves its optimiser's state
            shutil.rmtree(locate_unfinished(folder), ignore_errors=True)
        else:
            encoder, records, facts = intermediate_encoder(encoder, earlier, compute)
            _train_intermediate(encoder, prepare(encoder), _Trained(records, facts), compute, folder)
            encoder = encoder.reload()
    tensors, state = content or checkpoint.read(folder)
    embedding_ids = tensors.pop("kept_rows").numpy()
    encoder.restore(tensors, embedding_ids, state["unused_scale"])
    reports = [report | ({"reused": True} if reused else {}) for report in state.get("earlier", [])]
    reports.append(state["report"] | {"reused": reused, "checkpoint": folder.name})
    records = [PhaseRecord.model_validate(report) for report in reports]
    return encoder, records, IntermediateFacts.model_validate(state["facts"])


def locate_unfinished(folder: Path) -> Path:
    """The folder of an intermediate phase that is not finished."""
    return folder.with_name(f".{folder.name}")


def _train_intermediate(
    encoder: Encoder, material: IntermediateMaterial, before: _Trained, compute: Compute, folder: Path
) -> None:
    """Run an intermediate phase and write to `folder` the encoder with the embeddings that the chain has trained.

    The checkpoint holds what a record needs of the phases before it, too, so that nothing else has to be read.
    """
    encoder.trim_vocabulary(used_ids(*material.features))
    unfinished = locate_unfinished(folder)
    record, _, phase = train_phase(
        *("intermediate", encoder, material.tasks, material.schedule, compute, unfinished),
        auxiliary=material.auxiliary,
        auxiliary_is_a_task=not material.tasks,
    )
    ids, embeddings, unused_scale = encoder.trained_embeddings(phase.unused_scale)
    trained = {encoder.embeddings_name: embeddings, "kept_rows": torch.from_numpy(ids)}
    tensors = encoder.model.state_dict() | trained
    state = {
        "report": record.model_dump(mode="json", exclude_unset=True),
        "unused_scale": unused_scale,
        "facts": before.facts.with_those_of(material.facts).model_dump(mode="json"),
    }
    if before.records:
        state["earlier"] = [record.model_dump(mode="json", exclude_unset=True) for record in before.records]
    with distributed.main_process_first():
        if not folder.exists():
            checkpoint.write(folder, tensors, state)
    shutil.rmtree(unfinished, ignore_errors=True)
