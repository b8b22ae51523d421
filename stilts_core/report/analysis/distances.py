"""The two factors of transfer for each language: its distance to English, and the size of its pretraining text.

Both are measured differently for generated and for real languages, so most functions take the source of the data:
`LABORATORY` or `PUBLISHERS` of `stilts_core.config`.
"""

from collections.abc import Iterable
from math import log10

from stilts_core.config import LABORATORY
from stilts_core.laboratory.language.design import LANGUAGES
from stilts_core.laboratory.languages import get_language


def sort_by_distance(codes: Iterable[str]) -> list[str]:
    """Sort language codes by distance to English: English first, then the nearest; ties by code."""
    return sorted(codes, key=lambda code: (code != "en", distance_to_english(code), code))


def distance_to_english(code: str) -> float:
    """The syntactic distance of a language to English, in [0, 1]."""
    return get_language(code).syntax_distance_en


def describe_distance(source: str) -> str:
    """A noun phrase that defines the distance."""
    if source == LABORATORY:
        return "the share of the grammar's parameters that differ"
    return "the cosine distance between URIEL's syntax features"


def pretraining_size(code: str, source: str) -> float:
    """The size of a language's pretraining text: texts in the laboratory, else MiB of CC-100; 0 for an unseen one."""
    return LANGUAGES[code].texts if source == LABORATORY else 1024 * get_language(code).cc100_gib


def format_size(code: str, source: str) -> str:
    """The pretraining size as tables print it, in the unit of `size_unit`."""
    if source == LABORATORY:
        return f"{pretraining_size(code, source):,.0f}"
    return f"{get_language(code).cc100_gib:g}"


def size_unit(source: str) -> str:
    """The unit in which tables print the pretraining size."""
    return "texts" if source == LABORATORY else "GiB of CC-100"


def log_size(code: str, source: str) -> float:
    """The pretraining size as models use it: log10(1 + size), which is 0 for a language without text."""
    return log10(1 + pretraining_size(code, source))
