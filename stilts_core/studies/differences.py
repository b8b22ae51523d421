"""Paired differences: treatment minus control on the same encoder, seed and level of every factor."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from stilts_core.errors import StudyError
from stilts_core.studies.groups import group_mean, in_group, transfer_gap
from stilts_core.studies.protocol import Contrast, Protocol, replicate
from stilts_core.studies.results import FACTOR, StudyTable, unpack_items

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
        return replicate(self.encoders)

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


class TooFewPairs(StudyError):
    """A contrast cannot be tested; `excluded` counts the pairs that the protocol's rules removed."""

    def __init__(self, excluded: int, message: str) -> None:
        super().__init__(message)
        self.excluded = excluded


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
    TooFewPairs if fewer than FEWEST_PAIRS pairs remain.
    """
    frame = table.frame
    chosen = (frame["target"] == contrast.target).to_numpy()
    for factor, levels in contrast.levels.items():
        chosen = chosen & frame[FACTOR + factor].isin(levels).to_numpy()
    metrics = {contrast.treatment: contrast.metric, contrast.control: contrast.control_metric or contrast.metric}
    treatment, control = (
        _runs_by_key(table, chosen & ((frame["arm"] == arm) & (frame["metric"] == metric)).to_numpy())
        for arm, metric in metrics.items()
    )
    every = sorted(treatment.keys() & control.keys())
    common = [key for key in every if not (treatment[key].excluded or control[key].excluded)]
    if len(common) < FEWEST_PAIRS:
        raise TooFewPairs(
            len(every) - len(common),
            f"contrast {contrast.name!r} on {contrast.target} has {len(common)} pairs of {contrast.treatment} and "
            f"{contrast.control} with metric {contrast.metric!r} ({len(every) - len(common)} excluded); at least "
            f"{FEWEST_PAIRS} are needed: run more encoders or seeds",
        )
    sides = [[side[key] for key in common] for side in (treatment, control)]
    codes = sorted(set.intersection(*(set(run.scores) for side in sides for run in side)))
    scores = [np.array([[run.scores[code] for code in codes] for run in side], float) for side in sides]
    return Pairs(
        contrast=contrast,
        factors=tuple(table.factors),
        encoders=np.array([key[0] for key in common]),
        seeds=np.array([key[1] for key in common]),
        levels=[key[2:] for key in common],
        codes=codes,
        treatment=scores[0],
        control=scores[1],
        items=_item_differences(sides[0], sides[1], codes),
        dropped=len(every) - len(common),
    )


@dataclass
class _Run:
    """The scores and the packed items of one run by language."""

    excluded: bool
    scores: dict[str, float] = field(default_factory=dict)
    items: dict[str, tuple[bytes | None, int]] = field(default_factory=dict)


def _runs_by_key(table: StudyTable, chosen: np.ndarray) -> dict[tuple, _Run]:
    """The runs in the chosen rows by encoder, seed and levels."""
    names = [
        "language",
        "score",
        "items",
        "n",
        "excluded",
        "encoder",
        "seed",
        *(FACTOR + name for name in table.factors),
    ]
    runs: dict[tuple, _Run] = {}
    columns = [table.frame[name].to_numpy()[chosen].tolist() for name in names]
    for language, score, items, n, excluded, *key in zip(*columns, strict=True):
        run = runs.setdefault(tuple(key), _Run(bool(excluded)))
        run.scores[language] = score
        run.items[language] = (items, n)
    return runs


def _item_differences(treatment: list[_Run], control: list[_Run], codes: list[str]) -> list[np.ndarray] | None:
    """Differences of items in points, a list over languages of (pairs, items); None unless all runs scored the same."""
    differences = []
    for code in codes:
        packed = [[run.items[code] for run in side] for side in (treatment, control)]
        counts = {n for side in packed for _, n in side}
        if len(counts) > 1 or any(items is None for side in packed for items, _ in side):
            return None
        correct = [np.array([unpack_items(items, n) for items, n in side if items], float) for side in packed]
        differences.append(100 * (correct[0] - correct[1]))
    return differences


def _by_encoder(encoders: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Values (pairs, ...) by (encoder, replicate, ...), filled up with NaN."""
    groups = [values[encoders == name] for name in sorted(set(encoders))]
    filled = np.full((len(groups), max(map(len, groups)), *values.shape[1:]), np.nan)
    for row, group in zip(filled, groups, strict=True):
        row[: len(group)] = group
    return filled
