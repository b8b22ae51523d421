"""What a study will cost, before it runs: core-seconds by phase, with shared phases counted once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stilts_core.parameters import LINK
from stilts_core.studies.design import Design
from stilts_core.studies.fields import identify
from stilts_core.studies.protocol import LatencyPlan, Protocol
from stilts_core.tasks.catalogue import get_task

# Fields of the target phase and of the evaluation: runs that differ only in them share the intermediate checkpoint.
_AFTER = (
    "target",
    "target_steps",
    "target_epochs",
    "target_lr",
    "target_examples",
    "test_examples",
    "languages",
    "layer",
)


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
    phases: dict[tuple, float] = {}
    seconds = 0.0
    for config in design.configs:
        identity = identify(config)
        seconds += costs.run + costs.target_step * _target_steps(config)
        if config.get("intermediate", "none") != "none":
            shared = identity if config.get("mixed") else identify(_before(config))
            phases[shared] = arm_costs[identity] * costs.intermediate_step * _intermediate_steps(config)
    measuring = measuring_seconds(protocol.latency, len(protocol.arms)) if protocol.latency else 0.0
    total = seconds + sum(phases.values()) + measuring
    return Forecast(len(design.configs), len(phases), total / 3600, measuring / 3600)


def measuring_seconds(plan: LatencyPlan, arms: int) -> float:
    """Return the core-seconds of measuring latency; every block has all arms, the control again and a positive one."""
    processes = plan.blocks * (arms + 2) * len(plan.batch_sizes) * len(plan.lengths)
    return processes * (plan.start + plan.seconds) * plan.threads


def _intermediate_steps(config: Mapping[str, Any]) -> int:
    """The steps of all intermediate phases of a run."""
    usual = config.get("intermediate_steps", 0)
    links = str(config["intermediate"]).split(LINK)
    return sum(config.get("text_steps", usual) if link == "mlm" else usual for link in links)


def _target_steps(config: Mapping[str, Any]) -> int:
    return config.get("target_steps", 0) if get_task(config["target"]).trained_on else 0


def _before(config: Mapping[str, Any]) -> dict[str, Any]:
    """What decides the intermediate phase of a run."""
    return {name: value for name, value in config.items() if name not in _AFTER}
