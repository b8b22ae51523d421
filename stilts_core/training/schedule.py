"""What a phase trains on, for how long and how fast, and the features of each step."""

import math
from dataclasses import dataclass

import numpy as np

from stilts_core.errors import TrainingError
from stilts_core.families.features import Features
from stilts_core.families.head import Head
from stilts_core.training.batching import GroupSampling, compute_sampling_shares, draw_epoch_batches

TASK_STREAM = 0x7A5C  # keeps the random numbers that choose tasks apart from those that shuffle features


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    epochs               passes over each task's features
    steps                optimiser steps, instead of epochs
    first_task_steps     of a joint phase: the first task has exactly this many of the steps, at random places
    lr, warmup, clip     the highest learning rate, the share of steps over which it rises, the largest gradient norm
    seed                 of order, dropout and masks
    initialisation_seed  of the first weights of heads (None: `seed`)
    frozen               the lowest layers that are not trained; 0: only the embeddings, None: all is trained
    temperature, cap     how often multi-task training samples each task (see `compute_sampling_shares`)
    auxiliary_weight     multiplies the loss of what stands beside the tasks; the largest one if `auxiliary_rises`
    """

    epochs: float
    lr: float
    batch_size: int
    seed: int
    steps: int | None = None
    first_task_steps: int = 0
    initialisation_seed: int | None = None
    frozen: int | None = None
    warmup: float = 0.1
    weight_decay: float = 0.01
    clip: float = 1.0
    temperature: float = 1.0
    cap: int = 0
    auxiliary_weight: float = 1.0
    auxiliary_rises: bool = False

    def count_steps(self, sizes: list[int]) -> int:
        """The number of optimiser steps for tasks of these sizes, each capped."""
        return self.steps or sum(math.ceil(self.epochs * batches) for batches in self._count_batches(sizes))

    def count_epochs(self, sizes: list[int]) -> float:
        """The passes over tasks of these sizes, each capped, on average over all batches."""
        return self.steps / sum(self._count_batches(sizes)) if self.steps else self.epochs

    def _count_batches(self, sizes: list[int]) -> list[int]:
        capped = [min(size, self.cap) if self.cap else size for size in sizes]
        return [math.ceil(size / self.batch_size) for size in capped]

    def lr_at(self, step: int, steps: int) -> float:
        """The learning rate of `step` (from 0): it rises linearly during warm-up, then falls linearly to 0."""
        warmup_steps = round(self.warmup * steps)
        if step < warmup_steps:
            return self.lr * (step + 1) / warmup_steps
        return self.lr * (steps - step) / (steps - warmup_steps)

    def auxiliary_weight_at(self, step: int, steps: int) -> float:
        """The weight of what stands beside the tasks at `step` (from 0).

        A rising weight is that of Ganin et al. (2016, section 5.2.2): 2 / (1 + exp(-10 p)) - 1 times the largest one,
        where p is the share of the phase that is done. An adversary is then weak while it knows nothing.
        """
        if not self.auxiliary_rises:
            return self.auxiliary_weight
        return self.auxiliary_weight * (2 / (1 + math.exp(-10 * step / steps)) - 1)


@dataclass
class TrainingTask:
    """A task in training: its name, its features and its head.

    `sampling` says how often each feature is visited; None: once in an epoch.
    """

    name: str
    features: Features
    head: Head
    sampling: GroupSampling | None = None


class Plan:
    """The task and the features of each step, in any order of access.

    `steps` replaces the number of steps that the schedule gives. Raises TrainingError if a task has no features.
    """

    def __init__(self, tasks: list[TrainingTask], schedule: Schedule, steps: int | None = None) -> None:
        self.tasks, self.schedule = tasks, schedule
        sizes = [len(task.features) for task in tasks]
        for task, size in zip(tasks, sizes, strict=True):
            if size == 0:
                raise TrainingError(f"task {task.name} has no training examples; add examples or leave the task out")
        self.steps = steps or schedule.count_steps(sizes)
        self.task_of_step = _draw_tasks(sizes, schedule, self.steps)
        self.visit_of_step = np.zeros(self.steps, int)
        for index in range(len(tasks)):
            task_steps = np.flatnonzero(self.task_of_step == index)
            self.visit_of_step[task_steps] = np.arange(len(task_steps))
        self._epochs: dict[int, tuple[int, list[np.ndarray]]] = {}  # task -> (current epoch, its batches)

    def __getitem__(self, step: int) -> tuple[TrainingTask, np.ndarray]:
        """The task of `step`, and the positions of its features in this step."""
        index = int(self.task_of_step[step])
        task, seed = self.tasks[index], self.schedule.seed + index
        batches_per_epoch = math.ceil(len(task.features) / self.schedule.batch_size)
        epoch, position = divmod(int(self.visit_of_step[step]), batches_per_epoch)
        if index not in self._epochs or self._epochs[index][0] != epoch:
            lengths, visits = task.features.lengths, None
            if task.sampling:
                visits = task.sampling.draw_visits(seed, epoch)
                lengths = lengths[visits]
            batches = draw_epoch_batches(lengths, self.schedule.batch_size, seed, epoch)
            batches = batches if visits is None else [visits[batch] for batch in batches]
            self._epochs[index] = (epoch, batches)
        return task, self._epochs[index][1][position]


def _draw_tasks(sizes: list[int], schedule: Schedule, steps: int) -> np.ndarray:
    """The task of each step, by number."""
    fixed = schedule.first_task_steps if len(sizes) > 1 else 0
    first = 1 if fixed else 0  # of the tasks that share the steps
    sampled = np.full(steps - fixed, first)
    rng = np.random.default_rng([schedule.seed, TASK_STREAM])
    if len(sizes) - first > 1:
        shares = compute_sampling_shares(sizes[first:], temperature=schedule.temperature, cap=schedule.cap)
        sampled = first + rng.choice(len(shares), size=steps - fixed, p=shares)
    return rng.permutation(np.concatenate([np.zeros(fixed, int), sampled])) if fixed else sampled
