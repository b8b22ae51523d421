"""Other work is compared by its sign alone, and only where the interval has one."""

from types import SimpleNamespace

import pytest

from stilts_core.report.pages.questions.beside import judge_sign


@pytest.mark.parametrize(
    ("sign", "low", "high", "words"),
    [
        (1, 0.5, 2.0, "the same sign"),
        (1, -2.0, -0.5, "the opposite sign"),
        (-1, -2.0, -0.5, "the same sign"),
        (1, -0.5, 2.0, "cannot tell"),
        (0, -0.5, 2.0, "contains zero, as it would then"),
        (0, 0.5, 2.0, "not what that work reports"),
    ],
)
def test_interval_decides_what_can_be_said_about_a_sign(sign, low, high, words):
    assert words in judge_sign(sign, SimpleNamespace(low=low, high=high))
