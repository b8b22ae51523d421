"""Paired differences: treatment minus control on the same encoder, seed and level of every factor."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from stilts_core.errors import StudyError
from stilts_core.studies.groups import group_mean, in_group, transfer_gap
from stilts_core.studies.protocol import Contrast, Protocol
from stilts_core.studies.results import FACTOR, StudyTable, unpack_items

if TYPE_CHECKING:
    import pandas as pd

FEWEST_ENCODERS = 3  # with fewer, the spread between encoders cannot be estimated
FEWEST_PAIRS = 3


@dataclass(frozen=True)
class Pairs:
    """The pairs of a contrast.

    `encoders`, `seeds` and `levels` name every pair, (pairs,); a level is a tuple of names, in the order of `factors`.
    `treatment` and `control` have the scores by language, (pairs, languages), and `codes` names the languages. `items`
    is treatment minus control item by item, a list over languages of arrays (pairs, items) in points; it is None where
    items were not recorded. `dropped` counts pairs that an exclusion rule removed.
    """

    contrast: Contrast
    factors: tuple[str, ...]
    encoders: np.ndarray
    seeds: np.ndarray
    levels: list[tuple[str, ...]]
    codes: list[str]
    treatment: np.ndarray
    control: np.ndarray
    items: list[np.ndarray] | None
    dropped: int

    def __len__(self) -> int:
        return len(self.encoders)

    @property
    def by_language(self) -> np.ndarray:
        """The differences of scores, (pairs, languages)."""
        return self.treatment - self.control

    @cached_property
    def endpoint(self) -> np.ndarray:
        """The differences of the contrast's endpoint, (pairs,)."""
        measure = transfer_gap if self.contrast.endpoint == "transfer-gap" else group_mean
        group = self.contrast.group
        return measure(self.treatment, self.codes, group) - measure(self.control, self.codes, group)

    @property
    def unit(self) -> str:
        """The replicate over which the test generalises: encoders, or seeds where there are too few encoders."""
        return "encoder" if len(set(self.encoders)) >= FEWEST_ENCODERS else "seed"

    def by_unit(self, values: np.ndarray | None = None) -> np.ndarray:
        """Mean values (default: the endpoint) of every replicate, (units, ...), ordered by the replicate's name."""
        values = self.endpoint if values is None else values
        units = self.encoders if self.unit == "encoder" else self.seeds
        return np.stack([values[units == name].mean(axis=0) for name in sorted(set(units))])

    def array(self) -> np.ndarray:
        """The differences by (encoder, replicate within the encoder, language of the group); NaN where there is none.

        A replicate is a seed at one level of every factor.
        """
        columns = [index for index, code in enumerate(self.codes) if in_group(code, self.contrast.group)]
        return _by_encoder(self.encoders, self.by_language[:, columns])

    def item_arrays(self) -> list[np.ndarray] | None:
        """The differences of items by language of the group: arrays (encoder, replicate, item)."""
        if self.items is None:
            return None
        chosen = [
            item for code, item in zip(self.codes, self.items, strict=True) if in_group(code, self.contrast.group)
        ]
        return [_by_encoder(self.encoders, values) for values in chosen]


def require_arms(table: StudyTable, protocol: Protocol, contrasts: Sequence[Contrast]) -> None:
    """Raise StudyError unless every arm of the contrasts has results on the contrast's target."""
    frame = table.frame
    present = set(zip(frame["arm"], frame["target"], strict=True))
    needed = {(arm, contrast.target) for contrast in contrasts for arm in (contrast.treatment, contrast.control)}
    if missing := sorted(pair for pair in needed - present if pair[0] in protocol.arms):
        names = ", ".join(f"{arm} on {target}" for arm, target in missing)
        raise StudyError(
            f"study {protocol.name}: there are no results of {names}; run `stilts study {protocol.name}` first"
        )


def pair_runs(table: StudyTable, contrast: Contrast) -> Pairs:
    """Return the pairs of a contrast: runs of both arms with the same encoder, seed and levels.

    A pair counts if neither run is excluded. All pairs have the same languages: those that every run scored. Raises
    StudyError if fewer than FEWEST_PAIRS pairs remain.
    """
    factors = table.factors
    frame = table.frame
    chosen = frame["target"] == contrast.target
    for factor, levels in contrast.levels.items():
        chosen &= frame[FACTOR + factor].isin(levels)
    frame = frame[chosen]
    keys = ["encoder", "seed", *(FACTOR + factor for factor in factors)]
    metrics = {contrast.treatment: contrast.metric, contrast.control: contrast.control_metric or contrast.metric}
    sides = [frame[(frame["arm"] == arm) & (frame["metric"] == metric)] for arm, metric in metrics.items()]
    wide = [_score_matrix(side[side["excluded"] == ""], keys) for side in sides]
    common = wide[0].index.intersection(wide[1].index).sort_values()
    every = _score_matrix(sides[0], keys).index.intersection(_score_matrix(sides[1], keys).index)
    if len(common) < FEWEST_PAIRS:
        raise StudyError(
            f"contrast {contrast.name!r} on {contrast.target} has {len(common)} pairs of {contrast.treatment} and "
            f"{contrast.control} with metric {contrast.metric!r} ({len(every) - len(common)} excluded); at least "
            f"{FEWEST_PAIRS} are needed: run more encoders or seeds"
        )
    scores = [side.loc[common] for side in wide]
    complete = scores[0].notna().all() & scores[1].reindex(columns=scores[0].columns).notna().all()
    codes = [str(code) for code in scores[0].columns[complete]]
    names = common.to_frame(index=False)
    return Pairs(
        contrast=contrast,
        factors=tuple(factors),
        encoders=names["encoder"].to_numpy(str),
        seeds=names["seed"].to_numpy(int),
        levels=list(names[keys[2:]].itertuples(index=False, name=None)),
        codes=codes,
        treatment=scores[0][codes].to_numpy(float),
        control=scores[1][codes].to_numpy(float),
        items=_item_differences(sides, keys, common, codes),
        dropped=len(every) - len(common),
    )


def _score_matrix(side: "pd.DataFrame", keys: list[str]) -> "pd.DataFrame":
    """Scores by run (rows, named by `keys`) and language (columns)."""
    return side.set_index([*keys, "language"])["score"].unstack("language")


def _item_differences(
    sides: "list[pd.DataFrame]", keys: list[str], common: "pd.MultiIndex", codes: list[str]
) -> list[np.ndarray] | None:
    """Differences of items in points, a list over languages of (pairs, items); None if any run lacks them."""
    if any(side["items"].isna().any() for side in sides) or not codes:
        return None
    packed = [side.set_index([*keys, "language"])[["items", "n"]] for side in sides]
    differences = []
    for code in codes:
        values = []
        for table in packed:
            of_language = table.xs(code, level="language").loc[common]
            if of_language["n"].nunique() > 1:
                return None
            values.append([unpack_items(bits, n) for bits, n in of_language.itertuples(index=False)])
        try:
            differences.append(100.0 * (np.array(values[0], float) - np.array(values[1], float)))
        except ValueError:  # the two arms scored different numbers of items
            return None
    return differences


def _by_encoder(encoders: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values (pairs, ...) by (encoder, replicate, ...), filled up with NaN."""
    groups = [values[encoders == name] for name in sorted(set(encoders))]
    filled = np.full((len(groups), max(map(len, groups)), *values.shape[1:]), np.nan)
    for row, group in zip(filled, groups, strict=True):
        row[: len(group)] = group
    return filled
