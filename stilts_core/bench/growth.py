"""How cost grows with the number of languages and examples, with length, corpus and grid: points and exponents."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate, chain

import numpy as np

from stilts_core.bench.figures import MeasuredFigures, fit_exponent
from stilts_core.bench.measurement import (
    Options,
    call_in_new_process,
    measure_added_memory,
    measure_seconds,
    report_progress,
)
from stilts_core.bench.retrieval import draw_random_vectors
from stilts_core.bench.training import TrainingCase, load_pretrained, make_case, train_ours
from stilts_core.bench.workloads import ALONE, MEASURES, Workload
from stilts_core.families.features import build_features
from stilts_core.families.neighbours import NEIGHBOURHOOD, find_mutual_neighbours
from stilts_core.families.table import get_family
from stilts_core.runs.data import read_target
from stilts_core.runs.encoders import load_encoder
from stilts_core.runs.prediction import predict
from stilts_core.runs.record import find_records

DOUBLINGS = 4  # points of a curve, each twice the size of the one before
LONG_INPUTS = 16  # examples of each point of the curve over length
SHORTEST = 32  # sub-words of an input at the first point of this curve
VECTORS = 64  # vectors of the smallest corpus, for each example of the workload

Points = Sequence[tuple[int, float]]  # (size, cost)


def measure_growth(workload: Workload, options: Options) -> MeasuredFigures:
    """The points and the exponent of every curve. A cost is the smallest of the repetitions."""
    curves: dict[str, Points] = {
        "languages": measure_languages(workload, options),
        "examples": measure_examples(workload, options),
        "length": measure_length(workload, options),
        "corpus": measure_corpus(workload, options),
        "corpus_memory": measure_corpus_memory(workload),
        "grid": measure_grid(options),
    }
    result: MeasuredFigures = {}
    for name, measured in curves.items():
        points: list[list[float]] = [[size, cost] for size, cost in measured if cost > 0]
        if len(points) < 2:  # a cost of 0, too small to be measured, has no logarithm
            report_progress(f"growth: {name} is left out; it has {len(points)} points above 0 and needs 2")
            continue
        exponent = fit_exponent(points)
        result[name] = {ALONE: {"unit": MEASURES[name].unit, "points": points, "exponent": exponent}}
        report_progress(f"growth: {name} ~ size ** {exponent:.2f}")
    return result


def _least(call: Callable[[], float], options: Options) -> float:
    return min(call() for _ in range(options.repetitions))


def _doubled(first: int, most: int | None = None) -> list[int]:
    sizes = [first * 2**n for n in range(DOUBLINGS)]
    return [size for size in sizes if most is None or size <= most]


def _train_seconds(case: TrainingCase) -> float:
    return train_ours(case)[0].seconds


def measure_languages(workload: Workload, options: Options) -> Points:
    """Seconds of prediction for the test parts of the first n languages."""
    tests = list(read_target(workload.make_config(options.encoder)).tests.values())
    case, _ = make_case(workload, options)
    encoder, head = load_pretrained(case)
    points = []
    for count in _doubled(1, len(tests)):
        examples = list(chain(*tests[:count]))
        features = get_family(case.setting.task).make_features(examples, encoder.tokenizer, case.setting)
        work = partial(predict, encoder, head, features, options.compute)
        points.append((count, _least(partial(measure_seconds, work), options)))
    return points


def measure_examples(workload: Workload, options: Options) -> Points:
    """Seconds of one pass over n training examples."""
    points = []
    for count in _doubled(workload.examples):
        case, _ = make_case(replace(workload, examples=count), options)
        points.append((len(case.features), _least(partial(_train_seconds, case), options)))
    return points


def measure_length(workload: Workload, options: Options) -> Points:
    """Seconds of one pass over LONG_INPUTS inputs of n random sub-words."""
    case, _ = make_case(workload, options)
    encoder, rng = load_encoder(options.encoder), np.random.default_rng(0)
    known = np.setdiff1d(case.features.ids, encoder.tokenizer.specials)
    labels = rng.integers(len(case.setting.labels), size=LONG_INPUTS)
    schedule = replace(case.schedule, batch_size=LONG_INPUTS // 2)
    points = []
    for size in _doubled(SHORTEST, encoder.max_length):
        sequences = [(rng.choice(known, size), [0] * size) for _ in range(LONG_INPUTS)]
        longer = replace(case, features=build_features(sequences, targets={"label": labels}), schedule=schedule)
        points.append((size, _least(partial(_train_seconds, longer), options)))
    return points


def measure_corpus(workload: Workload, options: Options) -> Points:
    """Seconds of the search for nearest neighbours among n random vectors and n others, in both directions."""
    points = []
    for rows in _doubled(VECTORS * workload.examples):
        search = partial(
            find_mutual_neighbours, draw_random_vectors(rows, 0), draw_random_vectors(rows, 1), NEIGHBOURHOOD
        )
        points.append((rows, _least(partial(measure_seconds, search), options)))
    return points


def measure_corpus_memory(workload: Workload) -> Points:
    """Bytes that this search adds to its vectors, each size in a new process."""
    sizes = _doubled(VECTORS * workload.examples)
    return [(rows, call_in_new_process(_measure_search_memory, rows)) for rows in sizes]


def _measure_search_memory(rows: int) -> int:
    find_mutual_neighbours(draw_random_vectors(1, 0), draw_random_vectors(1, 1), 1)  # loads what a search needs
    queries, candidates = draw_random_vectors(rows, 0), draw_random_vectors(rows, 1)
    return measure_added_memory(lambda: find_mutual_neighbours(queries, candidates, NEIGHBOURHOOD))


def measure_grid(options: Options) -> Points:
    """Seconds of the first n recorded runs, in the order of their start, up to all of them."""
    records = sorted(find_records(options.runs_dir), key=lambda record: record.started)
    seconds = list(accumulate(record.cost.seconds for record in records))
    counts = (len(records) >> halvings for halvings in reversed(range(DOUBLINGS)))
    return [(count, seconds[count - 1]) for count in counts if count]
