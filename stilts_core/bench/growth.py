"""How cost grows with the number of languages and examples, with length, corpus and grid: points and exponents."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import accumulate, chain

import numpy as np

from stilts_core.batching import columns
from stilts_core.bench import training
from stilts_core.bench.measuring import Options, added_memory, exponent, in_fresh_process, say, timed
from stilts_core.bench.retrieving import random_vectors
from stilts_core.bench.workloads import ALONE, MEASURES, Workload
from stilts_core.encoder import load_encoder
from stilts_core.evaluation import predict
from stilts_core.families.mining import NEIGHBOURHOOD, mutual_neighbours
from stilts_core.gathering import gather
from stilts_core.records import find_records

DOUBLINGS = 4  # points of a curve, each twice the size of the last
LONG_INPUTS = 16  # examples of the curve over length
SHORTEST = 32  # sub-words of its first point
VECTORS = 64  # vectors of the smallest corpus, for each of the workload's examples


def measure(workload: Workload, options: Options) -> dict:
    """The points (size, cost) of every curve, each the least of the repetitions, and the exponent that fits them."""
    curves = {
        "languages": languages(workload, options),
        "examples": examples(workload, options),
        "length": length(workload, options),
        "corpus": corpus(workload, options),
        "corpus_memory": corpus_memory(workload),
        "grid": grid(options),
    }
    result = {}
    for name, measured in curves.items():
        points = [point for point in measured if point[1] > 0]  # what was too little to see has no logarithm
        if len(points) < 2:
            say(f"growth: {name} has {len(points)} points above nothing, and needs two; it is left out")
            continue
        entry = {"unit": MEASURES[name].unit, "points": [list(point) for point in points], "exponent": exponent(points)}
        say(f"growth: {name} ~ size ** {entry['exponent']:.2f}")
        result[name] = {ALONE: entry}
    return result


def _least(call: Callable[[], float], options: Options) -> float:
    return min(call() for _ in range(options.repetitions))


def _doubled(first: int, most: int | None = None) -> Iterable[int]:
    sizes = [first * 2**n for n in range(DOUBLINGS)]
    return [size for size in sizes if most is None or size <= most]


def languages(workload: Workload, options: Options) -> list[tuple[int, float]]:
    """Seconds of predicting the test parts of the first so many languages."""
    config = workload.config(options.encoder)
    tests = list(gather(config).tests.values())
    job, _, _ = training.job(workload, options)
    encoder, head = training.start(job)
    family, points = job.setting.family, []
    for count in _doubled(1, len(tests)):
        features = family.features(list(chain(*tests[:count])), encoder.tokens, job.setting)
        work = lambda features=features: predict(encoder, head, features, options.compute)  # noqa: E731
        points.append((count, _least(lambda work=work: timed(work), options)))
    return points


def examples(workload: Workload, options: Options) -> list[tuple[int, float]]:
    """Seconds of one pass over so many training examples."""
    points = []
    for count in _doubled(workload.examples):
        job, _, _ = training.job(replace(workload, examples=count), options)
        points.append((len(job.features), _least(lambda job=job: training.ours(job)[0].seconds, options)))
    return points


def length(workload: Workload, options: Options) -> list[tuple[int, float]]:
    """Seconds of one pass over LONG_INPUTS inputs of so many random sub-words."""
    job, _, _ = training.job(workload, options)
    encoder, rng, points = load_encoder(options.encoder), np.random.default_rng(0), []
    known = np.setdiff1d(job.features.ids, encoder.tokens.specials)
    labels = rng.integers(len(job.setting.labels), size=LONG_INPUTS)
    schedule = replace(job.schedule, batch_size=LONG_INPUTS // 2)
    for size in _doubled(SHORTEST, encoder.max_length):
        sequences = [(rng.choice(known, size), [0] * size) for _ in range(LONG_INPUTS)]
        longer = replace(job, features=columns(sequences, targets={"label": labels}), schedule=schedule)
        points.append((size, _least(lambda longer=longer: training.ours(longer)[0].seconds, options)))
    return points


def corpus(workload: Workload, options: Options) -> list[tuple[int, float]]:
    """Seconds of the nearest neighbours among so many random vectors, in both directions."""
    points = []
    for rows in _doubled(VECTORS * workload.examples):
        queries, candidates = random_vectors(rows, 0), random_vectors(rows, 1)
        work = lambda q=queries, c=candidates: mutual_neighbours(q, c, NEIGHBOURHOOD)  # noqa: E731
        points.append((rows, _least(lambda work=work: timed(work), options)))
    return points


def corpus_memory(workload: Workload) -> list[tuple[int, int]]:
    """Bytes that this search takes beside its vectors, each in a process of its own."""
    return [(rows, in_fresh_process(_search_memory, rows)) for rows in _doubled(VECTORS * workload.examples)]


def _search_memory(rows: int) -> int:
    mutual_neighbours(random_vectors(1, 0), random_vectors(1, 1), 1)  # loads what a search needs
    queries, candidates = random_vectors(rows, 0), random_vectors(rows, 1)
    return added_memory(lambda: mutual_neighbours(queries, candidates, NEIGHBOURHOOD))


def grid(options: Options) -> list[tuple[int, float]]:
    """Seconds of the first so many recorded runs, in the order in which they were made, up to all of them."""
    records = sorted(find_records(options.runs_dir), key=lambda record: record["started"])
    seconds = list(accumulate(record["cost"]["seconds"] for record in records))
    counts = (len(records) >> halvings for halvings in reversed(range(DOUBLINGS)))
    return [(count, seconds[count - 1]) for count in counts if count]
