"""Checks of single parts of a protocol, all of which raise ValueError that names the key, the value and the remedy."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from stilts_core.config import RunConfig
from stilts_core.errors import ConfigError, shown, suggestion
from stilts_core.parameters import read_value
from stilts_core.studies.fields import field_names
from stilts_core.tasks.catalogue import get_task

# Fields that every run takes from a list of the protocol.
LISTED = {"seed": "seeds", "target": "targets", "encoder": "encoders"}
LATENCY_METRICS = ("processor_seconds", "wall_seconds")
# What a table takes from a record beside scores: see `measures.read_measures`, `collection` and `transferability`.
MEASURES = re.compile(
    r"(seconds|flops):(intermediate|target|joint)|dev:(intermediate|target|joint):\w+|layer:\d+|selector:[\w-]+"
    r"|(globally_centred|centred)(:layer:\d+)?(:before)?|raw(:layer:\d+)?:before|(language_probe|mlm_loss)(:before)?"
)
_FIELDS = {field.name: field for field in fields(RunConfig)}


def check_fields(key: str, values: Mapping[str, Any]) -> None:
    """Check that these are fields of a run with values of their types, and none that a list of the protocol sets."""
    check_field_names(key, values)
    for name, value in values.items():
        if name in LISTED:
            raise ValueError(
                f"{key}.{name} is {shown(value)}, but every run takes its {name} from the list {LISTED[name]}; write "
                f"it there and remove {name} here"
            )
        try:
            read = read_value(_FIELDS[name], value)
        except ConfigError as error:
            raise ValueError(f"{key}.{error}") from error
        if type(read) is not type(value) and not (isinstance(read, float) and type(value) is int):
            remedy = "leave it out" if read is None else f"write {json.dumps(read, allow_nan=False)}"
            raise ValueError(f"{key}.{name} is {shown(value)}; {remedy}")


def check_field_names(key: str, names: Iterable[str]) -> None:
    """Check that a run has fields of these names."""
    for name in names:
        if name not in field_names():
            hint = suggestion(name, field_names())
            raise ValueError(f"{key}: a run has no field {name!r}{hint}; `stilts run --help` lists the fields")


def check_names(key: str, names: Iterable[str], known: Iterable[str]) -> None:
    """Check that all names are known."""
    known = list(known)
    for name in names:
        if name not in known:
            raise ValueError(f"{key}: there is no {name!r}; choose one of {', '.join(known)}")


def check_metric(key: str, metric: str, target: str, latency: bool) -> None:
    """Check that the table of a study can have a metric of a target; a study of latency has times only."""
    known = LATENCY_METRICS if latency else tuple(dict.fromkeys(("score", *get_task(target).metrics)))
    if metric not in known and (latency or not MEASURES.fullmatch(metric)):
        others = "" if latency else ", or a measure of records, such as centred, layer:12, language_probe or mlm_loss"
        raise ValueError(f"{key}: {target} has no metric {metric!r}; choose one of {', '.join(known)}{others}")
