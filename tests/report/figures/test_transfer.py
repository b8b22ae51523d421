import pytest

from stilts_core.config import LABORATORY, PUBLISHERS
from stilts_core.laboratory.language.design import CODES
from stilts_core.report.analysis.measurement import Measurement
from stilts_core.report.analysis.slopes import Slope, collect_factors, fit_slopes
from stilts_core.report.figures.transfer import draw_factor, factor_finding, language_labels


def test_finding_gives_a_clear_slope_for_its_step():
    slopes = [Slope("distance", -30.0, -40.0, -20.0), Slope("pretraining", 3.04, 2.0, 4.0)]
    assert factor_finding("distance", slopes) == "Zero-shot scores fall by 3.0 points per 0.1 of distance"
    assert factor_finding("pretraining", slopes).endswith("rise by 3.0 points per tenfold pretraining text")


def test_finding_claims_no_effect_where_the_interval_includes_zero_or_there_is_no_model():
    assert "do not clearly change with distance" in factor_finding("distance", [Slope("distance", -3.0, -7.0, 1.0)])
    assert factor_finding("distance", None) == "Zero-shot scores against distance"


@pytest.mark.parametrize("count, label", [(20, "German"), (21, "de")])
def test_many_languages_are_labelled_by_code(count, label):
    assert language_labels(["de"] * count) == [label] * count


@pytest.mark.parametrize("factor", ["distance", "pretraining"])
@pytest.mark.parametrize("codes, source", [(CODES[1:], LABORATORY), (("de", "es", "ru", "sw", "qu", "zh"), PUBLISHERS)])
def test_figure_of_any_source_has_the_same_bytes_every_time(codes, source, factor):
    factors = collect_factors(codes, source)
    scores = {code: Measurement(50 - 20 * place, 1.0) for code, place in zip(codes, factors["distance"], strict=True)}
    first, second = (draw_factor(scores, factors, fit_slopes(scores, factors), factor, source) for _ in range(2))
    assert first == second and "Zero-shot scores" in first
