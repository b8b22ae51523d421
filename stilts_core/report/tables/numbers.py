"""Numbers in tables and sentences: minus signs as wide as plus signs, intervals as [low, high]."""

import re

NO_BREAK = "\u00a0"
_MINUS = re.compile(r"(?<!\w)-(?=\d)")


def with_minus_signs(text: str) -> str:
    """Replace the hyphens before numbers by minus signs."""
    return _MINUS.sub("−", text)


def signed(value: float, digits: int = 2) -> str:
    """A difference with its sign; what rounds to zero has none."""
    text = f"{value:+.{digits}f}"
    return with_minus_signs(text) if float(text) else f"{0:.{digits}f}"


def interval(low: float, high: float, digits: int = 2) -> str:
    """The bounds of an interval of a difference; no line breaks between them."""
    return _between(signed(low, digits), signed(high, digits))


def score_interval(low: float, high: float) -> str:
    """The bounds of an interval of a score, as `interval` writes those of a difference."""
    return _between(f"{low:.1f}", f"{high:.1f}")


def half_width(low: float, high: float) -> str:
    """Half the width of an interval."""
    return f"{(high - low) / 2:.1f}"


def _between(low: str, high: str) -> str:
    return f"[{low},{NO_BREAK}{high}]"
