"""Token tagging: UD part-of-speech, PAN-X named entities, supertags."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from stilts_core.batching import IGNORE, Batch, Cut, Features, columns
from stilts_core.encoder import Encoder
from stilts_core.families.examples import TaggingExample
from stilts_core.families.head import Head, initialise
from stilts_core.families.setting import Setting
from stilts_core.intervals import Score, f1_precision_recall
from stilts_core.tokens import Tokens


def features(examples: list[TaggingExample], tokens: Tokens, setting: Setting) -> Features:
    """One sequence a sentence; one that is too long is split between words, so that every word gets a tag.

    The tag of a word stands on its first sub-word that is not the bare word mark "▁": labelling the bare mark loses
    most of the zero-shot score of languages written without spaces.
    """
    known = {tag: index for index, tag in enumerate(setting.labels)}
    room = setting.max_length - tokens.single_overhead
    before = tokens.build([])[0].index(tokens.sep)
    cut = Cut(inputs=len(examples))
    sequences, targets, owner = [], [], []
    sentences = tokens.encode_words([example.words for example in examples])
    for index, (example, words) in enumerate(zip(examples, sentences, strict=True)):
        words = [_fit_word(word or [tokens.unk], room, cut) for word in words]
        labels = [0] * len(words) if example.tags is None else [known.get(tag, 0) for tag in example.tags]
        parts = _split(words, room)
        cut.split += len(parts) > 1
        for start, end in parts:
            ids, types = tokens.build([piece for word in words[start:end] for piece in word])
            target = np.full(len(ids), IGNORE, np.int32)
            position = before
            for word, label in zip(words[start:end], labels[start:end], strict=True):
                marked = len(word) > 1 and word[0] == tokens.blank
                target[position + marked] = label
                position += len(word)
            sequences.append((ids, types))
            targets.append(target)
            owner.append(index)
    return columns(sequences, example=owner, token_targets={"tag": targets}, cut=cut)


def _fit_word(word: list[int], room: int, cut: Cut) -> list[int]:
    if len(word) > room:
        cut.cut += 1
        cut.tokens_lost += len(word) - room
    return word[:room]


def _split(words: list[list[int]], room: int) -> list[tuple[int, int]]:
    """The fewest runs of whole words, as (start, end), of at most `room` sub-words each, filled from the left."""
    runs, start, used = [], 0, 0
    for index, word in enumerate(words):
        if used + len(word) > room:
            runs.append((start, index))
            start, used = index, 0
        used += len(word)
    return [*runs, (start, len(words))]


class TaggingHead(Head):
    """Dropout and a linear layer on every sub-word; the loss counts one sub-word a word."""

    rows = False

    def __init__(self, hidden_size: int, tags: int, dropout: float):
        super().__init__()
        self.classifier = initialise(nn.Linear(hidden_size, tags))
        self.dropout = nn.Dropout(dropout)

    def count(self, batch: Batch) -> int:
        return int((batch.token_targets["tag"] != IGNORE).sum())

    def forward(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        return self.classifier(self.dropout(hidden)).argmax(-1, keepdim=True)

    def loss(self, hidden: torch.Tensor, batch: Batch) -> torch.Tensor:
        # Logits of all sub-words cost less than to wait for a GPU to say which are tagged.
        logits = self.classifier(self.dropout(hidden)).float()
        return cross_entropy(logits.flatten(0, 1), batch.token_targets["tag"].flatten(), reduction="sum")


def head(encoder: Encoder, setting: Setting) -> TaggingHead:
    """A new head for the task."""
    return TaggingHead(encoder.hidden_size, len(setting.labels), setting.dropout)


def decode(
    outputs: np.ndarray, features: Features, examples: list[TaggingExample], setting: Setting
) -> list[tuple[str, ...]]:
    """The tag of every word of every example, from tag indices (tokens, 1)."""
    tagged = features.token_targets["tag"] != IGNORE
    names = np.asarray(setting.labels, object)[outputs[tagged, 0].astype(int)]
    ends = np.cumsum([len(example.words) for example in examples])
    return [tuple(part) for part in np.split(names, ends[:-1])]


def cards(examples: list[TaggingExample]) -> Iterator[tuple[dict[str, str], str]]:
    """Every example as (its texts by name, the right answer), for a reader."""
    for example in examples:
        tagged = (f"{word}/{tag}" for word, tag in zip(example.words, example.tags, strict=True))
        yield {"sentence": " ".join(example.words)}, " ".join(tagged)


def mistakes(
    examples: list[TaggingExample], predictions: list[tuple[str, ...]]
) -> Iterator[tuple[str, dict[str, str], str, str]]:
    """Sentences with a wrong tag, as (id, texts by name, right tags, predicted tags) of the words that differ."""
    for example, tags in zip(examples, predictions, strict=True):
        wrong = [(w, g, p) for w, g, p in zip(example.words, example.tags, tags, strict=True) if g != p]
        if wrong:
            right, given = (" ".join(f"{w[0]}/{w[side]}" for w in wrong) for side in (1, 2))
            yield example.id, {"sentence": " ".join(example.words)}, right, given


def grade(examples: list[TaggingExample], predictions: list[tuple[str, ...]], setting: Setting, language: str) -> Score:
    """Accuracy and macro F1 of tags, and F1, precision and recall of chunks."""
    return score([example.tags for example in examples], predictions)


def score(gold: Sequence[Sequence[str]], predicted: Sequence[Sequence[str]]) -> Score:
    """Token accuracy, macro F1 over tags, and chunk F1, precision and recall; the items are sentences.

    Chunks are those of seqeval 0.0.12, which XTREME's published scores were computed with. On IOB2 tags they are also
    those of seqeval 1.2.2. On bare part-of-speech tags a chunk is a run of equal tags, with oddities where the tag's
    first letter reads as one of B, I, E, S or O.
    """
    names = sorted({tag for sentence in (*gold, *predicted) for tag in sentence} | {"O"})
    number = {name: index for index, name in enumerate(names)}
    ends = np.cumsum([len(sentence) + 1 for sentence in gold])
    right, given = (
        np.fromiter((number[tag] for sentence in side for tag in (*sentence, "O")), np.intp, ends[-1])
        for side in (gold, predicted)
    )
    sentence = np.repeat(np.arange(len(gold)), np.diff(ends, prepend=0))
    token = np.ones(len(sentence), bool)
    token[ends - 1] = False

    def by_sentence(chosen: np.ndarray) -> np.ndarray:
        return np.bincount(sentence[chosen], minlength=len(gold))

    def by_tag(tags: np.ndarray, chosen: np.ndarray) -> np.ndarray:
        cells = sentence[chosen] * len(names) + tags[chosen]
        return np.bincount(cells, minlength=len(gold) * len(names)).reshape(len(gold), -1)

    (last_right, begin_right), (last_given, begin_given) = _chunks(right, names), _chunks(given, names)
    types = _types(names)
    same = last_right & last_given & (begin_right == begin_given) & (types[right] == types[given])
    equal = token & (right == given)
    chunks = [by_sentence(chosen) for chosen in (equal, token, same, last_given, last_right)]
    tags = [by_tag(right, equal), by_tag(given, token), by_tag(right, token)]
    return Score(np.concatenate([np.stack(chunks, axis=1), *tags], axis=1), _tagging)


def _tagging(means: np.ndarray) -> dict[str, np.ndarray]:
    correct, tokens, *chunks = np.moveaxis(means[..., :5], -1, 0)
    tags = means[..., 5:].reshape(*means.shape[:-1], 3, -1)
    occurring = tags[..., 1:, :].sum(axis=-2) > 0
    by_tag = f1_precision_recall(*np.moveaxis(tags, -2, 0))["f1"]
    return {
        **f1_precision_recall(*chunks),
        "accuracy": 100 * correct / tokens,
        "macro_f1": by_tag.sum(axis=-1) / occurring.sum(axis=-1),
    }


def _types(names: list[str]) -> np.ndarray:
    """The chunk type of each tag as a number: what follows its last hyphen, or all of it."""
    return np.unique([name.rsplit("-", 1)[-1] for name in names], return_inverse=True)[1]


def _chunks(tags: np.ndarray, names: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """At each position, whether a chunk ends there (inclusive), and where the latest one began.

    The rules of seqeval 0.0.12: a tag's first letter reads as B, I, E, S or O (outside), '.' as outside as well; any
    other letter, as in NOUN, continues the chunk while the type stays the same.
    """
    prefix, types = np.array([name[0] for name in names]), _types(names)
    before, after = np.meshgrid(prefix, prefix, indexing="ij")
    changes = types[:, None] != types
    ends = (
        np.isin(before, ["E", "S"])
        | np.isin(before, ["B", "I"]) & np.isin(after, ["B", "S", "O"])
        | ~np.isin(before, ["O", "."]) & changes
    )
    starts = (
        np.isin(after, ["B", "S"])
        | np.isin(before, ["O", "E", "S"]) & np.isin(after, ["E", "I"])
        | ~np.isin(after, ["O", "."]) & changes
    )
    outside = names.index("O")
    previous, following = np.append(outside, tags[:-1]), np.append(tags[1:], outside)
    begin = np.maximum.accumulate(np.where(starts[previous, tags], np.arange(len(tags)), 0))
    return ends[tags, following], begin
