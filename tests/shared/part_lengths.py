"""The lengths of a part's inputs, measured from its examples: what `tasks/facts/part_lengths.csv` records."""

from typing import NamedTuple

import numpy as np

from stilts_core.encoders.tokenizer import EncoderTokenizer
from stilts_core.families import mlm
from stilts_core.families.features import Features
from stilts_core.families.setting import TaskSetting
from stilts_core.families.table import get_family
from stilts_core.sources.parts import Source
from stilts_core.tasks.catalogue import get_task
from stilts_core.tasks.examples import RetrievalSet, TaggingExample


class MeasuredLengths(NamedTuple):
    """The mean features, sub-words and squared lengths of an item, over `items` items in `languages` languages.

    An item is an example; of a retrieval set it is a query or a candidate.
    """

    items: int
    languages: int
    features: float
    sub_words: float
    squares: float


def measure_lengths(
    source: Source, name: str, split: str, length: int, tokenizer: EncoderTokenizer, items: int
) -> MeasuredLengths:
    """Measure at most `items` items of a part, in each of its languages."""
    task = get_task(name)
    languages = source.available_languages(name) if split == "test" else ("en",)
    counts, features, lengths = 0, 0, []
    for code in languages:
        limit = 0 if task.family == "retrieval" and split == "test" else items
        part = source.read(name, split, code, limit=limit).items
        labels = task.labels or tuple(
            sorted({tag for example in part if isinstance(example, TaggingExample) for tag in example.tags or ()})
        )
        made: Features = get_family(task).make_features(part, tokenizer, TaskSetting(task, labels, max_length=length))
        sets = [item for item in part if isinstance(item, RetrievalSet)]
        counts += sum(len(one.queries) + len(one.candidates) for one in sets) or len(part)
        features += len(made)
        lengths.append(np.diff(made.starts).astype(float))
    each = np.concatenate(lengths)
    return MeasuredLengths(counts, len(languages), features / counts, each.sum() / counts, (each**2).sum() / counts)


def measure_text(source: Source, length: int, tokenizer: EncoderTokenizer, items: int) -> MeasuredLengths:
    """Measure at most `items` unlabelled texts in each language that has some."""
    languages = source.text_languages()
    texts = [text for code in languages for text in source.unlabelled(code, examples=items).items]
    made = mlm.make_features(texts, tokenizer, length)
    each = np.diff(made.starts).astype(float)
    sums = (len(made), each.sum(), (each**2).sum())
    return MeasuredLengths(len(texts), len(languages), *(float(total) / len(texts) for total in sums))
