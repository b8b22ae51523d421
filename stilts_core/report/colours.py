"""A diverging scale that is read with every kind of colour vision: orange for losses, white, blue for gains."""

from collections.abc import Iterable

LOSS, MIDDLE, GAIN = (230, 126, 34), (255, 255, 255), (67, 147, 195)
TEXT = (17, 17, 17)  # legible on all of the scale


def extent(values: Iterable[float]) -> float:
    """The difference at which the scale ends on both sides: one in twenty lies beyond, so that no outlier rules."""
    sizes = sorted(map(abs, values))
    return max(sizes[int(0.95 * (len(sizes) - 1))], 0.1) if sizes else 1.0


def diverging(value: float, end: float) -> tuple[int, int, int]:
    """The colour of a difference as red, green and blue of 0 to 255; beyond `end` it stays as it is there."""
    share = min(abs(value) / end, 1)
    side = GAIN if value > 0 else LOSS
    return tuple(round(middle + share * (full - middle)) for middle, full in zip(MIDDLE, side, strict=True))


def css(colour: tuple[int, int, int]) -> str:
    """A colour as CSS writes it."""
    return "#" + "".join(f"{part:02x}" for part in colour)


def contrast(one: tuple[int, int, int], other: tuple[int, int, int]) -> float:
    """The contrast ratio of two colours as WCAG 2 defines it: 4.5 is the least for text."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: tuple[int, int, int]) -> float:
    linear = [
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (c / 255 for c in colour)
    ]
    return sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
