import numpy as np

from stilts_core.report.colours import (
    GAIN,
    LOSS,
    MIDDLE,
    TEXT,
    Colour,
    colour_limit,
    difference_colour,
    to_css,
)

SCALE = [difference_colour(value, 1) for value in np.linspace(-1.2, 1.2, 121)]


def contrast_ratio(one: Colour, other: Colour) -> float:
    """The contrast ratio of two colours as WCAG 2 defines it, from 1 to 21; text needs 4.5."""
    lighter, darker = sorted((luminance(one), luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: Colour) -> float:
    """The relative luminance of WCAG 2, in [0, 1]."""
    shares = [channel / 255 for channel in colour]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    return sum(weight * channel for weight, channel in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def test_text_is_legible_on_every_colour_of_the_scale():
    assert min(contrast_ratio(TEXT, colour) for colour in SCALE) > 4.5


def test_contrast_ratio_equals_that_of_wcag():
    assert contrast_ratio((0, 0, 0), (255, 255, 255)) == 21 and contrast_ratio(TEXT, TEXT) == 1
    just_too_light = (119, 119, 119)  # #777 on white is WCAG's well-known grey below 4.5
    assert round(contrast_ratio(just_too_light, (255, 255, 255)), 2) == 4.48


def test_scale_runs_from_loss_through_white_to_gain_and_stops_at_its_ends():
    assert (difference_colour(-1, 1), difference_colour(0, 1), difference_colour(1, 1)) == (LOSS, MIDDLE, GAIN)
    assert difference_colour(-7, 1) == LOSS and difference_colour(7, 1) == GAIN
    assert to_css(difference_colour(0, 1)) == "#ffffff"


def test_both_ends_differ_without_red_green_vision():
    # Viénot, Brettel and Mollon (1999): a person without one kind of cone sees red and green as their weighted mean.
    def perceive(colour):
        red, green, blue = (channel / 255 for channel in colour)
        return np.array([0.11 * red + 0.89 * green, blue])

    assert np.abs(perceive(LOSS) - perceive(GAIN)).max() > 0.4


def test_one_outlier_does_not_set_the_limit():
    assert colour_limit([1.0] * 40 + [100.0]) == 1.0
    assert colour_limit([]) == 1.0 and colour_limit([0.0]) > 0
