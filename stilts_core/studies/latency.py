"""Q4: whether intermediate training changes the latency of inference, judged from measured blocks.

Times are compared by their ratio. Tests, margins and standard deviations are on the scale of 100 log(ratio), as
registered; values and intervals are shown in percent of the control's time, 100 (ratio - 1).
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from stilts_core.errors import StudyError
from stilts_core.studies.findings import Finding, Verdict, decide, judge_effects
from stilts_core.studies.inference import Effect, compare_equivalence, compare_means, describe_p
from stilts_core.studies.protocol import Contrast, LatencyPlan, Protocol
from stilts_core.studies.registration import Standing
from stilts_core.studies.results import StudyTable

CONDITION = ["factor:batch", "factor:length"]
PRIMARY, ALPHA = "processor_seconds", 0.05
SCALE = (
    "Values are percent of the control's time. The logarithm of the ratio of both times is averaged over conditions "
    "and blocks; the mean and both ends of its interval are transformed back to percent. The test, its margin, SD and "
    "the detectable margin are on the scale of 100 times the logarithm, where +2 is +2.02 % and −2 is −1.98 %."
)

Estimate = TypeVar("Estimate", Effect, Finding)


@dataclass(frozen=True)
class LatencyGate:
    """Whether the measurement can be trusted, in percent of processor time (see `to_percent`).

    `again`: the control against itself must be equivalent within the margin (A/A). `positive`: one layer more must
    be detected.
    """

    again: Effect
    positive: Effect
    margin: float

    @property
    def passed(self) -> bool:
        """Whether both checks passed."""
        return self.again.p < ALPHA and self.positive.p < ALPHA


@dataclass(frozen=True)
class BatchComparison:
    """The primary contrast in percent, and the gate, at one batch size alone; neither is corrected.

    `verdict` is that of the contrast. It is "cannot tell" where the gate does not pass.
    """

    batch: int
    effect: Effect
    gate: LatencyGate
    verdict: Verdict


@dataclass(frozen=True)
class LatencySummary:
    """Means over blocks of one arm in one condition: quantiles of a pass in ms, inputs and sub-words a second."""

    arm: str
    batch: int
    length: int
    p50_ms: float
    p90_ms: float
    p99_ms: float
    inputs_per_second: float
    subwords_per_second: float


def analyse(table: StudyTable, protocol: Protocol, standing: Standing | None = None) -> list[Finding]:
    """Return the findings of the study, the primary one first; differences are in percent.

    Raises StudyError if an arm was not measured, or if the gate did not pass: a measurement that finds a difference
    between the control and itself, or none for one layer more, shows nothing.
    """
    gate = check_gate(table, protocol)
    if not gate.passed:
        raise StudyError(
            f"the measurement cannot be trusted: the control against itself differs by {gate.again.value:+z.2f} % "
            f"[{gate.again.low:+z.2f}, {gate.again.high:+z.2f}] (margin {gate.margin:g} %), and one layer more takes "
            f"{gate.positive.value:+z.2f} % ({describe_p(gate.positive.p)}); "
            "measure on an idle machine, or in more blocks"
        )
    contrasts = protocol.contrasts
    effects = [_evaluate(contrast, log_differences(table, contrast)) for contrast in contrasts]
    notes = (SCALE, _describe_blocks(table))
    return [replace(finding, notes=notes) for finding in judge_times(contrasts, effects, standing)]


def judge_times(
    contrasts: Sequence[Contrast], effects: Sequence[Effect], standing: Standing | None = None
) -> list[Finding]:
    """Return findings in percent from effects of `log_differences`, on whose scale they are judged."""
    every = [None] * len(contrasts)
    return [*map(to_percent, judge_effects(contrasts, effects, every, standing, unit="block", unit_of_value="%"))]


def check_gate(table: StudyTable, protocol: Protocol, batch: int | None = None) -> LatencyGate:
    """Return the checks that come before any finding, over all batch sizes or at one.

    Raises StudyError if one of their arms was not measured.
    """
    plan, control = _plan(protocol), protocol.primary.control
    base = protocol.primary.model_copy(update={"metric": PRIMARY, "control": control, "levels": {}})
    again = log_differences(table, base.model_copy(update={"treatment": plan.again}), batch)
    positive = log_differences(table, base.model_copy(update={"treatment": plan.positive_control}), batch)
    return LatencyGate(
        to_percent(compare_equivalence(again, np.zeros_like(again), plan.margin, ALPHA)),
        to_percent(compare_means(positive, "greater")),
        plan.margin,
    )


def compare_batches(table: StudyTable, protocol: Protocol) -> list[BatchComparison]:
    """Return the primary contrast and the gate at every measured batch size alone, the smallest first.

    The registered contrast and gate average over batch sizes, so this is exploratory.
    """
    contrast, found = protocol.primary, []
    for batch in sorted(map(int, table.frame["factor:batch"].unique())):
        effect, gate = _evaluate(contrast, log_differences(table, contrast, batch)), check_gate(table, protocol, batch)
        verdict = decide(contrast, effect, effect.p) if gate.passed else "cannot tell"
        found.append(BatchComparison(batch, to_percent(effect), gate, verdict))
    return found


def log_differences(table: StudyTable, contrast: Contrast, batch: int | None = None) -> np.ndarray:
    """Return the difference of every block, (blocks,): the mean of 100 log(treatment / control) over its conditions.

    With `batch` only conditions of this batch size count. Raises StudyError if an arm was not measured, or not in every
    block.
    """
    frame = table.frame[table.frame["metric"] == contrast.metric]
    if batch is not None:
        frame = frame[frame["factor:batch"] == str(batch)]
    values = []
    for arm in (contrast.treatment, contrast.control):
        rows = frame[frame["arm"] == arm]
        if rows.empty:
            raise StudyError(f"there are no measurements of {arm!r} with metric {contrast.metric!r}; measure this arm")
        wide = rows.set_index(["seed", "factor:batch", "factor:length"])["score"].unstack(
            ["factor:batch", "factor:length"]
        )
        values.append(np.log(wide.sort_index(axis=0).sort_index(axis=1)))
    if not values[0].index.equals(values[1].index) or any(value.isna().any(axis=None) for value in values):
        raise StudyError(f"{contrast.treatment} and {contrast.control} have different blocks: measure complete blocks")
    return 100 * (values[0] - values[1]).mean(axis=1).to_numpy(float)


def to_percent(estimate: Estimate) -> Estimate:
    """Return an estimate of `log_differences` with its value and its interval in percent: 100 (exp(x / 100) - 1).

    Its p value and its standard deviation stay those of the logarithms.
    """
    value, low, high = (100 * float(np.expm1(bound / 100)) for bound in (estimate.value, estimate.low, estimate.high))
    return replace(estimate, value=value, low=low, high=high)


def summarise(table: StudyTable) -> list[LatencySummary]:
    """Return quantiles and rates of every arm in every condition."""
    names = list(LatencySummary.__annotations__)[3:]
    frame = table.frame[table.frame["metric"].isin(names)]
    means = frame.groupby(["arm", *CONDITION, "metric"])["score"].mean().unstack("metric")
    rows = [
        LatencySummary(arm, int(batch), int(length), **{name: float(row[name]) for name in names})
        for (arm, batch, length), row in means.iterrows()
    ]
    return sorted(rows, key=lambda row: (row.batch, row.length, row.arm))


def _evaluate(contrast: Contrast, differences: np.ndarray) -> Effect:
    if contrast.test == "equivalence":
        return compare_equivalence(differences, np.zeros_like(differences), contrast.sesoi, contrast.alpha)
    return compare_means(differences, contrast.direction, contrast.alpha)


def _describe_blocks(table: StudyTable) -> str:
    """Of how many trained checkpoints the blocks are repetitions, as a sentence."""
    encoders, blocks = table.frame["encoder"].nunique(), table.frame["seed"].nunique()
    checkpoints = "one trained checkpoint" if encoders == 1 else f"{encoders} trained checkpoints"
    return (
        f"The {blocks} blocks repeat the measurement of {checkpoints} of each arm. So intervals hold for these "
        "weights, and say nothing about other weights, such as those of another seed."
    )


def _plan(protocol: Protocol) -> LatencyPlan:
    if protocol.latency is None:
        raise StudyError(f"protocol {protocol.name} has no table [latency]; add it")
    return protocol.latency
