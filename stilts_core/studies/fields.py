"""The fields of a run that a protocol may set, and those that have no effect beside others."""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from stilts_core.config import PROFILES, RunConfig
from stilts_core.errors import ConfigError
from stilts_core.tasks.catalogue import TASKS

_DEFAULTS = {field.name: field.default for field in fields(RunConfig)}
_IDLE = {field.name for field in fields(RunConfig) if field.metadata["decides"] == "nothing"}
_INTERMEDIATE = ("intermediate_", "sham_", "text_", "auxiliary", "sampling_", "mixed")
_TARGET = ("target_steps", "target_epochs", "target_lr", "target_examples", "target_frozen")


def field_names() -> frozenset[str]:
    """Return the names of all fields that a protocol may set."""
    return frozenset(_DEFAULTS)


def drop_idle_fields(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a run without those that cannot change it, in alphabetical order.

    Without an intermediate task its sizes, rates and labels decide nothing. Without a co-training slot its weight
    decides nothing. A target that is scored without training has no target phase.
    """
    kept = dict(config)
    if kept.get("intermediate", "none") == "none":
        kept = {name: value for name, value in kept.items() if not name.startswith(_INTERMEDIATE)}
    if not kept.get("auxiliary"):
        read = "mlm" in kept.get("intermediate", "")
        unread = ("auxiliary",) if read else ("auxiliary", "text_")
        kept = {name: value for name, value in kept.items() if not name.startswith(unread)}
    task = TASKS.get(kept.get("target", ""))
    if task and not task.trained_on:
        kept = {name: value for name, value in kept.items() if name not in _TARGET}
    return dict(sorted(kept.items()))


def _fill(config: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of a run with the values of its profile, as a record has them."""
    try:
        return RunConfig.from_dict(dict(config)).resolved().to_dict()
    except ConfigError:  # a field, a task or a profile that is still to come
        defaults = PROFILES.get(config.get("profile", RunConfig.profile), {})
        return dict(config) | {name: value for name, value in defaults.items() if config.get(name) is None}


def identify(config: Mapping[str, Any]) -> tuple[tuple[str, Any], ...]:
    """Return what decides the result of a run: names and values that differ from the defaults.

    `config` is what a protocol asks for, or the configuration of a record, whose profile's values are filled in. Both
    have the same identity if they are the same run.
    """
    kept = drop_idle_fields(_fill(config))
    missing = object()
    return tuple(
        (name, value) for name, value in kept.items() if name not in _IDLE and value != _DEFAULTS.get(name, missing)
    )
