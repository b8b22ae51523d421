"""Zero-shot score against distance and pretraining size, both in one model; every language counts once."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stilts_core.report.distances import by_distance, distance, magnitude
from stilts_core.report.grid import Cell
from stilts_core.report.measured import Measured, mean

LEAST = 6  # languages that a model of two slopes is fitted to


@dataclass(frozen=True)
class Slope:
    """The change of the score with one more unit of `name`, with its 95 % interval."""

    name: str
    value: float
    low: float
    high: float


def language_scores(cells: Sequence[Cell]) -> dict[str, Measured]:
    """Every language that is not English with its mean over the cells, nearest to English first.

    Cells score different sets of languages. So each is first put on the common mean of all: by how much a language lies
    above or below its cell's mean is what counts. The uncertainty is that of the scores themselves.
    """
    parts: dict[str, list[Measured]] = {}
    means = []
    for cell in cells:
        scores = {code: cell.of(code) for code in cell.records[0]["scores"] if code != "en"}
        if len(scores) < 2:
            continue
        middle = sum(score.value for score in scores.values()) / len(scores)
        means.append(middle)
        for code, score in scores.items():
            parts.setdefault(code, []).append(Measured(score.value - middle, score.variance, score.freedom))
    common = sum(means) / len(means) if means else 0.0
    averages = {code: mean(parts[code]) for code in by_distance(parts)}
    return {code: Measured(value.value + common, value.variance, value.freedom) for code, value in averages.items()}


def factors(codes: Sequence[str], profile: str) -> dict[str, np.ndarray]:
    """The two axes of transfer for each language: distance to English, and log10(1 + pretraining size)."""
    return {
        "distance": np.array([distance(code) for code in codes]),
        "pretraining": np.array([magnitude(code, profile) for code in codes]),
    }


def fit(scores: dict[str, Measured], columns: dict[str, np.ndarray]) -> list[Slope] | None:
    """Least squares of the languages' scores on all factors at once; None for too few languages or equal ones.

    The languages are the units that vary: the intervals are Student's over their residuals, and say what other
    languages of the same kinds would give. Seeds, targets and rows are averaged before.
    """
    from statsmodels.regression.linear_model import OLS  # a second, of a report without these lines

    values = np.array([score.value for score in scores.values()])
    design = np.column_stack([np.ones_like(values), *columns.values()])
    if len(values) < max(LEAST, 2 + design.shape[1]) or np.linalg.matrix_rank(design) < design.shape[1]:
        return None
    fitted = OLS(values, design).fit()
    bounds = fitted.conf_int()
    return [
        Slope(name, float(fitted.params[index]), *map(float, bounds[index]))
        for index, name in enumerate(["intercept", *columns])
    ]
