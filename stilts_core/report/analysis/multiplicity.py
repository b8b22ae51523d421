"""Which of the many differences on a page are clear: those that stay after Holm's correction over all of them."""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Generic, TypeVar

from stilts_core.report.analysis.measurement import Measurement
from stilts_core.studies.inference import adjust

LEVEL = 0.05  # the share of pages without any effect that may show a clear difference

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class CorrectedFamily(Generic[Key]):
    """The differences that a page shows and that were tested together, with their p values after Holm's correction.

    `untested` counts the differences without a p value, such as those of a single seed; they are never clear.
    """

    adjusted: Mapping[Key, float]
    untested: int = 0

    @property
    def size(self) -> int:
        """The number of differences that were tested."""
        return len(self.adjusted)

    def is_clear(self, key: Key) -> bool:
        """Whether a difference stays after the correction."""
        return self.adjusted.get(key, 1.0) <= LEVEL


def correct(differences: Mapping[Key, Measurement]) -> CorrectedFamily[Key]:
    """Correct the p values of a page's differences together."""
    p_values = {key: value.p for key, value in differences.items() if value.p is not None}
    return CorrectedFamily(
        dict(zip(p_values, adjust(list(p_values.values())), strict=True)), len(differences) - len(p_values)
    )
