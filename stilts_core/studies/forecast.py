"""What a study will cost, before it runs: core-seconds by phase, with shared phases counted once."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stilts_core.config import ResolvedConfig, RunConfig
from stilts_core.studies.design import Design
from stilts_core.studies.protocol import LatencyPlan, Protocol
from stilts_core.tasks.catalogue import get_task


@dataclass(frozen=True)
class Forecast:
    """The size of a study: runs, shared intermediate phases, and core-hours (`measuring`: of latency)."""

    runs: int
    phases: int
    core_hours: float
    measuring: float = 0.0


def forecast(protocol: Protocol, design: Design) -> Forecast:
    """Return the forecast of a study from the costs that its protocol states.

    A run with `mixed` trains its target with the intermediate task, so its phase is not shared with other targets.
    """
    costs = protocol.costs
    arm_costs = {cell.identity: protocol.arms[cell.arm].cost for cell in reversed(design.cells)}
    phases: dict[str, float] = {}
    seconds = 0.0
    for identity, config in design.runs.items():
        seconds += costs.run + costs.target_step * _target_steps(config)
        for name, steps in _intermediate_phases(config):
            cost = arm_costs[identity] * costs.intermediate_step * steps
            phases[name] = min(cost, phases.get(name, cost))
    measuring = measuring_seconds(protocol.latency, len(protocol.arms)) if protocol.latency else 0.0
    total = seconds + sum(phases.values()) + measuring
    return Forecast(len(design.runs), len(phases), total / 3600, measuring / 3600)


def measuring_seconds(plan: LatencyPlan, arms: int) -> float:
    """Return the core-seconds of measuring latency; every block has all arms, the control again and a positive one."""
    processes = plan.blocks * (arms + 2) * len(plan.batch_sizes) * len(plan.lengths)
    return processes * (plan.start + plan.seconds) * plan.threads


def _intermediate_phases(config: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """The name and the steps of every intermediate phase of a run; phases of one name are done once."""
    resolved = RunConfig.from_dict(dict(config)).resolved()
    for phase in resolved.shared_phases:
        yield phase.checkpoint_id(), _last_steps(phase)
    if resolved.mixed:
        yield resolved.run_id(), _last_steps(resolved)


def _last_steps(config: ResolvedConfig) -> int:
    return config.phase_recipe("intermediate", config.last_tasks).steps or 0


def _target_steps(config: Mapping[str, Any]) -> int:
    return config.get("target_steps", 0) if get_task(config["target"]).trained_on else 0
