"""What a table takes from a record beside scores and dev scores: costs, retrieval, languages, correctness of items.

Analyses know these metrics by name: `centred` and `globally_centred` (retrieval at the scored hidden state with means
removed), `language_probe` (accuracy of a fresh probe at that state), `mlm_loss` (by language, in nats a sub-word). With
`:before` they are those of the pretrained encoder.
"""

from collections.abc import Iterator

import numpy as np

from stilts_core.runs.items import item_scores
from stilts_core.runs.record import Record

EVERY_LANGUAGE = ""  # the language of a measure that belongs to the whole run
BEFORE = ":before"

Measure = tuple[str, str, float]  # metric, language, value


def read_measures(record: Record) -> Iterator[Measure]:
    """Iterate over (metric, language, value) of a record.

    `seconds:PHASE` and `flops:PHASE` are the costs of a phase, also where the run reused it; `layer:N` is the retrieval
    score from hidden state N, `globally_centred:layer:N` and `centred:layer:N` those with means removed.
    """
    for phase in record.phases:
        yield f"seconds:{phase.name}", EVERY_LANGUAGE, phase.seconds
        yield f"flops:{phase.name}", EVERY_LANGUAGE, phase.flops
    for language, scores in record.layers.items():
        yield from ((f"layer:{number}", language, score) for number, score in enumerate(scores))
    yield from _read_retrieval(record)
    yield from _read_languages(record)


def _read_retrieval(record: Record) -> Iterator[Measure]:
    if record.retrieval is None:
        return
    state = record.retrieval.state
    for scores, time in ((record.retrieval.before, BEFORE), (record.retrieval.after, "")):
        found = {"centred": scores.language_centred, "globally_centred": scores.globally_centred}
        if time:
            found["raw"] = scores.raw
        for metric, by_language in found.items():
            for language, states in by_language.items():
                if (score := states[state]) is not None:
                    yield metric + time, language, score
                for number, score in enumerate(states):
                    if score is not None:
                        yield f"{metric}:layer:{number}{time}", language, score


def _read_languages(record: Record) -> Iterator[Measure]:
    if record.language_measures is None:
        return
    for measures, time in ((record.language_measures.before, BEFORE), (record.language_measures.after, "")):
        *_, last = measures.probe.values()  # the probe of the last hidden state
        yield f"language_probe{time}", EVERY_LANGUAGE, last
        for language, loss in measures.mlm_loss.items():
            yield f"mlm_loss{time}", language, loss


def read_items(record: Record, language: str) -> np.ndarray | None:
    """Return the correctness (n,) of the items of one language; None where items are not right or wrong."""
    items = record.scores[language].items
    if items is None or not items.binary:
        return None
    return item_scores(record, language) > 0
