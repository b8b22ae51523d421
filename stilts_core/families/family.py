"""The protocol of a task family: what each of the modules pair, choice, tagging, span and retrieval offers."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    from stilts_core.encoders.encoder import Encoder
    from stilts_core.encoders.tokenizer import EncoderTokenizer
    from stilts_core.families.features import Features
    from stilts_core.families.head import Head
    from stilts_core.families.setting import TaskSetting
    from stilts_core.scoring.bootstrap import Score

Label = TypeVar("Label")
Example = TypeVar("Example", contravariant=True)
Prediction = TypeVar("Prediction")


class Card(NamedTuple):
    """An example as a reader sees it: its texts by name, and the right answer as text."""

    texts: dict[str, str]
    answer: str


class Mistake(NamedTuple):
    """A wrong prediction as a reader sees it: the example's id, its texts by name, the right answer, the prediction."""

    id: str
    texts: dict[str, str]
    answer: str
    prediction: str


class Family(Protocol[Example, Prediction]):
    """The functions that every family module has.

    Example is the type of a test example (of a whole test set in retrieval), Prediction the type of what is predicted
    for it. The unlabelled texts of `mlm` are no family: they have neither labels nor predictions.
    """

    def make_features(
        self, examples: Sequence[Example], tokenizer: "EncoderTokenizer", setting: "TaskSetting"
    ) -> "Features":
        """Tokenise the examples. Of the setting only `labels` and `max_length` may decide the result."""
        ...

    def new_head(self, encoder: "Encoder", setting: "TaskSetting") -> "Head":
        """A head for the task with freshly initialised weights."""
        ...

    def decode(
        self, outputs: np.ndarray, features: "Features", examples: Sequence[Example], setting: "TaskSetting"
    ) -> list[Prediction]:
        """The prediction for every example, from the head's outputs for its features.

        `outputs` is (sequences, k) where the head is `per_sequence`, else (tokens, k).
        """
        ...

    def score_predictions(
        self, examples: Sequence[Example], predictions: Sequence[Prediction], setting: "TaskSetting", language: str
    ) -> "Score":
        """The metrics of the predictions for the test set of one language."""
        ...

    def cards(self, examples: Sequence[Example]) -> Iterator[Card]:
        """Every labelled example in a form for readers."""
        ...

    def mistakes(self, examples: Sequence[Example], predictions: Sequence[Prediction]) -> Iterator[Mistake]:
        """Every wrong prediction in a form for readers, in the order of the examples."""
        ...


def require_label(label: Label | None) -> Label:
    """The label of an example that must have one. Raises ValueError for an unlabelled example (a blind test set)."""
    if label is None:
        raise ValueError("an example without a label was passed where labels are needed; pass labelled examples")
    return label
