"""Zero-shot scores as a linear function of distance and pretraining size, with one data point for each language."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from stilts_core.report.analysis.distances import distance_to_english, log_size, sort_by_distance
from stilts_core.report.analysis.grid import Cell
from stilts_core.report.analysis.measurement import Measurement
from stilts_core.report.analysis.replicates import Replicates, average_parts, replicate_of, summarise

MIN_LANGUAGES = 6  # with fewer, two slopes and an intercept have hardly a residual left


@dataclass(frozen=True)
class Slope:
    """The change of the score for one unit of the factor `name`, with its 95 % interval."""

    name: str
    value: float
    low: float
    high: float


def share_replicates(cells: Sequence[Cell]) -> list[Cell]:
    """The cells with the runs of the seeds and encoders that all cells have.

    If no seed and encoder is in all cells, the commonest one counts, and only the cells that have it.
    """
    counts = Counter(replicate_of(record) for cell in cells for record in cell.records)
    shared = {replicate for replicate, count in counts.items() if count == len(cells)}
    shared = shared or {replicate for replicate, _ in counts.most_common(1)}
    kept = (
        Cell(cell.row, cell.target, tuple(record for record in cell.records if replicate_of(record) in shared))
        for cell in cells
    )
    return [cell for cell in kept if cell.records]


def score_languages(cells: Sequence[Cell]) -> dict[str, Measurement]:
    """The mean over cells of every language except English, nearest to English first.

    Cells score different sets of languages, so plain means would compare languages on different targets. Each score is
    therefore taken as its deviation from its cell's mean, and the mean of all cells is added at the end. The mean over
    cells is taken within each seed and encoder first (see `share_replicates`), so that its interval is over these, or
    over test items if there is only one. The uncertainty of the cells' means is left out. A cell that scores fewer than
    two of these languages does not count.
    """
    deviations: dict[str, list[Replicates]] = {}
    cell_means = []
    for cell in cells:
        scores = {code: cell.scores_in(code) for code in cell.records[0].scores if code != "en"}
        if len(scores) < 2:
            continue
        values = [score.value for runs in scores.values() for score in runs.values()]
        cell_means.append(sum(values) / len(values))
        for code, runs in scores.items():
            shifted = {key: _shifted(score, -cell_means[-1]) for key, score in runs.items()}
            deviations.setdefault(code, []).append(shifted)
    common = sum(cell_means) / len(cell_means) if cell_means else 0.0
    means = {code: summarise(average_parts(parts)) for code, parts in deviations.items()}
    present = {code: _shifted(score, common) for code, score in means.items() if score}
    return {code: present[code] for code in sort_by_distance(present)}


def collect_factors(codes: Sequence[str], source: str) -> dict[str, np.ndarray]:
    """The two factors of transfer, each as an array over languages: distance, and log10(1 + pretraining size)."""
    return {
        "distance": np.array([distance_to_english(code) for code in codes]),
        "pretraining": np.array([log_size(code, source) for code in codes]),
    }


def fit_slopes(scores: Mapping[str, Measurement], factors: Mapping[str, np.ndarray]) -> list[Slope] | None:
    """Fit the languages' scores on all factors at once by least squares; the intercept is the first of the slopes.

    The intervals are Student's over the residuals of the languages: they hold for other languages of the same kinds.
    None if there are too few languages, or if the factors are collinear.
    """
    from statsmodels.regression.linear_model import OLS  # 1.0 s to import: saved where no slope is fitted

    values = np.array([score.value for score in scores.values()])
    design = np.column_stack([np.ones_like(values), *factors.values()])
    if len(values) < max(MIN_LANGUAGES, 2 + design.shape[1]) or np.linalg.matrix_rank(design) < design.shape[1]:
        return None
    fitted = OLS(values, design).fit()
    bounds = fitted.conf_int()
    return [
        Slope(name, float(fitted.params[index]), *map(float, bounds[index]))
        for index, name in enumerate(["intercept", *factors])
    ]


def _shifted(score: Measurement, shift: float) -> Measurement:
    return Measurement(score.value + shift, score.variance, score.degrees_of_freedom)
