"""Two-stage regressions over pairs: one slope for each encoder, then a test over encoders.

The slopes of one encoder share its pretraining, so they are summarised before they are tested. The test over encoders
is then exact for normal slopes, whatever varies within an encoder.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

from stilts_core.errors import StudyError
from stilts_core.studies.design import merge_fields
from stilts_core.studies.differences import Pairs
from stilts_core.studies.inference import Effect, compare_means
from stilts_core.studies.protocol import Protocol


@dataclass(frozen=True)
class LackOfFit:
    """The F test of a straight line against a free mean for every cell of the design."""

    f: float
    p: float
    degrees: tuple[int, int]


def steps_of_pairs(pairs: Pairs, protocol: Protocol) -> tuple[np.ndarray, np.ndarray]:
    """Return log2 of the intermediate and of the target steps of every pair, two arrays (pairs,).

    Raises StudyError where the treatment has no steps.
    """
    arm = pairs.contrast.treatment
    steps = {}
    for names in set(pairs.levels):
        levels = dict(zip(pairs.factors, names, strict=True))
        fields = merge_fields(protocol, arm, protocol.arms[arm], levels, pairs.contrast.target)
        values = [fields.get(name) for name in ("intermediate_steps", "target_steps")]
        if not all(isinstance(value, int) and value > 0 for value in values):
            raise StudyError(f"arm {arm!r} has no steps at {names}; set intermediate_steps and target_steps")
        steps[names] = np.log2(np.array(values, float))
    table = np.array([steps[names] for names in pairs.levels])
    return table[:, 0], table[:, 1]


def ratio_and_size(pairs: Pairs, protocol: Protocol) -> tuple[np.ndarray, np.ndarray]:
    """Return log2 of the ratio and of the geometric mean of both phases' steps, two arrays (pairs,).

    At a fixed ratio, one unit of the second is a doubling of both numbers.
    """
    intermediate, target = steps_of_pairs(pairs, protocol)
    return intermediate - target, (intermediate + target) / 2


def slopes_by_unit(pairs: Pairs, factors: np.ndarray, values: np.ndarray | None = None) -> np.ndarray:
    """Return the least-squares slopes of every replicate, (units, factors) or (units, factors, ...).

    `factors` is (pairs, factors), `values` (pairs, ...) are the endpoint's differences by default. An intercept is
    fitted for each replicate. Raises StudyError if the factors do not vary within a replicate.
    """
    values = pairs.endpoint if values is None else values
    units = pairs.encoders if pairs.unit == "encoder" else pairs.seeds
    slopes = []
    for name in sorted(set(units)):
        rows = units == name
        design = np.column_stack([np.ones(rows.sum()), factors[rows]])
        if np.linalg.matrix_rank(design) < design.shape[1]:
            raise StudyError(f"contrast {pairs.contrast.name!r}: {pairs.unit} {name} has too few levels for a slope")
        slopes.append(np.linalg.lstsq(design, values[rows].reshape(rows.sum(), -1), rcond=None)[0][1:])
    return np.stack(slopes).reshape(len(slopes), factors.shape[1], *values.shape[1:])


def lack_of_fit(pairs: Pairs, factor: np.ndarray) -> LackOfFit:
    """Return the F test of lack of fit of a straight line in `factor` (pairs,), with an intercept for every replicate.

    The full model has a free mean for every combination of levels. The test takes the cells of a replicate as
    independent. Those that share a control or an intermediate phase are nearly so: simulated tables with shared
    controls were rejected in .055 at the level .05. Raises StudyError with fewer than three levels of the factor, or
    without a residual.
    """
    from scipy import stats

    units = pairs.encoders if pairs.unit == "encoder" else pairs.seeds.astype(str)
    if len(np.unique(factor)) < 3:
        raise StudyError(f"contrast {pairs.contrast.name!r}: a lack of fit needs at least three levels")
    intercepts = _indicators(units.tolist())
    rest = [
        _residual(np.column_stack([intercepts, more]), pairs.endpoint) for more in (factor, _indicators(pairs.levels))
    ]
    (line, line_degrees), (free, free_degrees) = rest
    degrees = (line_degrees - free_degrees, free_degrees)
    if min(degrees) < 1:
        raise StudyError(
            f"contrast {pairs.contrast.name!r}: a lack of fit needs more cells than a line, and replicates"
        )
    f = (line - free) / degrees[0] / (free / degrees[1])
    return LackOfFit(float(f), float(stats.f.sf(f, *degrees)), degrees)


def _indicators(names: Sequence[Hashable]) -> np.ndarray:
    """A column of zeros and ones for every different name, (names, different names)."""
    return np.array([[float(name == level) for level in dict.fromkeys(names)] for name in names])


def _residual(design: np.ndarray, values: np.ndarray) -> tuple[float, int]:
    """The sum of squares that a least-squares fit leaves, and its degrees of freedom."""
    fitted, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
    return float(((values - design @ fitted) ** 2).sum()), len(values) - int(rank)


def moderation(slopes: np.ndarray, moderators: np.ndarray) -> list[Effect]:
    """Return how slopes by language depend on properties of languages: an effect for every moderator.

    `slopes` is (units, languages), `moderators` (languages, moderators). Each replicate is regressed on its own, with
    an intercept, and the coefficients are tested over replicates.
    """
    design = np.column_stack([np.ones(len(moderators)), moderators])
    coefficients = np.linalg.lstsq(design, slopes.T, rcond=None)[0][1:]
    return [compare_means(row) for row in coefficients]
