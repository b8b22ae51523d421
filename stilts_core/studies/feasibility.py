"""Whether the runs of a protocol can answer its contrasts, and can be done at all: known before the first one."""

import os
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any

import numpy as np

from stilts_core.errors import ConfigError
from stilts_core.parameters import LINK
from stilts_core.pretraining.recipe import parse_lab_encoder
from stilts_core.runs.encoders import resolve_encoder
from stilts_core.studies.design import merge_fields
from stilts_core.studies.groups import ENGLISH, in_group
from stilts_core.studies.protocol import Contrast, Exclusion, Protocol
from stilts_core.tasks.catalogue import INTERMEDIATE_TASKS

_STEPS = ("intermediate_steps", "target_steps")


def check_design(protocol: Protocol, source: str) -> None:
    """Raise ConfigError, which names `source` and the key, if the runs cannot answer a contrast.

    The same holds for a rule of exclusion that can never apply.
    """
    for key, contrast in protocol.contrasts_by_key.items():
        cells = [*_merged_cells(protocol, contrast)]
        sides = [fields for pair in cells for fields in pair]
        if not protocol.latency:
            _check_languages(f"{source}: {key}", contrast, {str(fields.get("languages", "")) for fields in sides})
        if contrast.test.endswith("slope") and contrast.treatment in protocol.arms:
            _check_slope(f"{source}: {key}", contrast, [treatment for treatment, _ in cells])
    for number, rule in enumerate(protocol.exclusions):
        known = sorted(_trained_tasks(protocol, rule))
        if rule.task and rule.task not in known:
            raise ConfigError(
                f"{source}: exclusions.{number}.task is {rule.task!r}, and no {rule.phase} phase of its arms trains on "
                f"it, so the rule never applies; choose one of {', '.join(known) or 'no task'}"
            )


def check_encoders(protocol: Protocol, source: str) -> None:
    """Raise ConfigError, which names `source`, if two names are those of one encoder."""
    named: dict[Any, str] = {}
    for name in protocol.encoders:
        encoder = parse_lab_encoder(name) or (os.path.realpath(name) if os.path.isdir(name) else name)
        if encoder in named:
            raise ConfigError(
                f"{source}: encoders has {named[encoder]!r} and {name!r}, which are one encoder; remove one of them"
            )
        named[encoder] = name


def find_encoders(protocol: Protocol) -> None:
    """Raise EncoderError if an encoder does not exist; one that the hub has is downloaded.

    The laboratory's encoders are pretrained later, by the first run that needs them.
    """
    for name in protocol.encoders:
        if not parse_lab_encoder(name):
            resolve_encoder(name)


def _merged_cells(protocol: Protocol, contrast: Contrast) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """The fields of the treatment and of the control at all levels that both have; a rule of choice has none."""
    names = (contrast.treatment, contrast.control)
    arms = [(name, protocol.arms[name]) for name in names if name in protocol.arms]
    limits = [contrast.levels, *(arm.levels for _, arm in arms)]
    allowed = [
        [level for level in levels if all(level in limit.get(factor, levels) for limit in limits)]
        for factor, levels in protocol.factors.items()
    ]
    for chosen in product(*allowed):
        levels = dict(zip(protocol.factors, chosen, strict=True))
        sides = [merge_fields(protocol, name, arm, levels, contrast.target) for name, arm in arms]
        if sides:
            yield sides[0], sides[-1]


def _check_languages(key: str, contrast: Contrast, asked: set[str]) -> None:
    for text in sorted(asked - {""}):
        codes = [code.strip() for code in text.split(",")]
        if contrast.endpoint == "transfer-gap" and ENGLISH not in codes:
            raise ConfigError(f"{key}.endpoint is 'transfer-gap', and languages is {text!r}; add {ENGLISH} to it")
        if not any(in_group(code, contrast.group) for code in codes):
            raise ConfigError(
                f"{key}.group is {contrast.group!r}, and languages is {text!r}, with none of this group; add some to "
                "languages, or choose another group"
            )


def _check_slope(key: str, contrast: Contrast, cells: list[Mapping[str, Any]]) -> None:
    steps = [tuple(fields.get(name) for name in _STEPS) for fields in cells]
    if not all(isinstance(number, int) and number > 0 for pair in steps for number in pair):
        raise ConfigError(
            f"{key}.test is {contrast.test!r}, and arm {contrast.treatment!r} has no numbers of steps; set "
            f"{' and '.join(_STEPS)}"
        )
    intermediate, target = np.log2(np.array(steps, float).reshape(-1, 2)).T
    ratio, size = intermediate - target, (intermediate + target) / 2
    factors = [ratio] if contrast.regressor == "ratio" else [size, ratio]
    if np.linalg.matrix_rank(np.column_stack([np.ones(len(ratio)), *factors])) <= len(factors):
        found = ", ".join(f"{one}:{other}" for one, other in dict.fromkeys(steps)) or "none"
        raise ConfigError(
            f"{key}.test is {contrast.test!r}, and the {contrast.regressor} of intermediate to target steps does not "
            f"vary enough for one (steps: {found}); add levels to a factor that sets them, or choose another test"
        )


def _trained_tasks(protocol: Protocol, rule: Exclusion) -> set[str]:
    """The tasks of a phase in the arms that a rule of exclusion is for."""
    if rule.phase == "target":
        return set(protocol.targets)
    arms = [arm for name, arm in protocol.arms.items() if rule.applies(name)]
    levels = (fields for by_name in protocol.factors.values() for fields in by_name.values())
    tables = (protocol.base, *protocol.per_target.values(), *levels, *(arm.fields for arm in arms))
    chains = (str(fields.get("intermediate", "none")) for fields in tables)
    names = {name for text in chains for link in text.split(LINK) for name in link.split(",")}
    return (names | set(INTERMEDIATE_TASKS if "all" in names else ())) - {"none", "all", "mlm"}
