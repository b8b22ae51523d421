"""What goes together in a run: intermediate tasks, their labels, what stands beside them, and the target."""

from collections.abc import Sequence
from typing import Any

from stilts_core.errors import ConfigError
from stilts_core.tasks.auxiliaries import AUXILIARIES
from stilts_core.tasks.catalogue import get_task, require_intermediate

# The fields that decide phases of masked LM alone, and those that they replace there.
MLM_FIELDS = {"text_steps": ("intermediate_steps", "intermediate_epochs"), "text_lr": ("intermediate_lr",)}


def check_intermediate(intermediate: str, tasks: Sequence[str], *, sham: bool) -> None:
    """Raise ConfigError for a name that is no intermediate task, or that has no labels to permute (`sham`).

    `tasks` are all tasks of the chain `intermediate`.
    """
    for name in tasks:
        if name in ("none", "all", "mlm"):
            raise ConfigError(f"intermediate is {intermediate!r}; {name!r} stands alone, without other names")
        family = require_intermediate(name).family
        if sham and family == "retrieval":
            raise ConfigError(f"sham_labels is true, and {name!r} has no labels to permute; choose another task")
    if sham and not tasks:
        raise ConfigError(
            f"sham_labels permutes intermediate labels, and intermediate {intermediate!r} has none; choose an "
            "intermediate task"
        )


def check_mixed(target: str, links: Sequence[Sequence[str]], frozen: int | None) -> None:
    """Raise ConfigError where the target cannot be trained jointly with the tasks of the last intermediate phase.

    `links` are the tasks of each intermediate phase, and `frozen` is what the config says of their frozen layers.
    """
    if not links:
        raise ConfigError("mixed is true, and intermediate 'none' has no task to train jointly; choose one")
    if not get_task(target).trained_on:
        raise ConfigError(f"mixed is true, and {target!r} has no training data; choose another target")
    if target in links[-1]:
        raise ConfigError(
            f"mixed is true, and {target!r} is both the target and an intermediate task of the joint phase; leave it "
            "out of intermediate"
        )
    if frozen is not None and len(links) == 1:
        raise ConfigError(
            f"intermediate_frozen is {frozen}, and with mixed the only phase is the joint one; set target_frozen"
        )


def check_auxiliary(links: Sequence[str], tasks: Sequence[str], changed: dict[str, Any]) -> None:
    """Raise ConfigError for an auxiliary without a task, and for settings that nothing would read.

    `links` are the intermediate phases as text, `tasks` all their tasks, and `changed` the fields that differ from
    their defaults.
    """
    auxiliary = changed.get("auxiliary", "")
    if auxiliary and not tasks:
        raise ConfigError(
            f"auxiliary is {auxiliary!r}, and intermediate {'>'.join(links)!r} has no task that it could stand beside; "
            "choose an intermediate task, or leave auxiliary out"
        )
    unread = [name for name in changed if name.startswith("auxiliary_")]
    if unread and not auxiliary:
        raise ConfigError(
            f"{unread[0]} is {changed[unread[0]]!r}, and nothing stands beside the task; choose auxiliary: one of "
            f"{', '.join(AUXILIARIES)}"
        )
    unread = [name for name in unread if name in ("auxiliary_level", "auxiliary_layer")]
    if unread and auxiliary == "mlm":
        raise ConfigError(
            f"{unread[0]} is {changed[unread[0]]!r}; masked language modelling reads the sub-words of the last hidden "
            "state: leave it out"
        )
    unread = [name for name in changed if name.startswith("text_")]
    if unread and not auxiliary and "mlm" not in links:
        raise ConfigError(
            f"{unread[0]} is {changed[unread[0]]!r}, and the run reads no unlabelled text; choose auxiliary, or "
            "intermediate mlm"
        )
    unread = [name for name in changed if name in MLM_FIELDS]
    if unread and "mlm" not in links:
        raise ConfigError(
            f"{unread[0]} is {changed[unread[0]]!r}, and no phase is masked LM alone; add mlm to the chain, or leave "
            f"{unread[0]} out"
        )
