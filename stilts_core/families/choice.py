"""Multiple choice: HellaSwag, Cosmos QA, CommonsenseQA, Social IQa, XCOPA."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from stilts_core.batching import IGNORE, Batch, Cut, Features, columns
from stilts_core.encoder import Encoder
from stilts_core.families.examples import ChoiceExample
from stilts_core.families.head import Head
from stilts_core.families.pair import PairHead, fit_pair
from stilts_core.families.setting import Setting
from stilts_core.intervals import Score, accuracy
from stilts_core.tokens import Tokens


def features(examples: list[ChoiceExample], tokens: Tokens, setting: Setting) -> Features:
    """As many sequences an example as it has choices: the context, then the question with one choice.

    Where they do not fit together, the longer side is cut from its end.
    """
    contexts = tokens.unique_pieces([example.context for example in examples])
    endings = tokens.unique_pieces([f"{e.question} {choice}".strip() for e in examples for choice in e.choices])
    cut = Cut(inputs=len(examples))
    room = setting.max_length - tokens.pair_overhead
    sequences, ending = [], iter(endings)
    for example, context in zip(examples, contexts, strict=True):
        sequences += [tokens.build(*fit_pair(context, next(ending), room, cut)) for _ in example.choices]
    return columns(
        sequences,
        per_feature=[len(example.choices) for example in examples],
        targets={"label": [IGNORE if example.label is None else example.label for example in examples]},
        cut=cut,
    )


class ChoiceHead(Head):
    """One logit a choice from RoBERTa's classification head; softmax over the choices of an example."""

    def __init__(self, hidden_size: int, dropout: float, pooling: str = "first"):
        super().__init__()
        self.scorer = PairHead(hidden_size, 1, dropout, pooling)

    def reads(self, batch: Batch) -> torch.Tensor | None:
        return self.scorer.reads(batch)

    def forward(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        return self.scorer(hidden, batch)

    def loss(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        choices = self(hidden, batch).float().squeeze(-1).split(batch.per_feature.tolist())
        logits = nn.utils.rnn.pad_sequence(choices, batch_first=True, padding_value=-torch.inf)
        return cross_entropy(logits, batch.targets["label"], reduction="sum")


def head(encoder: Encoder, setting: Setting) -> ChoiceHead:
    """A new head for the task."""
    return ChoiceHead(encoder.hidden_size, setting.dropout, setting.pooling)


def decode(outputs: np.ndarray, features: Features, examples: list[ChoiceExample], setting: Setting) -> list[int]:
    """The index of the most probable choice of each example, from logits (choices of all examples, 1)."""
    return [int(logits.argmax()) for logits in np.split(outputs[:, 0], features.first[1:-1])]


def cards(examples: list[ChoiceExample]) -> Iterator[tuple[dict[str, str], str]]:
    """Every example as (its texts by name, the right answer), for a reader."""
    for example in examples:
        texts = {"context": example.context, "question": example.question}
        texts |= {f"choice {number}": text for number, text in enumerate(example.choices, 1)}
        yield {name: text for name, text in texts.items() if text}, example.choices[example.label]


def mistakes(examples: list[ChoiceExample], predictions: list[int]) -> Iterator[tuple[str, dict[str, str], str, str]]:
    """What was answered wrongly, as (id, texts by name, the right answer, the prediction), for a reader."""
    for example, (texts, right), choice in zip(examples, cards(examples), predictions, strict=True):
        if choice != example.label:
            yield example.id, texts, right, example.choices[choice]


def grade(examples: list[ChoiceExample], predictions: list[int], setting: Setting, language: str) -> Score:
    """Accuracy."""
    return accuracy([example.label for example in examples], predictions)
