"""How large an effect is: a slope over the whole range of ratios, and a contrast that tests nothing."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
from question_fixture import SOURCES
from study_fixture import Simulation

from stilts_core.report.pages.questions import effect_size
from stilts_core.report.pages.questions.effect_size import explain_range, explain_size, ratio_words
from stilts_core.studies.differences import pair_runs
from stilts_core.studies.findings import evaluate, judge_effects
from stilts_core.studies.protocol import read_protocol

PROTOCOL = read_protocol(SOURCES / "ratio.toml")
CHAPTER = SimpleNamespace(
    protocol=PROTOCOL,
    require_table=lambda: TABLE,
    is_interim=False,
)
SIMULATION = Simulation(PROTOCOL, lambda cell: 0.0, run=0.5)
TABLE = SIMULATION.table()


def find(slope: float):
    """A finding of the primary contrast of the ratio, with another slope."""
    (pairs,) = SIMULATION.pairs(PROTOCOL.primary, [0])
    (finding,) = judge_effects([PROTOCOL.primary], [evaluate(pairs, PROTOCOL)], [pairs], None)
    return replace(finding, value=slope, low=slope - 0.1, high=slope + 0.1)


def words(finding) -> str:
    return explain_range(CHAPTER, PROTOCOL.primary, finding)[0].replace("\u00a0", " ")


def test_slope_is_shown_from_end_to_end_of_the_ratios_that_the_table_has():
    found = words(find(-0.25))
    assert "from 1:8 to 32:1, which is 8 doublings" in found and "by −2.00 points &#91;−2.80, −1.20&#93;" in found


@pytest.mark.parametrize(
    ("slope", "compared"), [(-0.25, "reaches beyond ±1.5 points"), (0.05, "lies within ±1.5 points")]
)
def test_effect_from_end_to_end_is_compared_with_the_margin_of_the_same_score(slope, compared):
    assert compared in words(find(slope))


def test_only_a_slope_on_the_ratio_has_a_range():
    flat, harmless = PROTOCOL.secondary[:2]
    assert flat.regressor == "size" and harmless.test == "equivalence"
    assert all(explain_range(CHAPTER, contrast, find(0.1)) == [] for contrast in (flat, harmless))


def test_differences_of_few_replicates_are_listed(monkeypatch):
    contrast = PROTOCOL.primary.model_copy(update={"test": "difference"})
    finding, values = (
        replace(find(0.5), test="difference", unit_of_value="points"),
        pair_runs(TABLE, contrast).by_unit(),
    )
    monkeypatch.setattr(effect_size, "FEW_REPLICATES", len(values) - 1)
    assert len(explain_size(CHAPTER, contrast, finding)) == 1
    monkeypatch.setattr(effect_size, "FEW_REPLICATES", len(values))
    listed = explain_size(CHAPTER, contrast, finding)[1]
    assert listed.startswith("By encoder, the differences are ") and listed.endswith(" points.")
    assert f"{values[0]:+.1f}".replace("-", "−") in listed and listed.count(",") == len(values) - 1
    assert not any("the differences are" in text for text in explain_size(CHAPTER, PROTOCOL.primary, find(0.5)))


def test_contrast_that_tests_nothing_has_no_power():
    (paragraph,) = explain_size(CHAPTER, PROTOCOL.primary, replace(find(0.0), untested="both are the same"))
    assert paragraph == "The contrast is not testable: both are the same."


@pytest.mark.parametrize(("log2", "expected"), [(-3, "1:8"), (5, "32:1"), (0, "1:1"), (-0.5, "1:1.41")])
def test_ratio_is_written_with_a_one(log2, expected):
    assert ratio_words(log2) == expected
