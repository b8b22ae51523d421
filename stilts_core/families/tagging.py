"""Token tagging: UD part-of-speech, PAN-X named entities, supertags."""

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
from stilts_core.families.head import Head, initialise
from stilts_core.families.setting import TaskSetting
from stilts_core.scoring.bootstrap import Score
from stilts_core.scoring.tags import score_tags
from stilts_core.tasks.examples import TaggingExample


def make_features(examples: Sequence[TaggingExample], tokenizer: EncoderTokenizer, setting: TaskSetting) -> Features:
    """One sequence a sentence. A long sentence is split between words, so that every word gets a tag.

    The tag of a word is the target of its first sub-word, or of its second where the first is the bare word mark "▁":
    labelling the bare mark loses most of the zero-shot score of languages written without spaces.
    """
    index_of = {tag: index for index, tag in enumerate(setting.labels)}
    room = setting.max_length - tokenizer.single_overhead
    first_word = tokenizer.text_start
    truncation = Truncation(inputs=len(examples))
    sequences, targets, owners = [], [], []
    sentences = tokenizer.encode_words([list(example.words) for example in examples])
    for index, (example, sentence) in enumerate(zip(examples, sentences, strict=True)):
        own = Truncation()
        words = [own.shorten(word or [tokenizer.unk], room) for word in sentence]
        truncation.count_input(own)
        labels = [0] * len(words) if example.tags is None else [index_of.get(tag, 0) for tag in example.tags]
        runs = _split_words(words, room)
        truncation.split += len(runs) > 1
        for start, end in runs:
            ids, types = tokenizer.build([piece for word in words[start:end] for piece in word])
            target = np.full(len(ids), IGNORE, np.int32)
            position = first_word
            for word, label in zip(words[start:end], labels[start:end], strict=True):
                begins_with_mark = len(word) > 1 and word[0] == tokenizer.blank
                target[position + begins_with_mark] = label
                position += len(word)
            sequences.append((ids, types))
            targets.append(target)
            owners.append(index)
    return build_features(sequences, example=owners, token_targets={"tag": targets}, truncation=truncation)


def _split_words(words: list[list[int]], room: int) -> list[tuple[int, int]]:
    """The fewest runs of words, as (start, end), of at most `room` sub-words each, filled from the left."""
    runs, start, used = [], 0, 0
    for index, word in enumerate(words):
        if used + len(word) > room:
            runs.append((start, index))
            start, used = index, 0
        used += len(word)
    return [*runs, (start, len(words))]


class TaggingHead(Head):
    """Dropout and a linear layer on every sub-word; the loss counts one sub-word of each word."""

    per_sequence = False

    def __init__(self, hidden_size: int, tags: int, dropout: float):
        super().__init__()
        self.classifier = initialise(nn.Linear(hidden_size, tags))
        self.dropout = nn.Dropout(dropout)

    def count_terms(self, batch: Batch) -> int:
        return int((batch.token_targets["tag"] != IGNORE).sum())

    def forward(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        """The index of the most probable tag of every sub-word, (sequences, length, 1); NaN for logits that are NaN."""
        logits = self.classifier(self.dropout(hidden))
        return logits.argmax(-1, keepdim=True).where(logits.amax(-1, keepdim=True).isfinite(), torch.nan)

    def loss(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        # Selecting the tagged sub-words would make the host wait for a GPU; the logits of all sub-words cost less.
        logits = self.classifier(self.dropout(hidden)).float()
        return cross_entropy(logits.flatten(0, 1), batch.token_targets["tag"].flatten(), reduction="sum")


def new_head(encoder: Encoder, setting: TaskSetting) -> TaggingHead:
    """A new head with one output for each of the setting's tags."""
    return TaggingHead(encoder.hidden_size, len(setting.labels), setting.dropout)


def decode(
    outputs: np.ndarray, features: Features, examples: Sequence[TaggingExample], setting: TaskSetting
) -> list[Sequence[str]]:
    """The tag of every word of every example, from tag indices (tokens, 1)."""
    tagged = features.token_targets["tag"] != IGNORE
    names = np.asarray(setting.labels, object)[outputs[tagged, 0].astype(int)]
    ends = np.cumsum([len(example.words) for example in examples])
    return [tuple(tags) for tags in np.split(names, ends[:-1])]


def score_predictions(
    examples: Sequence[TaggingExample], predictions: Sequence[Sequence[str]], setting: TaskSetting, language: str
) -> Score:
    """Accuracy and macro F1 of tags, and F1, precision and recall of chunks."""
    return score_tags([require_label(example.tags) for example in examples], predictions)


def cards(examples: Sequence[TaggingExample]) -> Iterator[Card]:
    """Every sentence, and the same sentence with a tag after each word."""
    for example in examples:
        tagged = (f"{word}/{tag}" for word, tag in zip(example.words, require_label(example.tags), strict=True))
        yield Card({"sentence": " ".join(example.words)}, " ".join(tagged))


def mistakes(examples: Sequence[TaggingExample], predictions: Sequence[Sequence[str]]) -> Iterator[Mistake]:
    """Every sentence with a wrong tag; the answer and the prediction show the words whose tags differ."""
    for example, predicted in zip(examples, predictions, strict=True):
        triples = zip(example.words, require_label(example.tags), predicted, strict=True)
        wrong = [(word, right, tag) for word, right, tag in triples if right != tag]
        if wrong:
            answer = " ".join(f"{word}/{right}" for word, right, _ in wrong)
            prediction = " ".join(f"{word}/{tag}" for word, _, tag in wrong)
            yield Mistake(example.id, {"sentence": " ".join(example.words)}, answer, prediction)
