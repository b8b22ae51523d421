"""Q4: whether intermediate training changes the latency of inference, judged from measured blocks."""

from dataclasses import dataclass

import numpy as np

from stilts_core.errors import StudyError
from stilts_core.studies.findings import Finding, judge_effects
from stilts_core.studies.inference import Effect, compare_equivalence, compare_means, describe_p
from stilts_core.studies.protocol import Contrast, LatencyPlan, Protocol
from stilts_core.studies.registration import Standing
from stilts_core.studies.results import StudyTable

CONDITION = ["factor:batch", "factor:length"]
PRIMARY, ALPHA = "processor_seconds", 0.05


@dataclass(frozen=True)
class LatencyGate:
    """Whether the measurement can be trusted, in percent of processor time.

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
    effects = [_evaluate(contrast, percent_differences(table, contrast)) for contrast in contrasts]
    return judge_effects(contrasts, effects, [None] * len(contrasts), standing, unit="block", unit_of_value="%")


def check_gate(table: StudyTable, protocol: Protocol) -> LatencyGate:
    """Return the checks that come before any finding. Raises StudyError if one of their arms was not measured."""
    plan, control = _plan(protocol), protocol.primary.control
    base = protocol.primary.model_copy(update={"metric": PRIMARY, "control": control, "levels": {}})
    again = percent_differences(table, base.model_copy(update={"treatment": plan.again}))
    positive = percent_differences(table, base.model_copy(update={"treatment": plan.positive_control}))
    return LatencyGate(
        compare_equivalence(again, np.zeros_like(again), plan.margin, ALPHA),
        compare_means(positive, "greater"),
        plan.margin,
    )


def percent_differences(table: StudyTable, contrast: Contrast) -> np.ndarray:
    """Return the difference of every block in percent, (blocks,): 100 log(treatment / control), over all conditions.

    Raises StudyError if an arm was not measured, or not in every block.
    """
    frame = table.frame[table.frame["metric"] == contrast.metric]
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


def _plan(protocol: Protocol) -> LatencyPlan:
    if protocol.latency is None:
        raise StudyError(f"protocol {protocol.name} has no table [latency]; add it")
    return protocol.latency
