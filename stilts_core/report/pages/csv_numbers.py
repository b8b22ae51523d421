"""Numbers of the book's CSV files: each measurement takes three columns, its value and its 95 % interval."""

from collections.abc import Iterable

from stilts_core.report.analysis.measurement import Measurement

BOUNDS = ("", "_low", "_high")


def name_columns(names: Iterable[str]) -> list[str]:
    """The three columns of each measurement."""
    return [f"{name}{bound}" for name in names for bound in BOUNDS]


def format_columns(value: Measurement | None) -> list[str]:
    """The three columns of one measurement; empty for None."""
    return [f"{number:.4f}" for number in (value.value, *value.interval)] if value else [""] * len(BOUNDS)
