import numpy as np

from stilts_core.report.colours import GAIN, LOSS, MIDDLE, TEXT, contrast, css, diverging, extent

SCALE = [diverging(value, 1) for value in np.linspace(-1.2, 1.2, 121)]


def test_text_is_legible_on_every_colour_of_the_scale():
    assert min(contrast(TEXT, colour) for colour in SCALE) > 4.5


def test_contrast_is_wcag_s():
    assert contrast((0, 0, 0), (255, 255, 255)) == 21 and contrast(TEXT, TEXT) == 1
    assert round(contrast((119, 119, 119), (255, 255, 255)), 2) == 4.48  # the well-known grey that just fails


def test_scale_goes_from_loss_through_white_to_gain_and_stops_at_its_ends():
    assert (diverging(-1, 1), diverging(0, 1), diverging(1, 1)) == (LOSS, MIDDLE, GAIN)
    assert diverging(-7, 1) == LOSS and diverging(7, 1) == GAIN
    assert css(diverging(0, 1)) == "#ffffff"


def test_both_ends_are_told_apart_without_seeing_red_or_green():
    # Viénot, Brettel and Mollon (1999): who lacks one kind of cone sees red and green as their weighted mean.
    def seen(colour):
        red, green, blue = (part / 255 for part in colour)
        return np.array([0.11 * red + 0.89 * green, blue])

    assert np.abs(seen(LOSS) - seen(GAIN)).max() > 0.4


def test_one_outlier_does_not_set_the_scale():
    assert extent([1.0] * 40 + [100.0]) == 1.0
    assert extent([]) == 1.0 and extent([0.0]) > 0
