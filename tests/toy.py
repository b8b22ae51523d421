"""Small examples of every family, enough to train a tiny encoder on; what is right can be seen in the texts."""

import numpy as np

from stilts_core.batching import Features
from stilts_core.catalogue import task
from stilts_core.encoder import Encoder
from stilts_core.families import mlm
from stilts_core.families.choice import ChoiceExample
from stilts_core.families.mlm import MLMHead, TextExample
from stilts_core.families.pair import PairExample
from stilts_core.families.retrieval import RetrievalExample
from stilts_core.families.setting import Setting
from stilts_core.families.span import SpanExample
from stilts_core.families.tagging import TaggingExample
from stilts_core.training import TrainingTask

TAGS = {"river": "NOUN", "bridge": "NOUN", "water": "NOUN", "market": "NOUN", "old": "ADJ", "rose": "VERB", "the": "X"}


def words(rng, low: int = 3, high: int = 14) -> tuple[str, ...]:
    return tuple(rng.choice(list(TAGS), size=rng.integers(low, high)).tolist())


def text(rng, low: int = 3, high: int = 14) -> str:
    return " ".join(words(rng, low, high))


def pair(index: int, rng) -> PairExample:
    """The first word of the second text decides the label."""
    label, word = (("entailment", "river"), ("neutral", "old"), ("contradiction", "rose"))[rng.integers(3)]
    return PairExample(str(index), "en", text(rng, 1, 8), f"{word} {text(rng, 1, 8)}", label, str(index))


def choice(index: int, rng) -> ChoiceExample:
    """The choice with "water" is right; there are three or four."""
    choices = rng.permutation(["the water", "the market", "the old bridge", "a river"][: 3 + index % 2]).tolist()
    return ChoiceExample(str(index), "en", text(rng), text(rng, 0, 3), tuple(choices), choices.index("the water"), "")


def tagging(index: int, rng) -> TaggingExample:
    sentence = words(rng)
    return TaggingExample(str(index), "en", sentence, tuple(TAGS[word] for word in sentence), str(index))


def span(index: int, rng) -> SpanExample:
    """The answer is the only capitalised word of the context."""
    before, after = text(rng), text(rng)
    answer = ((len(before) + 1, "Nehir"),)
    return SpanExample(str(index), "en", text(rng, 2, 6), f"{before} Nehir {after}", answer, str(index))


def retrieval(index: int, rng) -> RetrievalExample:
    """The candidate says the query again and more; two neighbours are of one group."""
    query = text(rng)
    return RetrievalExample(str(index), "en", query, f"{query} {text(rng)}", str(index // 2))


TASKS = {"mnli": pair, "hellaswag": choice, "udpos": tagging, "squad": span, "lareqa": retrieval}


def examples(name: str, count: int, seed: int = 0) -> list:
    rng = np.random.default_rng(seed)
    return [TASKS[name](index, rng) for index in range(count)]


def setting(name: str, **changes) -> Setting:
    return Setting(task(name), **{"labels": task(name).labels, "dropout": 0.0} | changes)


def features(encoder: Encoder, name: str, count: int, seed: int = 0, **changes) -> Features:
    chosen = setting(name, **changes)
    return chosen.family.features(examples(name, count, seed), encoder.tokens, chosen)


def training_task(encoder: Encoder, name: str, count: int, seed: int = 0, **changes) -> TrainingTask:
    chosen = setting(name, **changes)
    return TrainingTask(name, features(encoder, name, count, seed, **changes), chosen.family.head(encoder, chosen))


def unlabelled(encoder: Encoder, count: int) -> Features:
    rng = np.random.default_rng(count)
    return mlm.features([TextExample(str(i), "en", text(rng)) for i in range(count)], encoder.tokens, 64)


def mlm_task(encoder: Encoder, count: int) -> TrainingTask:
    return TrainingTask("mlm", unlabelled(encoder, count), MLMHead(encoder))
