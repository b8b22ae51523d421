"""What a family needs to know of its task and of the run."""

from dataclasses import dataclass
from importlib import import_module
from types import ModuleType

from stilts_core.catalogue import Task


@dataclass(frozen=True)
class Setting:
    """A task in a run.

    `labels` are the label or tag names in the order of the head's outputs; `max_length` counts sub-words with special
    tokens; `pooling` is what stands for a text in classification, its first sub-word or the mean over all; `layer` is
    the hidden state used for retrieval without training, 0 = embeddings; `threshold` is the margin from which BUCC
    takes a pair, or by how much "no answer" must win in SQuAD 2.
    """

    task: Task
    labels: tuple[str, ...] = ()
    max_length: int = 256
    dropout: float = 0.1
    pooling: str = "first"
    layer: int | None = None
    threshold: float | None = None

    @property
    def family(self) -> ModuleType:
        """The module that holds the task's family; every family offers the same functions.

        features(examples, tokens, setting)  ->  Features
        head(encoder, setting)  ->  Head
        decode(outputs, features, examples, setting)  ->  predictions, one an example
        grade(examples, predictions, setting, language)  ->  Score
        cards(examples)  ->  iterator of (texts by name, the right answer)
        mistakes(examples, predictions)  ->  iterator of (id, texts by name, the right answer, prediction)
        """
        return import_module(f"stilts_core.families.{self.task.family}")
