"""Signs of numbers, and intervals."""

import pytest

from stilts_core.report.tables.numbers import half_width, interval, score_interval, signed


@pytest.mark.parametrize(
    "value, digits, text",
    [
        (3.21, 1, "+3.2"), (-3.21, 1, "−3.2"), (0.04, 1, "0.0"), (-0.04, 1, "0.0"),
        (1.234, 2, "+1.23"), (-1.234, 2, "−1.23"), (0.001, 2, "0.00"), (-0.001, 2, "0.00"),
    ],
)  # fmt: skip
def test_differences_have_a_sign_unless_they_round_to_zero(value, digits, text):
    assert signed(value, digits) == text


def test_intervals_stay_on_one_line():
    assert interval(-0.5, 1) == "[−0.50,\u00a0+1.00]" and interval(-0.5, 1, 1) == "[−0.5,\u00a0+1.0]"
    assert score_interval(41.25, 52) == "[41.2,\u00a052.0]" and half_width(-1.5, 2.5) == "2.0"
