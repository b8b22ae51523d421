"""Figures of the questions: their titles state what they are given, and equal input gives equal bytes."""

import xml.etree.ElementTree as ElementTree

from stilts_core.report.figures.questions.intervals import IntervalRow, PlottedInterval, draw_intervals
from stilts_core.report.figures.questions.ratio import RatioPoint, draw_ratio

ONE = PlottedInterval(1.0, 0.5, 1.5)


def test_intervals_of_several_series_may_have_gaps():
    rows = [IntervalRow("both", (ONE, ONE)), IntervalRow("one", (None, ONE)), IntervalRow("none", (None, None))]
    first, second = (
        draw_intervals(rows, "A rises by $1", "points", series=("raw", "centred"), band=0.5, band_name="small")
        for _ in range(2)
    )
    assert first == second and ElementTree.fromstring(first).tag.endswith("svg")
    assert "A rises by $1" in first and "centred" in first and "small" in first


def test_figure_without_series_has_no_legend_entry():
    assert "<!-- _ -->" not in draw_intervals([IntervalRow("a", (ONE,))], "title", "points")


def test_ratios_are_labelled_as_ratios():
    cells = [RatioPoint(-1.0, 64, ONE), RatioPoint(0.0, 64, ONE), RatioPoint(3.0, 256, ONE), RatioPoint(3.0, 64, ONE)]
    svg = draw_ratio(cells, -0.5, "falls", "points")
    assert svg == draw_ratio(cells, -0.5, "falls", "points")
    assert all(f"<!-- {text} -->" in svg for text in ("1:2", "1:1", "8:1", "256 target steps", "falls"))
