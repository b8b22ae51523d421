"""Colours that are read against each other stay apart for every kind of colour vision.

The simulation is that of Machado, Oliveira and Fernandes (2009), A Physiologically-based Model for Simulation of Color
Vision Deficiency, table 1, at severity 1. It works on linear RGB. Distances are those of CIE 1976 in L*a*b* (D65).
"""

from itertools import combinations

import numpy as np
import pytest

from stilts_core.report.colours import GAIN, LOSS, MIDDLE, difference_colour
from stilts_core.report.figures.style import COLOURS, GREY, LIGHT_GREY

VISION = {
    "usual": np.eye(3),
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
WHITE = TO_XYZ.sum(axis=1)
LEAST = 15  # a difference of 2.3 can just be seen side by side; marks lie apart and are small


def rgb(colour) -> np.ndarray:
    """A colour as shares of red, green and blue, (3,)."""
    if isinstance(colour, str):
        colour = [int(colour[start : start + 2], 16) for start in (1, 3, 5)]
    return np.array(colour) / 255


def lab(colour, vision: str) -> np.ndarray:
    """What an eye sees, (3,): lightness, and the red-green and yellow-blue axes."""
    shares = rgb(colour)
    linear = np.where(shares <= 0.04045, shares / 12.92, ((shares + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(VISION[vision]) @ linear, 0, 1)
    ratios = TO_XYZ @ seen / WHITE
    curved = np.where(ratios > (6 / 29) ** 3, np.cbrt(ratios), ratios / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * curved[1] - 16, 500 * (curved[0] - curved[1]), 200 * (curved[1] - curved[2])])


def distance(one, other, vision: str) -> float:
    return float(np.linalg.norm(lab(one, vision) - lab(other, vision)))


def nearest(colours, vision: str) -> float:
    return min(distance(one, other, vision) for one, other in combinations(colours, 2))


@pytest.mark.parametrize("vision", VISION)
def test_series_of_a_figure_stay_apart(vision):
    assert nearest(COLOURS, vision) > LEAST


@pytest.mark.parametrize("vision", VISION)
def test_greys_stay_apart_from_the_first_series_and_from_white(vision):
    assert nearest([COLOURS[0], GREY, LIGHT_GREY, "#ffffff"], vision) > LEAST


@pytest.mark.parametrize("vision", VISION)
def test_gains_losses_and_zero_stay_apart_and_grow_with_the_difference(vision):
    assert nearest([GAIN, LOSS, MIDDLE], vision) > 3 * LEAST
    for sign in (1, -1):
        sizes = [distance(difference_colour(sign * size, 1), MIDDLE, vision) for size in np.linspace(0, 1, 11)]
        assert all(np.diff(sizes) > 0)
    assert distance(difference_colour(0.5, 1), difference_colour(-0.5, 1), vision) > 2 * LEAST


def test_simulation_keeps_greys_and_finds_colours_that_are_confused():
    for vision in VISION:
        assert distance((128, 128, 128), (128, 128, 128), vision) == 0
        assert np.abs(lab((128, 128, 128), vision)[1:]).max() < 0.1
    red, green = "#b22222", "#4f6b00"  # a red and a green that differ in hue alone for a deuteranope
    assert distance(red, green, "usual") > 5 * distance(red, green, "deuteranopia")
    assert distance("#00ff00", "#00ffff", "tritanopia") < distance("#00ff00", "#00ffff", "usual") / 2
