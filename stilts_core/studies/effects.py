"""The effects of a study as arrays: encoders × intermediate tasks × languages, for one target."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stilts_core.errors import StudyError
from stilts_core.studies.differences import pair_runs
from stilts_core.studies.groups import in_group
from stilts_core.studies.inference import Effect, adjust, compare_means
from stilts_core.studies.protocol import FEWEST_ENCODERS, Contrast
from stilts_core.studies.results import StudyTable
from stilts_core.studies.variance import halve


@dataclass(frozen=True)
class EffectMap:
    """Differences to one control on one target.

    `values` is (encoders, tasks, languages), in points; `arms` names the tasks and `codes` the languages. `items` has
    the same by halves of the test items, (2, encoders, tasks, languages), or is None where items were not recorded.
    """

    target: str
    encoders: list[str]
    arms: list[str]
    codes: list[str]
    values: np.ndarray
    items: np.ndarray | None

    def columns(self, group: str) -> np.ndarray:
        """The places of a group's languages. Raises StudyError if there are none."""
        places = [place for place, code in enumerate(self.codes) if in_group(code, group)]
        if not places:
            raise StudyError(f"no language of the group {group!r} was scored on {self.target}; scored: {self.codes}")
        return np.array(places)


def map_effects(
    table: StudyTable, target: str, arms: Sequence[str], control: str, *, group: str = "non-english", seed: int = 0
) -> EffectMap:
    """Return the effects of arms on a target for the encoders and languages that all of them have.

    Seeds and levels of factors are averaged within an encoder. `seed` decides which test items are in which half.
    Raises StudyError if fewer than FEWEST_ENCODERS encoders have all arms.
    """
    pairs = [pair_runs(table, _contrast(arm, control, target)) for arm in arms]
    encoders = sorted(set.intersection(*({str(name) for name in of.encoders} for of in pairs)))
    codes = [code for code in pairs[0].codes if in_group(code, group) and all(code in of.codes for of in pairs)]
    if len(encoders) < FEWEST_ENCODERS:
        raise StudyError(
            f"{len(encoders)} encoders have all of {', '.join([control, *arms])} on {target}; at least "
            f"{FEWEST_ENCODERS} are needed: run the missing ones"
        )
    values = np.empty((len(encoders), len(arms), len(codes)))
    halves = None if any(of.items is None for of in pairs) else np.empty((2, *values.shape))
    for task, of in enumerate(pairs):
        columns = [of.codes.index(code) for code in codes]
        rows = [of.encoders == name for name in encoders]
        values[:, task] = [of.by_language[row][:, columns].mean(axis=0) for row in rows]
        for place, column in enumerate(columns):
            if halves is None or of.items is None:
                continue
            items = of.items[column]
            first = halve(items.shape[1], 1, seed)[0]
            for half, chosen in enumerate((first, ~first)):
                halves[half, :, task, place] = [items[row][:, chosen].mean() for row in rows]
    return EffectMap(target, encoders, list(arms), codes, values, halves)


def effects_by_language(effects: EffectMap) -> list[tuple[str, str, Effect, float]]:
    """Return every (arm, language) with its effect over encoders and its p value after Benjamini and Hochberg."""
    cells = [
        (arm, code, compare_means(effects.values[:, task, place]))
        for task, arm in enumerate(effects.arms)
        for place, code in enumerate(effects.codes)
    ]
    adjusted = adjust([effect.p for _, _, effect in cells], "fdr_bh")
    return [(arm, code, effect, p) for (arm, code, effect), p in zip(cells, adjusted, strict=True)]


def _contrast(arm: str, control: str, target: str) -> Contrast:
    return Contrast(
        name=f"{arm} - {control}", treatment=arm, control=control, target=target, test="difference", sesoi=1.0, sd=1.0
    )
