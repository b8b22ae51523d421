"""The fields of a configuration: what each decides, which values it may have, and how a value or a grid row is read.

The command passes text, papermill passes what it and YAML make of text, and Python passes anything. All of them are
read here, before any work begins: a value becomes the field's type where its meaning is clear, else it is an error.
"""

import hashlib
import json
import math
import os
import re
from collections.abc import Mapping
from dataclasses import Field, field, fields
from decimal import Decimal
from functools import cache
from types import NoneType
from typing import Any, Literal, NamedTuple, get_args

from stilts_core.errors import ConfigError, shown
from stilts_core.tasks.auxiliaries import AUXILIARIES

# What a field decides: the shared intermediate checkpoint and so the run; the run alone; or nothing in its result.
Decides = Literal["checkpoint", "run", "nothing"]

LARGEST_COUNT = 2**31 - 1  # of examples, sub-words, layers: tensors index them with 32 bits in places
LARGEST_SEED = 2**63 - 1  # that PyTorch and NumPy both take

# The deciding fields that names hash whatever their value. A later field enters a name only where it differs from its
# default, so that the runs and checkpoints of earlier versions are still found.
FIRST_FIELDS = (
    "profile", "encoder", "intermediate", "target", "seed", "languages", "intermediate_examples", "target_examples",
    "dev_examples", "test_examples", "intermediate_epochs", "target_epochs", "intermediate_lr", "target_lr",
    "batch_size", "max_length", "warmup", "weight_decay", "clip", "dropout", "sham_labels",
    "sampling_temperature", "sampling_cap", "pooling", "layer", "pos_metric", "precision", "device",
)  # fmt: skip

LINK = ">"  # joins the phases of a chain

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_FLAGS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


class Bounds(NamedTuple):
    """The values that a number may have: above `above`, at least `least`, at most `most`, below `below`."""

    above: float | None = None
    least: float | None = None
    most: float | None = None
    below: float | None = None

    def complaint(self, value: float) -> str | None:
        """What would be right, where the value is out of bounds."""
        if self.above is not None and not value > self.above:
            return f"it must be above {self.above:g}"
        if self.least is not None and not value >= self.least:
            return f"it must be {self.least:g} or more"
        if self.most is not None and not value <= self.most:
            return f"it must be at most {self.most}"
        if self.below is not None and not value < self.below:
            return f"it must be below {self.below:g}"
        return None


POSITIVE, NOT_NEGATIVE, SHARE = Bounds(above=0), Bounds(least=0), Bounds(least=0, most=1)
EPOCHS = Bounds(above=0, most=1_000_000)
DROPOUT = Bounds(least=0, below=1)
TEMPERATURE = Bounds(least=0.05)  # below, examples ** (1 / temperature) is no finite number


def parameter(
    default: Any,
    help: str,
    *,
    decides: Decides,
    bounds: Bounds | None = None,
    choices: tuple[str, ...] = (),
    names: bool = False,
    chain: bool = False,
) -> Any:
    """A field of a configuration: its default, its help text, what it decides, and which values it may have.

    `names`: the text is a list of names joined by commas, each of them once; `chain`: such lists joined by LINK.
    """
    metadata = {"help": help, "decides": decides, "bounds": bounds, "choices": choices, "names": names, "chain": chain}
    return field(default=default, metadata=metadata)


@cache
def value_type(f: Field) -> type:
    """Return the type of a field's value (bool, int, float or str), without None."""
    (kind,) = [kind for kind in get_args(f.type) or (f.type,) if kind is not NoneType]
    return kind


def read_fields(config: Any) -> None:
    """Read every field of a new configuration, which is frozen. Raises ConfigError as `read_value` does.

    A default reads as itself, and most fields of most configurations have it: this halves the time of a book.
    """
    for f in fields(config):
        value = getattr(config, f.name)
        if value is not f.default or not _has_own_default(f):
            object.__setattr__(config, f.name, read_value(f, value))


@cache
def _has_own_default(f: Field) -> bool:
    """Whether the field's default is one of its values, and is not the None of a field that must be set."""
    return f.default is not None or NoneType in get_args(f.type)


