"""Small examples of every family for tests: the texts show the right answer, so a tiny encoder can learn the task."""

from collections.abc import Sequence

import numpy as np

from stilts_core.encoders.encoder import Encoder
from stilts_core.families import auxiliary, mlm
from stilts_core.families.auxiliary import Auxiliary
from stilts_core.families.features import Features
from stilts_core.families.mlm import MLMHead
from stilts_core.families.setting import TaskSetting
from stilts_core.families.table import get_family
from stilts_core.tasks.catalogue import get_task
from stilts_core.tasks.examples import (
    ChoiceExample,
    PairExample,
    RetrievalExample,
    SpanExample,
    TaggingExample,
    TextExample,
)
from stilts_core.training.schedule import TrainingTask

TAGS = {"river": "NOUN", "bridge": "NOUN", "water": "NOUN", "market": "NOUN", "old": "ADJ", "rose": "VERB", "the": "X"}


def words(rng: np.random.Generator, low: int = 3, high: int = 14) -> tuple[str, ...]:
    return tuple(rng.choice(list(TAGS), size=rng.integers(low, high)).tolist())


def text(rng: np.random.Generator, low: int = 3, high: int = 14) -> str:
    return " ".join(words(rng, low, high))


def pair(index: int, rng: np.random.Generator) -> PairExample:
    """The first word of the second text decides the label."""
    label, word = (("entailment", "river"), ("neutral", "old"), ("contradiction", "rose"))[rng.integers(3)]
    return PairExample(str(index), "en", text(rng, 1, 8), f"{word} {text(rng, 1, 8)}", label, str(index))


def choice(index: int, rng: np.random.Generator) -> ChoiceExample:
    """The choice with "water" is right; there are three or four choices."""
    choices = rng.permutation(["the water", "the market", "the old bridge", "a river"][: 3 + index % 2]).tolist()
    return ChoiceExample(str(index), "en", text(rng), text(rng, 0, 3), tuple(choices), choices.index("the water"), "")


def tagging(index: int, rng: np.random.Generator) -> TaggingExample:
    """The word decides its tag."""
    sentence = words(rng)
    return TaggingExample(str(index), "en", sentence, tuple(TAGS[word] for word in sentence), str(index))


def span(index: int, rng: np.random.Generator) -> SpanExample:
    """The answer is the only capitalised word of the context."""
    before, after = text(rng), text(rng)
    answer = ((len(before) + 1, "Nehir"),)
    return SpanExample(str(index), "en", text(rng, 2, 6), f"{before} Nehir {after}", answer, str(index))


def retrieval(index: int, rng: np.random.Generator) -> RetrievalExample:
    """The candidate repeats the query and adds words; each group has two examples."""
    query = text(rng)
    return RetrievalExample(str(index), "en", query, f"{query} {text(rng)}", str(index // 2))


TASKS = {"mnli": pair, "hellaswag": choice, "udpos": tagging, "squad": span, "lareqa": retrieval}


def make_examples(name: str, count: int, seed: int = 0) -> list:
    rng = np.random.default_rng(seed)
    return [TASKS[name](index, rng) for index in range(count)]


def make_setting(name: str, **changes) -> TaskSetting:
    return TaskSetting(get_task(name), **{"labels": get_task(name).labels, "dropout": 0.0} | changes)


def make_features(encoder: Encoder, name: str, count: int, seed: int = 0, **changes) -> Features:
    setting = make_setting(name, **changes)
    return get_family(setting.task).make_features(make_examples(name, count, seed), encoder.tokenizer, setting)


def make_training_task(encoder: Encoder, name: str, count: int, seed: int = 0, **changes) -> TrainingTask:
    setting = make_setting(name, **changes)
    features = make_features(encoder, name, count, seed, **changes)
    return TrainingTask(name, features, get_family(setting.task).new_head(encoder, setting))


def make_texts(count: int, languages: Sequence[str] = ("en",)) -> list[TextExample]:
    """Texts of each language in turn; a text in another language than English begins with a word of its own."""
    rng = np.random.default_rng(count)
    codes = [languages[i % len(languages)] for i in range(count)]
    openings = [f"{list(TAGS)[languages.index(code)]} " * 2 * (code != "en") for code in codes]
    return [TextExample(str(i), code, openings[i] + text(rng)) for i, code in enumerate(codes)]


def make_text_features(encoder: Encoder, count: int) -> Features:
    return mlm.make_features(make_texts(count), encoder.tokenizer, 64)


def make_auxiliary(encoder: Encoder, name: str, count: int, **settings) -> Auxiliary:
    """What stands beside tasks, on texts of three languages."""
    texts = make_texts(count) if name == "mlm" else make_texts(count, ("en", "de", "sw"))
    return auxiliary.make_auxiliary(name, texts, mlm.make_features(texts, encoder.tokenizer, 64), **settings)


def make_auxiliary_task(encoder: Encoder, name: str, count: int, **settings) -> TrainingTask:
    made = make_auxiliary(encoder, name, count, **settings)
    return TrainingTask(name, made.features, made.new_head(encoder))


def make_mlm_task(encoder: Encoder, count: int) -> TrainingTask:
    return TrainingTask("mlm", make_text_features(encoder, count), MLMHead(encoder))
