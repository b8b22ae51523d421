"""Sentence-pair classification: XNLI, PAWS-X, MNLI, ANLI+, QQP."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from stilts_core.encoders.encoder import Encoder
from stilts_core.encoders.tokenizer import EncoderTokenizer
from stilts_core.families.batches import Batch
from stilts_core.families.family import Card, Mistake, require_label
from stilts_core.families.features import IGNORE, Features, Truncation, build_features
from stilts_core.families.head import Head, initialise, mean_pool
from stilts_core.families.setting import TaskSetting
from stilts_core.scoring.bootstrap import Score, accuracy
from stilts_core.tasks.examples import PairExample


def make_features(examples: Sequence[PairExample], tokenizer: EncoderTokenizer, setting: TaskSetting) -> Features:
    """One sequence an example: both texts. The longer text is truncated until both fit."""
    pieces_a = tokenizer.unique_pieces([example.text_a for example in examples])
    pieces_b = tokenizer.unique_pieces([example.text_b for example in examples])
    truncation = Truncation(inputs=len(examples))
    room = setting.max_length - tokenizer.pair_overhead
    sequences = [
        tokenizer.build(*shorten_pair(a, b, room, truncation)) for a, b in zip(pieces_a, pieces_b, strict=True)
    ]
    index_of = {label: index for index, label in enumerate(setting.labels)}
    targets = [IGNORE if example.label is None else index_of[example.label] for example in examples]
    return build_features(sequences, targets={"label": targets}, truncation=truncation)


def shorten_pair(a: list[int], b: list[int], room: int, truncation: Truncation) -> tuple[list[int], list[int]]:
    """The first sub-words of `a` and of `b` that fit into `room` together; the lost ones are counted in `truncation`.

    Only the longer text is shortened, unless the shorter one takes more than half of the room.
    """
    lost = len(a) + len(b) - room
    if lost <= 0:
        return a, b
    truncation.count_loss(lost)
    length_a = max(room - len(b), min(len(a), room // 2))
    return a[:length_a], b[: room - length_a]


class PairHead(Head):
    """RoBERTa's classification head: dropout, dense, tanh, dropout, linear.

    Its input is the hidden state of the first sub-word (`pooling` "first"), as in the paper, or the mean over all
    sub-words ("mean"), which suits encoders that were pretrained with mean pooling (multilingual-e5).
    """

    def __init__(self, hidden_size: int, labels: int, dropout: float, pooling: str = "first"):
        super().__init__()
        self.pooling = pooling
        self.dense = initialise(nn.Linear(hidden_size, hidden_size))
        self.classifier = initialise(nn.Linear(hidden_size, labels))
        self.dropout = nn.Dropout(dropout)

    def used_positions(self, batch: Batch) -> torch.Tensor | None:
        length = batch.ids.shape[1]
        return torch.arange(0, batch.ids.numel(), length) if self.pooling == "first" else None

    def forward(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        text = hidden[:, 0] if self.pooling == "first" else mean_pool(hidden, batch.mask).to(hidden.dtype)
        pooled = torch.tanh(self.dense(self.dropout(text)))
        return self.classifier(self.dropout(pooled))

    def loss(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        return cross_entropy(self(hidden, batch).float(), batch.targets["label"], reduction="sum")


def new_head(encoder: Encoder, setting: TaskSetting) -> PairHead:
    """A new head with one output for each of the setting's labels."""
    return PairHead(encoder.hidden_size, len(setting.labels), setting.dropout, setting.pooling)


def decode(outputs: np.ndarray, features: Features, examples: Sequence[PairExample], setting: TaskSetting) -> list[str]:
    """The most probable label of each example, from logits (examples, labels)."""
    return [setting.labels[index] for index in outputs.argmax(1)]


def score_predictions(
    examples: Sequence[PairExample], predictions: Sequence[str], setting: TaskSetting, language: str
) -> Score:
    """Accuracy."""
    return accuracy([example.label for example in examples], predictions)


def cards(examples: Sequence[PairExample]) -> Iterator[Card]:
    """Every example with both texts and its label."""
    for example in examples:
        texts = {"first text": example.text_a, "second text": example.text_b}
        yield Card(texts, require_label(example.label))


def mistakes(examples: Sequence[PairExample], predictions: Sequence[str]) -> Iterator[Mistake]:
    """Every example whose predicted label is wrong."""
    for example, card, label in zip(examples, cards(examples), predictions, strict=True):
        if label != card.answer:
            yield Mistake(example.id, card.texts, card.answer, label)
