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
class RatioModel:
    """How an effect depends on the steps of both phases, in points a doubling.

    `ratio` is the slope on log2 of intermediate over target steps. `intermediate` and `target` are the slopes of the
    model with both numbers. `size` is the slope for a doubling of both numbers at a fixed ratio: if it is zero, the
    effect depends on the ratio alone. `fit` tests the straight line. `by_distance` and `by_size` are the changes of the
    slope with the language's distance and log10 pretraining size. `cells` has every combination.
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
    )


def cell_effects(pairs: Pairs, ratio: np.ndarray) -> tuple[CellEffect, ...]:
    """Return the effect at every combination over replicates; the p values are corrected by Benjamini and Hochberg."""
    cells = []
    for names in dict.fromkeys(pairs.levels):
        rows = np.array([levels == names for levels in pairs.levels])
        units = (pairs.encoders if pairs.unit == "encoder" else pairs.seeds)[rows]
        values = pairs.endpoint[rows]
        effect = compare_means(np.array([values[units == unit].mean() for unit in sorted(set(units))]))
        cells.append((names, float(ratio[rows][0]), effect))
    adjusted = adjust([effect.p for _, _, effect in cells], "fdr_bh")
    made = [CellEffect(*cell, p) for cell, p in zip(cells, adjusted, strict=True)]
    return tuple(sorted(made, key=lambda cell: (cell.log2_ratio, cell.levels)))
