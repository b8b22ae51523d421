"""What a table takes from a record beside scores and dev scores: costs, retrieval by layer, correctness of items.

Analyses know these metrics by name: `centred` (retrieval with each language's mean removed), `language_probe` (accuracy
of a fresh probe), `mlm_loss` (by language, after the intermediate phase), `selector:NAME` (a transferability score).
"""

from collections.abc import Iterator

import numpy as np

from stilts_core.runs.record import Record

EVERY_LANGUAGE = ""  # the language of a measure that belongs to the whole run


def read_measures(record: Record) -> Iterator[tuple[str, str, float]]:
    """Iterate over (metric, language, value) of a record.

    `seconds:PHASE` and `flops:PHASE` are the costs of a phase, also where the run reused it; `layer:N` is the retrieval
    score from hidden state N.
    """
    for phase in record.phases:
        yield f"seconds:{phase.name}", EVERY_LANGUAGE, phase.seconds
        yield f"flops:{phase.name}", EVERY_LANGUAGE, phase.flops
    for language, scores in record.layers.items():
        yield from ((f"layer:{number}", language, score) for number, score in enumerate(scores))


def read_items(record: Record, language: str) -> np.ndarray | None:
    """Return the correctness (n,) of the items of one language; None, because records do not have it yet."""
    return None
