from dataclasses import replace

import numpy as np
import pytest
from study_fixture import Simulation, invented

from stilts_core.laboratory.language.design import CODES
from stilts_core.report.figures.lessons import (
    average_others,
    draw_comparison,
    draw_pairs,
    draw_relative_effects,
    draw_transfer,
)
from stilts_core.scoring.bootstrap import Estimate
from stilts_core.studies.findings import conclude


@pytest.fixture
def scores():
    generator = np.random.default_rng(0)
    return {code: Estimate(50.0 - index, 50 - index + generator.normal(size=1000)) for index, code in enumerate(CODES)}


def test_average_of_the_others_leaves_english_out(scores):
    assert average_others(scores).score == pytest.approx(50 - np.mean(range(1, len(CODES))))


def test_comparison_has_a_row_for_every_model_and_its_title(scores):
    svg = draw_comparison({"no fine-tuning": scores, "after ccg": scores}, "accuracy", "No change").data
    assert all(f"<!-- {text} -->" in svg for text in ("no fine-tuning", "after ccg", "No change", "English"))


@pytest.mark.parametrize("factor", ["distance", "pretraining"])
def test_own_language_has_a_star_and_does_not_change_the_fitted_line(scores, factor):
    others = {code: estimate for code, estimate in scores.items() if code != "qpa"}
    plain = draw_transfer(others, factor, "accuracy").data
    starred = draw_transfer(scores, factor, "accuracy", own="qpa").data
    title = next(line for line in plain.splitlines() if "Zero-shot scores" in line)
    assert title in starred
    assert "PathCollection" in starred and "PathCollection" not in plain


def test_title_of_pairs_has_both_spreads():
    control = np.array([40.0, 50.0, 60.0])
    svg = draw_pairs(["a", "b", "c"], {"direct": control, "mnli": control + np.array([1, 2, 3])}, "accuracy").data
    text = " ".join(line.strip() for line in svg.splitlines() if line.strip().startswith("<!--"))
    assert "10.0 points" in text and "1.0 of" in text
    assert all(f"<!-- {name} -->" in svg for name in ("a", "b", "c", "direct", "mnli", "accuracy"))


def test_relative_effects_count_the_intervals_that_hold_a_gain_and_a_harm():
    protocol = invented()
    (found,) = conclude(Simulation(protocol, lambda cell: 3.0 * (cell.arm == "mnli")).table(), protocol)
    wide = replace(found, low=-1.5, value=0.0, high=1.5)  # the smallest effect of interest is 1
    svg = draw_relative_effects({"clear": found, "wide": wide}).data
    assert "1 of 2 intervals" in svg
    assert svg.index("<!-- clear -->") < svg.index("<!-- wide -->")
