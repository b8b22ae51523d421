import numpy as np
import pytest

from stilts_core.intervals import Estimate
from stilts_core.report import lesson_figures
from stilts_core.sources.lab.languages import CODES


@pytest.fixture
def scores():
    draws = np.random.default_rng(0)
    return {code: Estimate(50.0 - number, 50 - number + draws.normal(size=1000)) for number, code in enumerate(CODES)}


def drawn(svg) -> str:
    return svg.data


def test_mean_of_the_others_leaves_english_out(scores):
    assert lesson_figures.others(scores).score == pytest.approx(50 - np.mean(range(1, len(CODES))))


def test_every_model_is_a_row_under_the_title(scores):
    figure = drawn(lesson_figures.compared({"as it is": scores, "after ccg": scores}, "accuracy", "No change"))
    assert all(f"<!-- {text} -->" in figure for text in ("as it is", "after ccg", "No change", "English"))


@pytest.mark.parametrize("axis", ["distance", "pretraining"])
def test_own_language_has_a_star_and_does_not_bend_the_line_of_the_others(scores, axis):
    plain = drawn(lesson_figures.transfer({c: s for c, s in scores.items() if c != "qpa"}, axis, "accuracy"))
    starred = drawn(lesson_figures.transfer(scores, axis, "accuracy", own="qpa"))
    title = next(line for line in plain.splitlines() if "Zero-shot scores" in line)
    assert title in starred
    assert "PathCollection" in starred and "PathCollection" not in plain
