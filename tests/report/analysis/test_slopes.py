from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from record_fixture import grid_records, with_values
from scipy import stats

from stilts_core.config import LABORATORY
from stilts_core.laboratory.language.design import LANGUAGES
from stilts_core.report.analysis.grid import Grid
from stilts_core.report.analysis.measurement import Measurement
from stilts_core.report.analysis.slopes import collect_factors, fit_slopes, score_languages, share_replicates
from stilts_core.runs.record import Record

CODES = [code for code in LANGUAGES if code != "en"]


def measurements(values: Iterable[float]) -> dict[str, Measurement]:
    return {code: Measurement(float(value), 1.0) for code, value in zip(CODES, values, strict=True)}


def language_scores(records: Iterable[Record]) -> dict[str, Measurement]:
    return score_languages(list(Grid(list(records)).cells.values()))


def test_fit_recovers_the_slopes_of_exact_scores():
    factors = collect_factors(CODES, LABORATORY)
    values = 50 - 30 * factors["distance"] + 3 * factors["pretraining"]
    intercept, distance, size = fit_slopes(measurements(values), factors)
    assert (intercept.value, distance.value, size.value) == pytest.approx((50, -30, 3))
    assert (distance.low, distance.high) == pytest.approx((-30, -30))
    assert [distance.name, size.name] == ["distance", "pretraining"]


def test_intervals_are_students_over_the_residuals_of_languages():
    factors = collect_factors(CODES, LABORATORY)
    values = np.random.default_rng(0).normal(50, 5, len(CODES)) - 30 * factors["distance"]
    design = np.column_stack([np.ones(len(CODES)), *factors.values()])
    solution, residual, *_ = np.linalg.lstsq(design, values, rcond=None)
    freedom = len(CODES) - 3
    errors = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * residual[0] / freedom)
    for slope, value, error in zip(fit_slopes(measurements(values), factors), solution, errors, strict=True):
        assert slope.value == pytest.approx(value)
        assert (slope.low, slope.high) == pytest.approx(stats.t.interval(0.95, freedom, value, error))


def test_no_slope_is_fitted_to_few_languages_or_to_collinear_factors():
    few = {code: Measurement(50.0, 1.0) for code in CODES[:4]}
    assert fit_slopes(few, collect_factors(list(few), LABORATORY)) is None
    scores = measurements([50.0] * len(CODES))
    assert fit_slopes(scores, {"distance": np.ones(16), "pretraining": np.arange(16.0)}) is None


def test_languages_are_scored_by_their_mean_over_targets_and_rows():
    records = grid_records(rows=("none", "qqp"), targets=("xnli", "udpos"))
    scores = language_scores(records)
    assert list(scores) == CODES  # nearest to English first, and no English
    for code in CODES:
        assert scores[code].value == pytest.approx(np.mean([record.scores[code].score for record in records]))


def test_languages_have_students_interval_over_the_means_of_each_seed():
    """Runs with one seed may share a checkpoint: targets and rows are no replicates of each other."""
    records = grid_records(rows=("none", "qqp"), targets=("xnli", "udpos"), seeds=range(4))
    scores = language_scores(records)
    for code in CODES:
        by_seed = [np.mean([r.scores[code].score for r in records if r.seed == seed]) for seed in range(4)]
        assert scores[code].interval == pytest.approx(stats.t.interval(0.95, 3, np.mean(by_seed), stats.sem(by_seed)))


def test_only_seeds_of_all_cells_count_or_the_commonest_seed():
    cells = list(Grid(grid_records(rows=("none", "qqp"), targets=("xnli", "udpos"), seeds=(0, 1))).cells.values())
    more = [replace(cells[0], records=(*cells[0].records, *grid_records(rows=["none"], targets=["xnli"], seeds=[2])))]
    assert share_replicates([*more, *cells[1:]]) == cells
    first, *others = cells
    none_shared = [
        replace(first, records=first.records[1:]),
        *(replace(cell, records=cell.records[:1]) for cell in others),
    ]
    assert share_replicates(none_shared) == none_shared[1:]


def test_a_hard_target_does_not_lower_the_few_languages_that_it_has():
    """Plain means over targets would make these near languages look worse than the others."""
    near = ("en", "qal", "qbe", "qco", "qdu")
    records = grid_records(rows=("none",), targets=("xnli",), languages=tuple(LANGUAGES))
    alone = language_scores(records)
    (hard,) = grid_records(rows=("none",), targets=("udpos",), languages=near)
    average = np.mean([alone[code].value for code in near[1:]])
    shifts = {code: float(alone[code].value - average) if code != "en" else 0.0 for code in near}
    hard = with_values(hard, {f"scores.{code}.score": 10 + shift for code, shift in shifts.items()})
    both = language_scores([*records, hard])
    differences = [both[code].value - both["qal"].value for code in near[1:]]
    assert differences == pytest.approx([alone[code].value - alone["qal"].value for code in near[1:]])
