"""Multiple choice: HellaSwag, Cosmos QA, CommonsenseQA, Social IQa, XCOPA."""

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
from stilts_core.families.head import Head
from stilts_core.families.pair import PairHead, shorten_pair
from stilts_core.families.setting import TaskSetting
from stilts_core.scoring.bootstrap import Score, accuracy
from stilts_core.tasks.examples import ChoiceExample


def make_features(examples: Sequence[ChoiceExample], tokenizer: EncoderTokenizer, setting: TaskSetting) -> Features:
    """One sequence a choice: the context, then the question with this choice. A feature is an example.

    The longer side is truncated until both fit.
    """
    contexts = tokenizer.unique_pieces([example.context for example in examples])
    endings = tokenizer.unique_pieces([f"{e.question} {choice}".strip() for e in examples for choice in e.choices])
    truncation = Truncation(inputs=len(examples))
    room = setting.max_length - tokenizer.pair_overhead
    sequences, ending = [], iter(endings)
    for example, context in zip(examples, contexts, strict=True):
        own = Truncation()
        sequences += [tokenizer.build(*shorten_pair(context, next(ending), room, own)) for _ in example.choices]
        truncation.count_input(own)
    return build_features(
        sequences,
        sequence_counts=[len(example.choices) for example in examples],
        targets={"label": [IGNORE if example.label is None else example.label for example in examples]},
        truncation=truncation,
    )


class ChoiceHead(Head):
    """RoBERTa's classification head with one logit a choice, and a softmax over the choices of each example."""

    def __init__(self, hidden_size: int, dropout: float, pooling: str = "first"):
        super().__init__()
        self.scorer = PairHead(hidden_size, 1, dropout, pooling)

    def used_positions(self, batch: Batch) -> torch.Tensor | None:
        return self.scorer.used_positions(batch)

    def forward(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        return self.scorer(hidden, batch)

    def loss(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        choices = self(hidden, batch).float().squeeze(-1).split(batch.sequence_counts.tolist())
        logits = nn.utils.rnn.pad_sequence(choices, batch_first=True, padding_value=-torch.inf)
        return cross_entropy(logits, batch.targets["label"], reduction="sum")


def new_head(encoder: Encoder, setting: TaskSetting) -> ChoiceHead:
    """A new head; examples with any number of choices share it."""
    return ChoiceHead(encoder.hidden_size, setting.dropout, setting.pooling)


def decode(
    outputs: np.ndarray, features: Features, examples: Sequence[ChoiceExample], setting: TaskSetting
) -> list[int]:
    """The index of the most probable choice of each example, from logits (choices of all examples, 1)."""
    return [int(logits.argmax()) for logits in np.split(outputs[:, 0], features.first[1:-1])]


def score_predictions(
    examples: Sequence[ChoiceExample], predictions: Sequence[int], setting: TaskSetting, language: str
) -> Score:
    """Accuracy."""
    return accuracy([example.label for example in examples], predictions)


def cards(examples: Sequence[ChoiceExample]) -> Iterator[Card]:
    """Every example with its context, question and choices (empty texts are left out), and the right choice."""
    for example in examples:
        texts = {"context": example.context, "question": example.question}
        texts |= {f"choice {number}": text for number, text in enumerate(example.choices, 1)}
        answer = example.choices[require_label(example.label)]
        yield Card({name: text for name, text in texts.items() if text}, answer)


def mistakes(examples: Sequence[ChoiceExample], predictions: Sequence[int]) -> Iterator[Mistake]:
    """Every example with a wrong choice."""
    for example, card, choice in zip(examples, cards(examples), predictions, strict=True):
        if choice != example.label:
            yield Mistake(example.id, card.texts, card.answer, example.choices[choice])
