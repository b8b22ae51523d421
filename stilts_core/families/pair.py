"""Sentence-pair classification: XNLI, PAWS-X, MNLI, ANLI+, QQP."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from stilts_core.batching import IGNORE, Batch, Cut, Features, columns
from stilts_core.encoder import Encoder
from stilts_core.families.examples import PairExample
from stilts_core.families.head import Head, initialise, mean_pool
from stilts_core.families.setting import Setting
from stilts_core.intervals import Score, accuracy
from stilts_core.tokens import Tokens


def features(examples: list[PairExample], tokens: Tokens, setting: Setting) -> Features:
    """One sequence an example: both texts, the longer one cut from its end until they fit together."""
    pieces_a = tokens.unique_pieces([example.text_a for example in examples])
    pieces_b = tokens.unique_pieces([example.text_b for example in examples])
    cut = Cut(inputs=len(examples))
    room = setting.max_length - tokens.pair_overhead
    sequences = [tokens.build(*fit_pair(a, b, room, cut)) for a, b in zip(pieces_a, pieces_b, strict=True)]
    known = {label: index for index, label in enumerate(setting.labels)}
    targets = [IGNORE if example.label is None else known[example.label] for example in examples]
    return columns(sequences, targets={"label": targets}, cut=cut)


def fit_pair(a: list[int], b: list[int], room: int, cut: Cut) -> tuple[list[int], list[int]]:
    """`a` and `b` with the longer one cut until both fit into `room` pieces; counts what is lost in `cut`."""
    lost = len(a) + len(b) - room
    if lost <= 0:
        return a, b
    cut.cut += 1
    cut.tokens_lost += lost
    keep_a = max(room - len(b), min(len(a), room // 2))
    return a[:keep_a], b[: room - keep_a]


class PairHead(Head):
    """RoBERTa's classification head: dropout, dense, tanh, dropout, linear.

    It reads the first sub-word, as in the paper, or the mean over all, which suits encoders that were pretrained by it
    (multilingual-e5).
    """

    def __init__(self, hidden_size: int, labels: int, dropout: float, pooling: str = "first"):
        super().__init__()
        self.pooling = pooling
        self.dense = initialise(nn.Linear(hidden_size, hidden_size))
        self.classifier = initialise(nn.Linear(hidden_size, labels))
        self.dropout = nn.Dropout(dropout)

    def reads(self, batch: Batch) -> torch.Tensor | None:
        length = batch.ids.shape[1]
        return torch.arange(0, batch.ids.numel(), length) if self.pooling == "first" else None

    def forward(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        text = hidden[:, 0] if self.pooling == "first" else mean_pool(hidden, batch.mask).to(hidden.dtype)
        pooled = torch.tanh(self.dense(self.dropout(text)))
        return self.classifier(self.dropout(pooled))

    def loss(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        return cross_entropy(self(hidden, batch).float(), batch.targets["label"], reduction="sum")


def head(encoder: Encoder, setting: Setting) -> PairHead:
    """A new head for the task."""
    return PairHead(encoder.hidden_size, len(setting.labels), setting.dropout, setting.pooling)


def decode(outputs: np.ndarray, features: Features, examples: list[PairExample], setting: Setting) -> list[str]:
    """The most probable label of each example, from logits (examples, labels)."""
    return [setting.labels[index] for index in outputs.argmax(1)]


def cards(examples: list[PairExample]) -> Iterator[tuple[dict[str, str], str]]:
    """Every example as (its texts by name, the right answer), for a reader."""
    return (({"first text": e.text_a, "second text": e.text_b}, e.label) for e in examples)


def mistakes(examples: list[PairExample], predictions: list[str]) -> Iterator[tuple[str, dict[str, str], str, str]]:
    """What was answered wrongly, as (id, texts by name, the right answer, the prediction), for a reader."""
    for example, (texts, right), label in zip(examples, cards(examples), predictions, strict=True):
        if label != right:
            yield example.id, texts, right, label


def grade(examples: list[PairExample], predictions: list[str], setting: Setting, language: str) -> Score:
    """Accuracy."""
    return accuracy([example.label for example in examples], predictions)
