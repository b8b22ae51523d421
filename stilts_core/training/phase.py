"""The report of a training phase, and its training curve."""

import math
from dataclasses import dataclass, field

import torch

from stilts_core.errors import TrainingError
from stilts_core.training import distributed


@dataclass
class Phase:
    """What a training phase reports. Checkpoints store these fields by name.

    `tokens` counts the sub-words that were trained on, `padded` the same with padding, and `squares` sums the squared
    lengths of the sequences (attention's operations grow with them). `head_flops` sums the operations of the heads'
    forward passes (see `Head.count_flops`). `unused_scale` is the factor by which weight decay has shrunk a weight that
    never had a gradient. `first_step_seconds` runs from the start of the process to the end of its first step.
    `processor_seconds` is the processor time, user and system, of this process.
    """

    steps: int
    curve: list[dict] = field(default_factory=list)
    seconds: float = 0.0
    processor_seconds: float = 0.0
    tokens: int = 0
    padded: int = 0
    squares: float = 0.0
    head_flops: float = 0.0
    unused_scale: float = 1.0
    first_step_seconds: float | None = None

    @property
    def padding_share(self) -> float:
        """The share of padding among all computed positions."""
        return 1 - self.tokens / self.padded if self.padded else 0.0


class Curve:
    """The training curve of a phase while it grows. Losses stay on their device until `read_losses` copies them."""

    def __init__(self, phase: Phase) -> None:
        self.phase = phase
        self._steps: dict[tuple[str, str], list[torch.Tensor]] = {}  # by task and measure, since the last point
        self._unread: list[tuple[dict, list[tuple[str, str]], torch.Tensor]] = []  # (point, measures, their means)

    def add_step(self, task: str, loss: torch.Tensor, accuracy: torch.Tensor | None) -> None:
        """Add this process's share of the mean loss of one step, and of the accuracy of a discriminator."""
        self._steps.setdefault((task, "loss"), []).append(loss)
        if accuracy is not None:
            self._steps.setdefault((task, "accuracy"), []).append(accuracy)

    def add_point(self, step: int, lr: float, seconds: float) -> None:
        """Add a point for each task: the mean of the steps since the last point, over all processes."""
        means = torch.stack([torch.stack(values).mean() for values in self._steps.values()])
        point = {"step": step, "lr": lr, "tokens": self.phase.tokens, "seconds": round(seconds, 3)}
        self._unread.append((point, list(self._steps), distributed.sum_over_processes(means)))
        self._steps.clear()

    def read_losses(self) -> float:
        """Copy the losses of the new points into the phase. Returns the mean over tasks of the last point.

        A GPU is waited for. Raises TrainingError for a loss that is not finite.
        """
        losses: list[float] = []
        for point, measures, means in self._unread:
            values = dict(zip(measures, means.tolist(), strict=True))
            losses = [value for (_, measure), value in values.items() if measure == "loss"]
            for task, loss in zip((task for task, measure in values if measure == "loss"), losses, strict=True):
                _require_finite(loss, task, point["step"], point["lr"])
                accuracy = {"accuracy": values[task, "accuracy"]} if (task, "accuracy") in values else {}
                self.phase.curve.append({"step": point["step"], "task": task, "loss": loss} | accuracy | point)
        self._unread.clear()
        return sum(losses) / len(losses)

    def check_losses(self, step: int, lr: float) -> None:
        """Raise TrainingError if a loss since the last point is not finite. A GPU is waited for."""
        for (task, measure), values in self._steps.items():
            if measure == "loss":
                _require_finite(float(torch.stack(values).sum()), task, step, lr)


def _require_finite(loss: float, task: str, step: int, lr: float) -> None:
    if not math.isfinite(loss):
        raise TrainingError(
            f"the loss of {task} is {loss} at step {step}, with learning rate {lr:g}; lower the learning rate or use "
            "fp32"
        )
