"""The design of a study: a protocol expanded to cells, and the runs that the cells share."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any

from stilts_core.errors import ConfigError
from stilts_core.studies.fields import drop_idle_fields, field_names, identify
from stilts_core.studies.protocol import Arm, Protocol, make_protocol

SIZES = ("_steps", "_epochs", "_examples", "_lr")  # how fields end that say how long or how fast a phase trains


@dataclass(frozen=True)
class DesignCell:
    """One place of the design: an arm at one level of every factor, with one target, encoder and seed.

    `levels` names the level of every factor, `config` has the fields of its run. Two cells with the same run have the
    same `identity`.
    """

    arm: str
    levels: Mapping[str, str]
    target: str
    encoder: str
    seed: int
    config: Mapping[str, Any]

    @cached_property
    def identity(self) -> tuple[tuple[str, Any], ...]:
        """What decides the run of the cell (see `fields.identify`)."""
        return identify(self.config)


@dataclass(frozen=True)
class Design:
    """All cells of a study in the order arm, levels, target, encoder, seed; `configs` has every run once."""

    cells: tuple[DesignCell, ...]

    @cached_property
    def runs(self) -> dict[tuple[tuple[str, Any], ...], dict[str, Any]]:
        """The fields of every run by its identity, in the order of its first cell."""
        runs: dict[tuple[tuple[str, Any], ...], dict[str, Any]] = {}
        for cell in self.cells:
            runs.setdefault(cell.identity, dict(cell.config))
        return runs

    @property
    def configs(self) -> list[dict[str, Any]]:
        """The fields of every run, in the order of its first cell."""
        return list(self.runs.values())


def expand(protocol: Protocol) -> Design:
    """Return the design of a protocol. The same protocol always gives the same cells in the same order."""
    return Design(tuple(_cells(protocol)))


def _cells(protocol: Protocol) -> Iterator[DesignCell]:
    factors = {factor: list(levels) for factor, levels in protocol.factors.items()}
    for name, arm in protocol.arms.items():
        for names in product(*(arm.levels.get(factor, levels) for factor, levels in factors.items())):
            levels = dict(zip(factors, names, strict=True))
            for target in arm.targets or protocol.targets:
                fields = merge_fields(protocol, name, arm, levels, target)
                for encoder, seed in product(protocol.encoders, protocol.seeds):
                    run = fields | {"target": target, "encoder": encoder, "seed": seed}
                    yield DesignCell(name, levels, target, encoder, seed, drop_idle_fields(run))


def merge_fields(protocol: Protocol, name: str, arm: Arm, levels: Mapping[str, str], target: str) -> dict[str, Any]:
    """Return the fields of an arm: the base, then those of the target, the levels and the arm itself, then its sums.

    Raises ConfigError for a sum of fields that have no number.
    """
    fields = protocol.base | protocol.per_target.get(target, {})
    for factor, level in levels.items():
        fields |= protocol.factors[factor][level]
    fields |= arm.fields
    summed: dict[str, float] = {}
    for field, parts in arm.sums.items():
        if missing := [part for part in parts if not isinstance(fields.get(part), int | float)]:
            raise ConfigError(
                f"arms.{name}.sums.{field}: {missing[0]} has no number at {dict(levels)}; set it in [base]"
            )
        summed[field] = sum(
            float(fields[part]) if isinstance(fields[part], float) else int(fields[part]) for part in parts
        )
    return fields | summed


def change_protocol(protocol: Protocol, changes: Mapping[str, str], seeds: int | None = None) -> Protocol:
    """Return the protocol with other values, as `--set NAME=VALUES` and `--seeds N` ask.

    A name is a factor, whose levels are chosen; `arms`, `targets` or `encoders`, which are chosen, too; or a field of a
    run, which is set in the base. A size or a rate also replaces those of single targets and arms. Several values are
    joined by commas. With more seeds than the protocol has, the next numbers follow. Raises ConfigError for an unknown
    name or value.
    """
    content = protocol.model_dump()
    for name, text in changes.items():
        values = text.split(",")
        if name in protocol.factors:
            content["factors"][name] = _choose(name, content["factors"][name], values)
        elif name == "arms":
            content["arms"] = _choose(name, content["arms"], values)
        elif name in ("targets", "encoders"):
            content[name] = tuple(values)
        elif name in field_names():
            _require_free_field(protocol, name)
            _set_field(content, name, _read_text(text))
        else:
            known = [*protocol.factors, "arms", "targets", "encoders"]
            raise ConfigError(f"--set {name}: there is no such factor; choose one of {', '.join(known)}, or a field")
    if seeds is not None:
        first = list(protocol.seeds)
        first += range(max(first) + 1, max(first) + 1 + max(0, seeds - len(first)))
        content["seeds"] = tuple(first[:seeds])
    content["per_target"] = {name: own for name, own in content["per_target"].items() if name in content["targets"]}
    _drop_impossible_parts(content)
    return make_protocol(content, f"protocol {protocol.name} with changes")


def _require_free_field(protocol: Protocol, name: str) -> None:
    """Raise ConfigError for a field that the levels of a factor set, because they would win."""
    for factor, levels in protocol.factors.items():
        if any(name in fields for fields in levels.values()):
            raise ConfigError(f"--set {name}: the levels of {factor} set it; choose some of {', '.join(levels)}")


def _set_field(content: dict[str, Any], name: str, value: bool | int | float | str) -> None:
    """Set a field for all runs. What makes an arm what it is, such as its task or its weight, stays its own."""
    content["base"][name] = value
    if name.endswith(SIZES):
        for fields in (*content["per_target"].values(), *(arm["fields"] for arm in content["arms"].values())):
            fields.pop(name, None)


def _drop_impossible_parts(content: dict[str, Any]) -> None:
    """Remove what names an arm, a target or a level that is gone, but never the primary contrast."""
    factors, targets = content["factors"], content["targets"]
    for name, arm in list(content["arms"].items()):
        _restrict_levels(arm, factors)
        own = tuple(target for target in arm["targets"] if target in targets)
        if (arm["targets"] and not own) or not all(arm["levels"].values()):
            del content["arms"][name]
        arm["targets"] = own
    sides = {*content["arms"], *content["selectors"]}
    for contrast in (content["primary"], *content["secondary"]):
        _restrict_levels(contrast, factors)
    content["secondary"] = tuple(
        contrast
        for contrast in content["secondary"]
        if {contrast["treatment"], contrast["control"]} <= sides
        and contrast["target"] in targets
        and all(contrast["levels"].values())
    )
    named = [rule for rule in content["exclusions"] if rule["arms"]]
    for rule in named:
        rule["arms"] = tuple(arm for arm in rule["arms"] if arm in content["arms"])
    # A rule without arms holds for all: one that has lost its arms goes.
    content["exclusions"] = tuple(rule for rule in content["exclusions"] if rule["arms"] or rule not in named)


def _restrict_levels(part: dict[str, Any], factors: Mapping[str, Any]) -> None:
    levels = part["levels"].items()
    part["levels"] = {factor: tuple(name for name in names if name in factors[factor]) for factor, names in levels}


def _choose(name: str, table: Mapping[str, Any], values: list[str]) -> dict[str, Any]:
    if missing := [value for value in values if value not in table]:
        raise ConfigError(f"--set {name}: there is no {missing[0]!r}; choose from {', '.join(table)}")
    return {value: table[value] for value in values}


def _read_text(text: str) -> bool | int | float | str:
    """The value of a field that the command line gives as text."""
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