def read_value(f: Field, value: Any) -> Any:
    """Return `value` as the type of the field `f`.

    Raises ConfigError for a value that the field cannot have; it names the field, the value and what would be right.
    """
    try:
        return _checked(f, _converted(f, value))
    except _Unfit as unfit:
        raise ConfigError(f"{f.name} is {shown(value)}; {unfit}") from None


def read_count(option: str, value: Any) -> int:
    """Return `value` as a whole number of 0 or more. Raises ConfigError for anything else, as `read_value` does."""
    try:
        number = _read_whole(value)
        if complaint := NOT_NEGATIVE.complaint(number) or Bounds(most=LARGEST_COUNT).complaint(number):
            raise _Unfit(complaint)
    except _Unfit as unfit:
        raise ConfigError(f"{option} is {shown(value)}; {unfit}") from None
    return number


def read_names(option: str, text: str) -> list[str]:
    """Return the names that `text` joins by commas. Raises ConfigError for an empty name, or one that comes twice."""
    try:
        return _split(_checked_text(text))
    except _Unfit as unfit:
        raise ConfigError(f"{option} is {shown(text)}; {unfit}") from None


class Seeds(NamedTuple):
    """The seeds of a run: which examples are selected; their order, dropout and masks; the first weights of heads."""

    selection: int
    order: int
    initialisation: int


class GridRow(NamedTuple):
    """One row of the grid: the intermediate training before the target.

    `links` are the phases of a chain, each with its intermediate tasks, or with one of none, all, mlm. `auxiliary` is
    one of AUXILIARIES, if it stands beside the tasks. `sham`: with permuted labels, as a control. `mixed`: the target's
    examples are trained jointly with the tasks of the last link. As text: none, mnli, mnli+qqp, all+mlm, mnli+reversal,
    mnli+sham, squad>mlm, mlm>mnli+qqp+mixed; what holds for the whole row comes last.
    """

    links: tuple[tuple[str, ...], ...]
    auxiliary: str = ""
    sham: bool = False
    mixed: bool = False

    @classmethod
    def parse(cls, text: str) -> "GridRow":
        """The row of a text.

        Raises ConfigError for an empty name, one that comes twice in a link, none+mlm, or two auxiliaries.
        """
        links = [tuple(read_names(f"grid row {text!r}", link.replace("+", ","))) for link in text.split(LINK)]
        first, *others = links[-1]
        if first == "none" and others:
            raise ConfigError(f"grid row {text!r}: 'none' has no phase for {others[0]!r}; write none or {others[0]}")
        beside = [name for name in others if name in AUXILIARIES]
        if len(beside) > 1:
            raise ConfigError(f"grid row {text!r}: only one of {' and '.join(beside)} can stand beside a task")
        last = (first, *(name for name in others if name not in (*AUXILIARIES, "sham", "mixed")))
        return cls((*links[:-1], last), "".join(beside), "sham" in others, "mixed" in others)

    @property
    def has_labels(self) -> bool:
        """Whether an intermediate phase trains on labels."""
        return any(tasks[0] not in ("none", "mlm") for tasks in self.links)

    def __str__(self) -> str:
        chain = LINK.join("+".join(tasks) for tasks in self.links)
        return "+".join([chain, *filter(None, [self.auxiliary]), *["sham"] * self.sham, *["mixed"] * self.mixed])


def with_plain_path(values: dict[str, Any]) -> dict[str, Any]:
    """The values of a configuration, in which the folder of an encoder has one name: `./mine/` is `mine`."""
    encoder = values["encoder"]
    return values | {"encoder": os.path.normpath(encoder) if os.path.isdir(encoder) else encoder}


def hashed_name(slug: str, encoder: str, seed: int, hashed: Mapping[str, Any]) -> str:
    """The name of a run or of a checkpoint: a readable slug, the encoder, the seed, and a hash of all that decides it.

    It is the name of a folder and of a page, too (see `runs.record.NAME`).
    """
    slug = slug.replace(LINK, "-then-")
    encoder = re.sub(r"[^A-Za-z0-9_.+-]", "_", encoder.rstrip("/").split("/")[-1])[:80]
    digest = hashlib.sha256(json.dumps(hashed, sort_keys=True, allow_nan=False).encode()).hexdigest()
    return f"{slug}-{encoder}-s{seed}-{digest[:10]}"


