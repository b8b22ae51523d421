"""A diverging colour scale for differences, legible for every kind of colour vision: orange, white, blue."""

from collections.abc import Iterable

Colour = tuple[int, int, int]  # red, green and blue, each from 0 to 255

LOSS: Colour = (230, 126, 34)
MIDDLE: Colour = (255, 255, 255)
GAIN: Colour = (67, 147, 195)
TEXT: Colour = (17, 17, 17)  # legible on every colour of the scale

LIMIT_QUANTILE = 0.95  # of the differences lie inside the scale, so that an outlier does not make all others pale
MIN_LIMIT = 0.1  # points: smaller differences are printed as zero or nearly so, and should not look large


def colour_limit(differences: Iterable[float]) -> float:
    """The size of a difference at which the scale ends on both sides."""
    sizes = sorted(map(abs, differences))
    return max(sizes[int(LIMIT_QUANTILE * (len(sizes) - 1))], MIN_LIMIT) if sizes else 1.0


def difference_colour(difference: float, limit: float) -> Colour:
    """The colour of a difference. Differences beyond ± `limit` have the colours of the ends."""
    strength = min(abs(difference) / limit, 1)
    end = GAIN if difference > 0 else LOSS
    red, green, blue = (round(middle + strength * (full - middle)) for middle, full in zip(MIDDLE, end, strict=True))
    return red, green, blue


def to_css(colour: Colour) -> str:
    """Write a colour in CSS: `#rrggbb`."""
    return "#" + "".join(f"{channel:02x}" for channel in colour)
