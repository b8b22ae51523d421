"""What all parts of a record have in common, and the numbers that can be in one.

No table or figure has to ask whether it can show a number, because a record with another one is not read.
"""

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from stilts_core.errors import shown
from stilts_core.families.features import Truncation

LARGEST_COUNT = 2**63 - 1
Count = Annotated[int, Field(ge=0, le=LARGEST_COUNT)]
Amount = Annotated[float, Field(ge=0, le=1e30, allow_inf_nan=False)]  # rates, operations, losses
Seconds = Annotated[float, Field(ge=-1e9, le=1e12, allow_inf_nan=False)]  # below zero if a clock was set back
Score = Annotated[float, Field(ge=-0.001, le=100.001)]  # 0 to 100, up to rounding
Bound = Annotated[float, Field(ge=-1000, le=1000)]  # of an interval, which can end a little outside of 0 to 100


def _check_counts(cut: Truncation) -> Truncation:
    for field, number in vars(cut).items():
        if not 0 <= number <= LARGEST_COUNT:
            raise ValueError(f"{field} is {shown(number)}; it must be from 0 to {LARGEST_COUNT}")
    return cut


Cut = Annotated[Truncation, AfterValidator(_check_counts)]


class RecordPart(BaseModel):
    """A part of a record."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
