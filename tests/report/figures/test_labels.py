from itertools import combinations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from stilts_core.report.figures.labels import place_labels


def overlap(one, other) -> bool:
    return one.x0 < other.x1 and other.x0 < one.x1 and one.y0 < other.y1 and other.y0 < one.y1


@pytest.mark.parametrize("count, levels, name", [(16, 4, "Merun"), (47, 47, "sw")])
def test_names_cover_no_name_no_point_and_no_interval(count, levels, name):
    generator = np.random.default_rng(count)
    xs = generator.choice(np.linspace(0.1, 0.8, levels), count) + generator.normal(0, 0.004, count)
    ys = 60 - 30 * xs + generator.normal(0, 6, count)
    figure = Figure(figsize=(6.4, 4.6), layout="constrained")
    axes = figure.add_subplot()
    axes.errorbar(xs, ys, yerr=1, fmt="o", markersize=4)
    axes.margins(0.12, 0.08)
    labels = place_labels(figure, axes, xs, ys, [name] * count, [(y - 1, y + 1) for y in ys])
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(label) for label in labels]  # an annotation's own extent includes its line
    assert not [pair for pair in combinations(boxes, 2) if overlap(*pair)]
    for x, y in zip(xs, ys, strict=True):
        (left, bottom), (_, top) = axes.transData.transform([(x, y - 1), (x, y + 1)])
        assert not [box for box in boxes if box.x0 < left < box.x1 and box.y0 < top and bottom < box.y1]
    frame = axes.get_window_extent()
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 for box in boxes)


def test_names_are_beside_their_own_points():
    figure = Figure(layout="constrained")
    axes = figure.add_subplot()
    axes.scatter([0, 1], [0, 1])
    axes.margins(0.3)
    labels = place_labels(figure, axes, [0, 1], [0, 1], ["a", "b"], [(0, 0), (1, 1)])
    by_name = {label.get_text(): label for label in labels}
    for name, point in {"a": (0, 0), "b": (1, 1)}.items():
        assert by_name[name].xy == point
        assert np.abs(np.array(by_name[name].xyann) - point).max() < 0.2
