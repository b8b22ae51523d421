"""What is trained, how long and how fast, and which features each step sees."""

import math
from dataclasses import dataclass

import numpy as np

from stilts_core.batching import Features, epoch_batches, sampling_shares
from stilts_core.families.head import Head


class TrainingError(RuntimeError):
    """Training that cannot go on; the message names the step, the task and the remedy."""


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train. `epochs` counts passes over each task's features."""

    epochs: float
    lr: float
    batch_size: int
    seed: int
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    temperature: float = 1.0
    cap: int = 0
    mlm_weight: float = 0.0

    def lr_at(self, step: int, steps: int) -> float:
        """The learning rate of `step` (from 0): linear rise over the warm-up, then linear fall to 0."""
        rising = round(self.warmup * steps)
        if step < rising:
            return self.lr * (step + 1) / rising
        return self.lr * (steps - step) / (steps - rising)


@dataclass
class TrainingTask:
    """A task as the loop sees it."""

    name: str
    features: Features
    head: Head


class Plan:
    """Which features each step trains on, by random access; `steps` overrides the schedule's length."""

    def __init__(self, tasks: list[TrainingTask], schedule: Schedule, steps: int | None = None):
        self.tasks, self.schedule = tasks, schedule
        sizes = [len(task.features) for task in tasks]
        for task, size in zip(tasks, sizes, strict=True):
            if size == 0:
                raise TrainingError(f"task {task.name} has no training examples; give it some or leave the task out")
        counted = [min(size, schedule.cap) if schedule.cap else size for size in sizes]
        self.steps = steps or sum(
            math.ceil(schedule.epochs * math.ceil(size / schedule.batch_size)) for size in counted
        )
        shares = sampling_shares(sizes, temperature=schedule.temperature, cap=schedule.cap)
        rng = np.random.default_rng([schedule.seed, 0x7A5C])
        self.task_of_step = (
            rng.choice(len(tasks), size=self.steps, p=shares) if len(tasks) > 1 else np.zeros(self.steps, int)
        )
        self.visit_of_step = np.zeros(self.steps, int)
        for index in range(len(tasks)):
            steps = np.flatnonzero(self.task_of_step == index)
            self.visit_of_step[steps] = np.arange(len(steps))
        self._epochs: dict[int, tuple[int, list[np.ndarray]]] = {}

    def __getitem__(self, step: int) -> tuple[TrainingTask, np.ndarray]:
        """The task of `step` and the features it trains on."""
        index = int(self.task_of_step[step])
        task = self.tasks[index]
        per_epoch = math.ceil(len(task.features) / self.schedule.batch_size)
        epoch, position = divmod(int(self.visit_of_step[step]), per_epoch)
        if self._epochs.get(index, (None,))[0] != epoch:
            batches = epoch_batches(task.features.lengths, self.schedule.batch_size, self.schedule.seed + index, epoch)
            self._epochs[index] = (epoch, batches)
        return task, self._epochs[index][1][position]
