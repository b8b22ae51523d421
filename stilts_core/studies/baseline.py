"""How far an arm is trained: its score at every number of target steps."""

from dataclasses import dataclass

import numpy as np

from stilts_core.errors import StudyError
from stilts_core.studies.design import merge_fields
from stilts_core.studies.differences import replicate
from stilts_core.studies.groups import group_mean
from stilts_core.studies.inference import Effect, compare_means
from stilts_core.studies.protocol import Contrast, Protocol
from stilts_core.studies.results import FACTOR, StudyTable


@dataclass(frozen=True)
class StepCurve:
    """The scores of an arm by its numbers of target steps.

    `steps` are ascending, `scores` is (replicates, numbers of steps), and `unit` names a replicate.
    """

    arm: str
    unit: str
    steps: tuple[int, ...]
    scores: np.ndarray

    @property
    def best(self) -> int:
        """The place of the number of steps with the highest mean score."""
        return int(self.scores.mean(axis=0).argmax())

    def compare(self, place: int, other: int) -> Effect:
        """Return the difference of the scores at two places, over replicates."""
        return compare_means(self.scores[:, place] - self.scores[:, other])


def trace_steps(table: StudyTable, protocol: Protocol, contrast: Contrast, arm: str, group: str) -> StepCurve:
    """Return the scores of an arm in a group of languages, on the target and at the levels of a contrast.

    A replicate that lacks a number of steps is left out. Raises StudyError if none remains.
    """
    frame = table.frame
    chosen = (frame["arm"] == arm) & (frame["target"] == contrast.target) & (frame["metric"] == contrast.metric)
    for factor, levels in contrast.levels.items():
        chosen &= frame[FACTOR + factor].isin(levels)
    frame = frame[chosen & (frame["excluded"] == "")]
    factors = [FACTOR + name for name in protocol.factors]
    steps = {
        names: merge_fields(
            protocol, arm, protocol.arms[arm], dict(zip(protocol.factors, names, strict=True)), contrast.target
        )["target_steps"]
        for names in set(frame[factors].itertuples(index=False, name=None))
    }
    unit = replicate(frame["encoder"])
    frame = frame.assign(steps=[steps[names] for names in frame[factors].itertuples(index=False, name=None)])
    wide = frame.pivot_table(index=[unit, "steps"], columns="language", values="score").dropna(axis="columns")
    if wide.empty:
        raise StudyError(f"study {protocol.name}: there are no results of {arm} on {contrast.target}")
    means = group_mean(wide.to_numpy(), [str(code) for code in wide.columns], group)
    by_steps = wide.assign(mean=means)["mean"].unstack("steps").dropna()
    if by_steps.empty:
        raise StudyError(f"study {protocol.name}: no {unit} has {arm} at every number of target steps")
    return StepCurve(arm, unit, tuple(int(number) for number in by_steps.columns), by_steps.to_numpy())
