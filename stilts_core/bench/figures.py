"""The figures of the benchmark's result: entries, ratios to a peer, and the exponents of growth."""

import statistics
from collections.abc import Sequence
from typing import TypedDict

import numpy as np

from stilts_core.bench.workloads import MEASURES


class Range(TypedDict):
    """The smallest value, the median and the largest value of several repetitions."""

    min: float
    median: float
    max: float


class Entry(TypedDict, total=False):
    """The figures of one measure beside one peer. The keys are keys of the JSON file.

    `ours` and `theirs` have one value a repetition, in `unit`. `ratio_is` says which ratio `ratio` describes, and
    `difference` describes ours minus theirs. `configuration` is what the peer was configured with. `points` are (size,
    cost) pairs, and `exponent` is fitted to them.
    """

    unit: str
    ours: list[float]
    theirs: list[float]
    ratio_is: str
    ratio: Range
    difference: Range
    configuration: dict[str, object]
    points: list[list[float]]
    exponent: float


MeasuredFigures = dict[str, dict[str, Entry]]  # measure -> peer -> entry


def describe_range(values: Sequence[float]) -> Range:
    """The smallest value, the median and the largest value."""
    return {"min": min(values), "median": statistics.median(values), "max": max(values)}


def compare_figures(measure: str, ours: Sequence[float], theirs: Sequence[float] = ()) -> Entry:
    """The entry of one measure: both sides' values and the range of their ratios.

    Repetition i of ours is divided by repetition i of the peer, which ran directly after it.
    """
    facts = MEASURES[measure]
    entry: Entry = {"unit": facts.unit, "ours": list(ours)}
    if theirs:
        entry["theirs"] = list(theirs)
        if facts.ratio:
            pairs = list(zip(ours, theirs, strict=True))
            entry["ratio_is"] = facts.ratio
            entry["ratio"] = describe_range([a / b if facts.ratio == "ours / theirs" else b / a for a, b in pairs])
    return entry


def fit_exponent(points: Sequence[Sequence[float]]) -> float:
    """The exponent e of cost ~ size ** e, fitted to (size, cost) points by least squares on logarithms."""
    sizes, costs = np.log(np.array(points, float)).T
    return float(np.polyfit(sizes, costs, 1)[0])
