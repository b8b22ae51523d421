from itertools import combinations

import numpy as np
import pytest
from matplotlib.figure import Figure
from matplotlib.text import Text

from stilts_core.report.labels import label


def overlap(one, other) -> bool:
    return one.x0 < other.x1 and other.x0 < one.x1 and one.y0 < other.y1 and other.y0 < one.y1


@pytest.mark.parametrize("count, levels, name", [(16, 4, "Merun"), (47, 47, "sw")])
def test_names_cover_no_name_no_point_and_no_interval(count, levels, name):
    draw = np.random.default_rng(count)
    xs = draw.choice(np.linspace(0.1, 0.8, levels), count) + draw.normal(0, 0.004, count)
    ys = 60 - 30 * xs + draw.normal(0, 6, count)
    figure = Figure(figsize=(6.4, 4.6), layout="constrained")
    axes = figure.add_subplot()
    axes.errorbar(xs, ys, yerr=1, fmt="o", markersize=4)
    axes.margins(0.12, 0.08)
    written = label(axes, xs, ys, [name] * count, [(y - 1, y + 1) for y in ys])
    figure.draw_without_rendering()
    boxes = [Text.get_window_extent(note) for note in written]  # an annotation's own holds its line, too
    assert not [pair for pair in combinations(boxes, 2) if overlap(*pair)]
    places = axes.transData.transform(np.column_stack([xs, ys]))
    assert not [(x, y) for x, y in places for box in boxes if box.x0 < x < box.x1 and box.y0 < y < box.y1]
    frame = axes.get_window_extent()
    assert all(frame.x0 <= box.x0 and box.x1 <= frame.x1 for box in boxes)


def test_names_lie_beside_their_own_points():
    figure = Figure(layout="constrained")
    axes = figure.add_subplot()
    axes.scatter([0, 1], [0, 1])
    axes.margins(0.3)
    written = {note.get_text(): note for note in label(axes, [0, 1], [0, 1], ["a", "b"], [(0, 0), (1, 1)])}
    for name, place in {"a": (0, 0), "b": (1, 1)}.items():
        assert written[name].xy == place
        assert np.abs(np.array(written[name].xyann) - place).max() < 0.2
