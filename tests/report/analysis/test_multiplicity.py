"""What a page calls clear, against Holm's correction by hand and by simulated pages without any effect."""

import gc

import numpy as np
import pytest
from record_fixture import grid_records
from scipy import stats

from stilts_core.report.analysis.grid import Grid
from stilts_core.report.analysis.measurement import Measurement
from stilts_core.report.analysis.multiplicity import correct
from stilts_core.report.pages.results import correct_page
from stilts_core.runs.record import Record

P_VALUES = {"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}


@pytest.fixture(autouse=True)
def no_collection(monkeypatch):
    """statsmodels collects garbage at every correction: 0.1 s."""
    monkeypatch.setattr(gc, "collect", lambda *_: 0)


def measured(p_values: dict[str, float | None]) -> dict[str, Measurement]:
    return {key: Measurement(1.0, 1.0, 4, p=p) for key, p in p_values.items()}


def holm_steps(p_values: list[float], level: float = 0.05) -> list[bool]:
    """Holm's procedure as he wrote it: step down until a p value exceeds its bound."""
    rejected = [False] * len(p_values)
    for step, index in enumerate(np.argsort(p_values)):
        if p_values[index] > level / (len(p_values) - step):
            break
        rejected[index] = True
    return rejected


def test_correction_is_holms_by_hand():
    family = correct(measured(P_VALUES))
    assert family.adjusted == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})
    assert [key for key in P_VALUES if family.is_clear(key)] == ["a", "d"] and family.size == 4


def test_clear_differences_are_those_that_holms_steps_reject():
    generator = np.random.default_rng(1)
    for _ in range(20):
        p_values = dict(enumerate(generator.beta(0.2, 3, 12)))
        family = correct(measured(p_values))
        assert [family.is_clear(key) for key in p_values] == holm_steps(list(p_values.values()))


def test_differences_without_a_p_value_are_never_clear_and_are_not_counted():
    family = correct(measured({"a": None, "b": 0.04}))
    assert family.is_clear("b") and not family.is_clear("a") and (family.size, family.untested) == (1, 1)
    assert correct(measured({"a": None})).size == 0


def with_scores(record: Record, score: float) -> Record:
    """A copy with these averages, made without validation: a simulation makes thousands of them."""
    mean = record.averages.all.model_copy(update={"score": score})
    averages = record.averages.model_copy(update={"all": mean, "non_english": mean})
    return record.model_copy(update={"averages": averages})


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return grid_records(rows=("none", "qqp", "ccg", "hellaswag"), targets=("pawsx", "udpos", "panx"), seeds=range(4))


def test_at_most_one_page_in_twenty_without_an_effect_shows_a_clear_difference(records):
    generator = np.random.default_rng(0)
    pages = 200
    with_clear = 0
    for _ in range(pages):
        seeds = generator.normal(0, 5, 4)  # shared by all runs with a seed
        values = generator.normal(50, 2, len(records)) + seeds[[record.seed for record in records]]
        grid = Grid([with_scores(record, value) for record, value in zip(records, values, strict=True)])
        family = correct_page(grid)
        assert family.size == 2 * (9 + 3) and not family.untested
        with_clear += any(map(family.is_clear, family.adjusted))
    assert with_clear <= stats.binom.ppf(0.99, pages, 0.05)


def test_a_large_effect_under_a_larger_effect_of_the_seed_is_clear(records):
    generator = np.random.default_rng(0)
    seeds = generator.normal(0, 50, 4)
    grid = Grid(
        [
            with_scores(record, 40 + 10 * (record.row == "qqp") + seeds[record.seed] + generator.normal(0, 0.05))
            for record in records
        ]
    )
    family = correct_page(grid)
    clear = {row for row, _, _ in family.adjusted if family.is_clear((row, "udpos", "all"))}
    assert clear == {"qqp"} and family.is_clear(("qqp", "average", "non_english"))


def test_one_seed_has_nothing_clear_however_large_the_effect(records):
    first = [with_scores(record, 90 * (record.row != "none")) for record in records if record.seed == 0]
    family = correct_page(Grid(first))
    assert family.size == 0 and family.untested == 24
