"""Q1: does the effect of intermediate training depend on the ratio of the steps of the two phases?"""

from dataclasses import dataclass

import numpy as np

from stilts_core.studies.differences import Pairs, pair_runs
from stilts_core.studies.groups import in_group, language_distances, language_sizes
from stilts_core.studies.inference import Effect, adjust, compare_means
from stilts_core.studies.protocol import Contrast, Protocol
from stilts_core.studies.regression import (
    LackOfFit,
    lack_of_fit,
    moderation,
    ratio_and_size,
    slopes_by_unit,
    steps_of_pairs,
)
from stilts_core.studies.results import StudyTable


@dataclass(frozen=True)
class CellEffect:
    """The effect at one combination of steps: levels of the factors, log2 of the ratio, and the corrected p value."""

    levels: tuple[str, ...]
    log2_ratio: float
    effect: Effect
    p_adjusted: float


@dataclass(frozen=True)
class SizeComparison:
    """How the effect changes at one ratio, from the smallest to the largest numbers of steps that have it.

    `small` and `large` are the levels of the factors at both ends.
    """

    log2_ratio: float
    small: tuple[str, ...]
    large: tuple[str, ...]
    change: Effect


@dataclass(frozen=True)
class TargetEffect:
    """The effect at one number of target steps, as a mean over `cells` numbers of intermediate steps."""

    target_steps: int
    cells: int
    effect: Effect


@dataclass(frozen=True)
class RatioModel:
    """How an effect depends on the steps of both phases, in points a doubling.

    `ratio` is the slope on log2 of intermediate over target steps. `intermediate` and `target` are the slopes of the
    model with both numbers. `size` is the slope for a doubling of both numbers at a fixed ratio: if it is zero, the
    effect depends on the ratio alone. `fit` tests the straight line. `by_distance` and `by_size` are the changes of the
    slope with the language's distance and log10 pretraining size. `cells` has every combination; `at_one_ratio` has the
    ratios, and `by_target` the numbers of target steps, that several combinations have.
    """

    contrast: Contrast
    ratio: Effect
    intermediate: Effect
    target: Effect
    size: Effect
    fit: LackOfFit
    by_distance: Effect
    by_size: Effect
    cells: tuple[CellEffect, ...]
    at_one_ratio: tuple[SizeComparison, ...]
    by_target: tuple[TargetEffect, ...]


def fit_ratio(table: StudyTable, protocol: Protocol, contrast: Contrast) -> RatioModel:
    """Return the models of a contrast over all its combinations of steps.

    Raises StudyError if there are too few combinations: both numbers must vary, and at a fixed ratio, too.
    """
    pairs = pair_runs(table, contrast)
    intermediate, target = steps_of_pairs(pairs, protocol)
    ratio, size = ratio_and_size(pairs, protocol)
    both = slopes_by_unit(pairs, np.column_stack([intermediate, target]))
    at_fixed_ratio = slopes_by_unit(pairs, np.column_stack([size, ratio]))[:, 0]
    columns = [place for place, code in enumerate(pairs.codes) if in_group(code, "non-english")]
    codes = [pairs.codes[column] for column in columns]
    by_language = slopes_by_unit(pairs, ratio[:, None], pairs.by_language[:, columns])[:, 0]
    moderators = np.column_stack([language_distances(codes), language_sizes(codes)])
    by_distance, by_size = moderation(by_language, moderators)
    return RatioModel(
        contrast=contrast,
        ratio=compare_means(slopes_by_unit(pairs, ratio[:, None])[:, 0]),
        intermediate=compare_means(both[:, 0]),
        target=compare_means(both[:, 1]),
        size=compare_means(at_fixed_ratio),
        fit=lack_of_fit(pairs, ratio),
        by_distance=by_distance,
        by_size=by_size,
        cells=cell_effects(pairs, ratio),
        at_one_ratio=compare_sizes(pairs, ratio, size),
        by_target=effects_by_target(pairs, target),
    )


def cell_effects(pairs: Pairs, ratio: np.ndarray) -> tuple[CellEffect, ...]:
    """Return the effect at every combination over replicates; the p values are corrected by Benjamini and Hochberg."""
    cells = []
    for names, rows in _rows_by_cell(pairs).items():
        means = np.array([*_means_by_unit(pairs, rows).values()])
        cells.append((names, float(ratio[rows][0]), compare_means(means)))
    adjusted = adjust([effect.p for _, _, effect in cells], "fdr_bh")
    made = [CellEffect(*cell, p) for cell, p in zip(cells, adjusted, strict=True)]
    return tuple(sorted(made, key=lambda cell: (cell.log2_ratio, cell.levels)))


def compare_sizes(pairs: Pairs, ratio: np.ndarray, size: np.ndarray) -> tuple[SizeComparison, ...]:
    """Return the change from the smallest to the largest combination of every ratio that has several.

    `ratio` and `size` (pairs,) are those of `ratio_and_size`. If the ratio alone decides, no change differs from zero.
    A replicate that lacks one of the two combinations is left out.
    """
    rows = _rows_by_cell(pairs)
    cells = [(round(float(ratio[own][0]), 9), float(size[own][0]), names) for names, own in rows.items()]
    found = []
    for value in sorted({ratio for ratio, _, _ in cells}):
        of_ratio = sorted((size, names) for ratio, size, names in cells if ratio == value)
        if len(of_ratio) < 2:
            continue
        small, large = of_ratio[0][1], of_ratio[-1][1]
        first, last = (_means_by_unit(pairs, rows[names]) for names in (small, large))
        changes = [last[unit] - first[unit] for unit in sorted(first.keys() & last.keys())]
        if len(changes) > 1:
            found.append(SizeComparison(value, small, large, compare_means(np.array(changes))))
    return tuple(found)


def effects_by_target(pairs: Pairs, target: np.ndarray) -> tuple[TargetEffect, ...]:
    """Return the mean effect at every number of target steps that several combinations have.

    `target` (pairs,) is log2 of the target steps.
    """
    found = []
    for value in sorted(set(target)):
        rows = target == value
        cells = len({names for names, chosen in zip(pairs.levels, rows, strict=True) if chosen})
        if cells > 1:
            means = np.array([*_means_by_unit(pairs, rows).values()])
            found.append(TargetEffect(round(2**value), cells, compare_means(means)))
    return tuple(found)


def _rows_by_cell(pairs: Pairs) -> dict[tuple[str, ...], np.ndarray]:
    """The rows of every combination of levels, (pairs,) each."""
    return {names: np.array([levels == names for levels in pairs.levels]) for names in dict.fromkeys(pairs.levels)}


def _means_by_unit(pairs: Pairs, rows: np.ndarray) -> dict[str, float]:
    """The mean effect of every replicate in some rows, by the replicate's name, in order."""
    units = (pairs.encoders if pairs.unit == "encoder" else pairs.seeds)[rows]
    values = pairs.endpoint[rows]
    return {unit: float(values[units == unit].mean()) for unit in sorted(set(units))}