class _Unfit(ValueError):
    """A value that a field cannot have; the message says what would be right."""


def _converted(f: Field, value: Any) -> Any:
    """The value as the field's type, its bounds not yet checked."""
    if getattr(value, "shape", None) == () and hasattr(value, "item"):  # a scalar of NumPy or PyTorch
        value = value.item()
    if value is None or value == "None":
        if NoneType in get_args(f.type):
            return None
        if f.default in ("", "none"):  # no names, no task: what papermill's `-p intermediate None` means
            return f.default
    kind = value_type(f)
    if kind is bool:
        return _read_flag(value)
    if kind is int:
        return _read_whole(value)
    return _read_number(value) if kind is float else _read_text(f, value)


def _checked(f: Field, value: Any) -> Any:
    """The converted value, if it is within the field's bounds and choices."""
    if value is None:
        return None
    bounds, choices = f.metadata["bounds"], f.metadata["choices"]
    complaint = bounds.complaint(value) if bounds else None
    if not complaint and value_type(f) is int:
        complaint = Bounds(most=LARGEST_SEED if f.name.endswith("seed") else LARGEST_COUNT).complaint(value)
    if complaint:
        raise _Unfit(complaint + " (0 = all)" * ("(0 = all)" in f.metadata["help"]))
    if choices and value not in choices:
        empty = ", or leave it out" if "" in choices else ""
        raise _Unfit(f"choose one of {', '.join(filter(None, choices))}{empty}")
    return value


def _read_flag(value: Any) -> bool:
    flag = _FLAGS.get(value.strip().lower()) if isinstance(value, str) else value
    if not isinstance(flag, bool):
        raise _Unfit("it must be true or false")
    return flag


def _read_whole(value: Any) -> int:
    number = value if isinstance(value, int) and not isinstance(value, bool) else _read_number(value, "a whole number")
    if number != int(number):
        raise _Unfit("it must be a whole number")
    exact = isinstance(value, str) and abs(number) < 2.0**64  # a float holds 53 bits of a seed
    return int(Decimal(value.strip())) if exact else int(number)


def _read_number(value: Any, expected: str = "a finite number") -> float:
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise _Unfit(f"it must be {expected}")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise _Unfit(f"it must be {expected}")
    return number


def _read_text(f: Field, value: Any) -> str:
    names = f.metadata["names"]
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if names and isinstance(value, list | tuple) and all(isinstance(name, str) for name in value):
        value = ",".join(value)
    if not isinstance(value, str):
        expected = "names joined by commas, such as en,de" if names else "text"
        raise _Unfit(f"it must be {expected} (for papermill: -r {f.name} TEXT)")
    text = _checked_text(str(value))
    if not text.strip() and f.default != "":
        raise _Unfit("it must not be empty")
    if f.metadata["chain"]:
        return _read_chain(text)
    return ",".join(_split(text)) if names and text else text


def _read_chain(text: str) -> str:
    links = text.split(LINK)
    if not all(link.strip() for link in links):
        raise _Unfit(f"one of the phases that {LINK} joins is empty: leave out the {LINK}, or write a task")
    chain = [_split(link) for link in links]
    if len(chain) > 1 and ["none"] in chain:
        raise _Unfit(f"'none' is no phase: leave it out, or write none without {LINK}")
    return LINK.join(",".join(names) for names in chain)


def _checked_text(text: str) -> str:
    """The text, if it can be written to a file and be the name of one."""
    if "\0" in text:
        raise _Unfit("it must not have a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise _Unfit("it has a half of a character (a lone surrogate): write the text in UTF-8") from None
    return text


def _split(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",")]
    if "" in names:
        raise _Unfit("one of the names that commas join is empty: leave out the comma, or write the name")
    if twice := [name for name in names if names.count(name) > 1]:
        raise _Unfit(f"{twice[0]!r} is there twice: name it once")
    return names
