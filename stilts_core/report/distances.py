"""Where a language stands: its distance to English and the size of its pretraining text, in each profile's measures."""

from collections.abc import Iterable
from math import log10

from stilts_core.languages import language

LABORATORY = "lab"  # the profile whose languages are generated


def by_distance(codes: Iterable[str]) -> list[str]:
    """The languages, nearest to English first, and of equally near ones in the order of their codes."""
    return sorted(codes, key=lambda code: (code != "en", language(code).syntax_distance_en, code))


def distance(code: str) -> float:
    """The distance to English in syntax, in [0, 1]."""
    return language(code).syntax_distance_en


def distance_meant(profile: str) -> str:
    """What the distance is."""
    if profile == LABORATORY:
        return "the share of the grammar's parameters that differ"
    return "in syntax (URIEL)"


def size(code: str, profile: str) -> float:
    """The size of the pretraining text: sentences in the laboratory, elsewhere MiB of CC-100 (0: never seen)."""
    if profile != LABORATORY:
        return 1024 * language(code).cc100_gib
    from stilts_core.sources.lab.languages import LANGUAGES

    return LANGUAGES[code].texts


def size_said(code: str, profile: str) -> str:
    """That size as a table prints it."""
    if profile == LABORATORY:
        return f"{size(code, profile):,.0f}"
    return f"{language(code).cc100_gib:g}"


def size_unit(profile: str) -> str:
    """What the size counts."""
    return "texts" if profile == LABORATORY else "GiB of CC-100"


def magnitude(code: str, profile: str) -> float:
    """The size as models take it: log10 of one more, so that a language without text has a place, at zero."""
    return log10(1 + size(code, profile))
