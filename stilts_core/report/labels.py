"""Names beside points of a figure, placed so that none covers another, a point or its interval."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.text import Annotation

# Where a name may go: to the right first, then around the point, and further out where there is no room.
ANGLES = (0, 180, 35, -35, 145, -145, 90, -90)
DISTANCES = range(6, 90, 6)  # points
HALO = withStroke(linewidth=2, foreground="white")  # names stay legible on the lines of a figure
CLEARANCE = 3  # points around a point and its interval


def label(
    axes: Axes,
    xs: Sequence[float],
    ys: Sequence[float],
    names: Sequence[str],
    bars: Sequence[tuple[float, float]],
    size: float = 8.5,
) -> list[Annotation]:
    """Write each name beside its point, with a thin line to it where it had to go further away.

    `bars` are the points' intervals along the vertical axis. All else must be drawn already: what moves the axes
    afterwards moves the names. A name for which no place is free takes the first.
    """
    figure = axes.get_figure()
    figure.draw_without_rendering()  # constrained layout: only now the axes are where they will be
    scale, frame = figure.dpi / 72, axes.get_window_extent()
    points = axes.transData.transform(np.column_stack([xs, ys]))
    ends = [axes.transData.transform([(x, low), (x, high)])[:, 1] for x, (low, high) in zip(xs, bars, strict=True)]
    margin = CLEARANCE * scale
    taken = [
        (x - margin, min(low, y - margin), x + margin, max(high, y + margin))
        for (x, y), (low, high) in zip(points, ends, strict=True)
    ]
    written = []
    for index in np.lexsort((points[:, 1], points[:, 0])):
        look = {"fontsize": size, "va": "center", "ha": "center", "path_effects": [HALO]}
        note = axes.annotate(names[index], (xs[index], ys[index]), **look)
        extent = note.get_window_extent()
        note.remove()
        places = [
            (points[index] + _offset(angle, away * scale, extent.width, extent.height), away)
            for away in DISTANCES
            for angle in ANGLES
        ]
        boxes = [_box(middle, extent.width, extent.height) for middle, _ in places]
        free = (number for number, box in enumerate(boxes) if _inside(box, frame) and not _meets(box, taken))
        chosen = next(free, 0)
        middle, away = places[chosen]
        line = {"arrowstyle": "-", "color": "#999999", "linewidth": 0.6, "shrinkA": 0, "shrinkB": 3}
        far = line if away > 2 * DISTANCES[0] else None
        where = axes.transData.inverted().transform(middle)
        written.append(axes.annotate(names[index], (xs[index], ys[index]), where, arrowprops=far, **look))
        taken.append(boxes[chosen])
    return written


def _offset(angle: float, away: float, wide: float, high: float) -> np.ndarray:
    """From a point to the middle of a box that begins `away` from it in a direction."""
    across, up = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    return np.array([across * (away + wide / 2), up * (away + high / 2)])


def _box(middle: np.ndarray, wide: float, high: float) -> tuple[float, float, float, float]:
    return middle[0] - wide / 2, middle[1] - high / 2, middle[0] + wide / 2, middle[1] + high / 2


def _inside(box: tuple, frame) -> bool:
    return frame.x0 <= box[0] and box[2] <= frame.x1 and frame.y0 <= box[1] and box[3] <= frame.y1


def _meets(box: tuple, taken: Sequence[tuple]) -> bool:
    return any(box[0] < other[2] and other[0] < box[2] and box[1] < other[3] and other[1] < box[3] for other in taken)
