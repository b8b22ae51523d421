import numpy as np
import pytest
from record_fixture import grid_records
from scipy import stats

from stilts_core.report.grid import Grid
from stilts_core.report.measured import Measured
from stilts_core.report.slopes import factors, fit, language_scores
from stilts_core.sources.lab.languages import LANGUAGES

CODES = [code for code in LANGUAGES if code != "en"]


def scores(values) -> dict[str, Measured]:
    return {code: Measured(float(value), 1.0) for code, value in zip(CODES, values, strict=True)}


def test_slopes_that_were_put_in_come_out():
    columns = factors(CODES, "lab")
    intercept, far, large = fit(scores(50 - 30 * columns["distance"] + 3 * columns["pretraining"]), columns)
    assert (intercept.value, far.value, large.value) == pytest.approx((50, -30, 3))
    assert (far.low, far.high) == pytest.approx((-30, -30)) and [far.name, large.name] == ["distance", "pretraining"]


def test_intervals_are_student_s_over_the_languages_residuals():
    columns = factors(CODES, "lab")
    values = np.random.default_rng(0).normal(50, 5, len(CODES)) - 30 * columns["distance"]
    design = np.column_stack([np.ones(len(CODES)), *columns.values()])
    solved, residual, *_ = np.linalg.lstsq(design, values, rcond=None)
    freedom = len(CODES) - 3
    errors = np.sqrt(np.diag(np.linalg.inv(design.T @ design)) * residual[0] / freedom)
    for slope, value, error in zip(fit(scores(values), columns), solved, errors, strict=True):
        assert slope.value == pytest.approx(value)
        assert (slope.low, slope.high) == pytest.approx(stats.t.interval(0.95, freedom, value, error))


def test_no_slope_is_fitted_to_few_languages_or_to_equal_ones():
    few = {code: Measured(50.0, 1.0) for code in CODES[:4]}
    assert fit(few, factors(list(few), "lab")) is None
    equal = {code: Measured(50.0, 1.0) for code in CODES}
    assert fit(equal, {"distance": np.ones(16), "pretraining": np.arange(16.0)}) is None


def test_a_language_is_scored_by_its_mean_over_targets_and_rows():
    records = grid_records(rows=("none", "qqp"), targets=("xnli", "udpos"))
    found = language_scores(list(Grid(records).cells.values()))
    assert list(found) == CODES  # nearest to English first, and no English
    for code in CODES:
        assert found[code].value == pytest.approx(np.mean([record["scores"][code]["score"] for record in records]))


def test_a_target_with_few_languages_moves_none_of_them():
    """A target that is hard and has only near languages would make these look bad if plain means were taken."""
    near, everywhere = ("en", "qal", "qbe", "qco", "qdu"), tuple(LANGUAGES)
    records = grid_records(rows=("none",), targets=("xnli",), languages=everywhere)
    alone = language_scores(list(Grid(records).cells.values()))
    (hard,) = grid_records(rows=("none",), targets=("udpos",), languages=near)
    middle = np.mean([alone[code].value for code in near[1:]])
    for code in near:
        hard["scores"][code]["score"] = 10 + (alone[code].value - middle if code != "en" else 0)
    both = language_scores(list(Grid([*records, hard]).cells.values()))
    within = [both[code].value - both["qal"].value for code in near[1:]]
    assert within == pytest.approx([alone[code].value - alone["qal"].value for code in near[1:]])
