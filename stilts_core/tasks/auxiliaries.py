"""What can stand beside the task in an intermediate step, by name, and which fields of a configuration go with it."""

from collections.abc import Sequence
from typing import Any

from stilts_core.errors import ConfigError

# Masked language modelling; adversaries by gradient reversal, against languages and against random labels; domain
# confusion; matching of the languages' means, within a step and over steps. `families.auxiliary` has their heads.
AUXILIARIES = ("mlm", "reversal", "random_labels", "confusion", "mmd", "means")
OWN_TEXT = "target"  # the text source that is the target's own inputs

# Fields of an earlier version. Names of runs were hashed with these defaults, and still are.
REPLACED = {"mlm_weight": 0.0, "mlm_languages": ""}


def rename_replaced(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values with those of REPLACED under the names of today; a weight of 0 meant no co-training."""
    if not REPLACED.keys() & values.keys():
        return values
    today = {name: value for name, value in values.items() if name not in REPLACED}
    if values.get("mlm_weight"):
        today |= {"auxiliary": "mlm", "auxiliary_weight": values["mlm_weight"]}
    if values.get("mlm_languages"):
        today |= {"text_languages": values["mlm_languages"]}
    return today


def check_auxiliary(intermediate: str, tasks: Sequence[str], changed: dict[str, Any]) -> None:
    """Raise ConfigError for an auxiliary without a task, and for settings that nothing would read.

    `tasks` are the intermediate tasks, and `changed` are the fields that differ from their defaults.
    """
    auxiliary = changed.get("auxiliary", "")
    if auxiliary and not tasks:
        raise ConfigError(
            f"auxiliary is {auxiliary!r}, and intermediate {intermediate!r} has no task that it could stand beside; "
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
    if unread and not auxiliary and intermediate != "mlm":
        raise ConfigError(
            f"{unread[0]} is {changed[unread[0]]!r}, and the run reads no unlabelled text; choose auxiliary, or "
            "intermediate mlm"
        )
