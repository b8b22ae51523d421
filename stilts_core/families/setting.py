"""A task in a run: what a family needs to know besides the examples."""

from dataclasses import dataclass

from stilts_core.tasks.catalogue import Task


@dataclass(frozen=True)
class TaskSetting:
    """A task with the choices of one run.

    `labels` are the label or tag names in the order of the head's outputs. `max_length` counts sub-words with special
    tokens. `pooling` is the text representation used for classification: "first" (the first sub-word) or "mean" (the
    mean over all). `layer` is the hidden state used for retrieval without training; 0 means the embeddings. `threshold`
    is the smallest margin of a mined pair (BUCC).
    """

    task: Task
    labels: tuple[str, ...] = ()
    max_length: int = 256
    dropout: float = 0.1
    pooling: str = "first"
    layer: int | None = None
    threshold: float | None = None
