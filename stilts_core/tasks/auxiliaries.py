"""What can stand beside the task in an intermediate step, by name, and which fields of a configuration go with it."""

from typing import Any

# Masked language modelling; adversaries by gradient reversal, against languages and against random labels; domain
# confusion; matching of the languages' means, within a step and over steps. `families.auxiliary` has their heads.
AUXILIARIES = ("mlm", "reversal", "random_labels", "confusion", "mmd", "means")
OWN_TEXT = "target"  # the text source that is the target's own inputs
LONG_TEXT = "long"  # the text source that is longer than running text, and has more languages

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
