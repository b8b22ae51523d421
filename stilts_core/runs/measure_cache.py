"""Measures of a pretrained encoder in the cache: the runs of a grid take them once."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import ValidationError

from stilts_core.runs.record_part import RecordPart
from stilts_core.storage.cache import cache_folder, read_entry, report_damage, write_entry
from stilts_core.training import distributed

Measure = TypeVar("Measure", bound=RecordPart)


def cached_measure(room: str, key: str, kind: type[Measure], measure: Callable[[], Measure]) -> Measure:
    """Return the measure of this `key` from the cache folder `room`; taken and stored if it is not there.

    `key` must have all that decides the measure. A damaged entry is reported and replaced. Of several processes that
    share a run all measure, or none.
    """
    path = cache_folder() / room / f"{key}.json"
    found = None
    if (entry := read_entry(path)) is not None:
        try:
            found = kind.model_validate(entry)
        except ValidationError:
            report_damage(path, "it holds other values")
    if distributed.sum_numbers(found is None) or found is None:
        found = measure()
        if distributed.rank() == 0:
            write_entry(path, found.model_dump())
    return found
