"""Estimates by replicate: runs are paired by seed and encoder, and the spread over replicates gives the interval."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from stilts_core.report.analysis.grid_run import GridRun
from stilts_core.report.analysis.measurement import Measurement, average_items
from stilts_core.studies.inference import compare_means

Replicate = tuple[int, str]  # the seed of a run, and its encoder, whose name holds its pretraining seed
Replicates = Mapping[Replicate, Measurement]


def replicate_of(record: GridRun) -> Replicate:
    """What distinguishes the runs of a cell."""
    return record.seed, record.encoder_name


def subtract_pairs(treatment: Replicates, control: Replicates) -> dict[Replicate, Measurement]:
    """The differences of the runs that have a partner with the same seed and encoder; the others do not count."""
    return {key: value - control[key] for key, value in treatment.items() if key in control}


def average_parts(parts: Sequence[Replicates]) -> dict[Replicate, Measurement]:
    """The mean over parts, such as targets, within each replicate that all parts have; empty without any part.

    Runs with one seed may share a checkpoint, so that their parts are not independent of each other. The mean is
    therefore taken within a replicate first.
    """
    common = set.intersection(*map(set, parts)) if parts else set()
    return {key: average_items([part[key] for part in parts]) for key in sorted(common)}


def summarise(replicates: Replicates) -> Measurement | None:
    """The mean with its 95 % interval; None without a replicate.

    The interval of one replicate is over test items. That of several is Student's: over encoders, each with the mean of
    its seeds, or over seeds if there is one encoder. It holds for these test items only.
    """
    if len(replicates) < 2:
        return next(iter(replicates.values()), None)
    units = _units(replicates)
    count = len(units)
    return Measurement(float(units.mean()), float(units.var(ddof=1)) / count, count - 1)


def compare(differences: Replicates) -> Measurement | None:
    """The mean of paired differences as `summarise` gives it, with the p value of no difference.

    There is no p value where all differences are equal: a spread of zero shows that scores are coarse, not that the
    difference would be the same with every seed.
    """
    if len(differences) < 2:
        return summarise(differences)
    effect = compare_means(_units(differences))
    variance = effect.sd**2 / effect.n
    return Measurement(effect.value, variance, effect.n - 1, p=effect.p if variance > 0 else None)


def describe_units(replicates: Replicates) -> str:
    """What the interval of `summarise` and `compare` is over, as a noun phrase."""
    if len(replicates) < 2:
        return "the test items of one run"
    encoders = {encoder for _, encoder in replicates}
    return f"{len(encoders)} encoders" if len(encoders) > 1 else f"{len(replicates)} seeds"


def _units(replicates: Replicates) -> np.ndarray:
    """The values to compare, (units,): the means of encoders, or the seeds of a single encoder."""
    by_encoder = defaultdict(list)
    for (_, encoder), estimate in replicates.items():
        by_encoder[encoder].append(estimate.value)
    encoders = list(by_encoder.values())
    return np.array(encoders[0] if len(encoders) == 1 else [np.mean(seeds) for seeds in encoders])
