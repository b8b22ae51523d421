"""A study's protocol: everything that is decided before the first run, read from one TOML file."""

import hashlib
import json
import tomllib
from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from stilts_core.errors import ConfigError, shown
from stilts_core.studies.checks import check_field_names, check_fields, check_metric, check_names
from stilts_core.studies.groups import check_group
from stilts_core.tasks.catalogue import TARGET_TASKS

PROTOCOLS = Path("protocols")
REGISTERED = "registered"  # the folder of registrations beside the protocols
FEWEST_ENCODERS = 3  # with fewer, the spread between encoders cannot be estimated
# A wheel has the protocols beside this module (see pyproject.toml), a checkout has them at its root.
_INSTALLED = Path(__file__).with_name("files")
_CHECKOUT = Path(__file__).resolve().parents[2] / "protocols"
Value = bool | int | float | str
Fields = dict[str, Value]
Group = Annotated[str, AfterValidator(check_group)]
Probability = Annotated[float, Field(gt=0, lt=1)]
Positive = Annotated[float, Field(gt=0)]


def replicate(encoders: Iterable[str]) -> str:
    """Return what a test generalises over, given the encoder of every run: encoders, or seeds if they are too few."""
    return "encoder" if len(set(encoders)) >= FEWEST_ENCODERS else "seed"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, strict=True)


class Arm(_Part):
    """One treatment: the fields that it sets, and whether it is a control.

    `sums` sets a field to the sum of other fields: *more target* takes the summed steps. `targets` limits the arm to
    some targets, and `levels` to some levels of factors. `cost` is the cost of one of its intermediate steps, relative
    to a plain step. `note` says why the arm is there.
    """

    fields: Fields = {}
    control: bool = False
    sums: dict[str, tuple[str, ...]] = {}
    targets: tuple[str, ...] = ()
    levels: dict[str, tuple[str, ...]] = {}
    cost: Positive = 1.0
    note: str = ""

    @model_validator(mode="before")
    @classmethod
    def _collect_fields(cls, content: Any) -> Any:
        if not isinstance(content, dict) or isinstance(content.get("fields"), dict):
            return content
        own = {name: value for name, value in content.items() if name in cls.model_fields}
        return _tuples(own) | {"fields": {name: value for name, value in content.items() if name not in own}}


class Contrast(_Part):
    """One comparison: treatment minus control, on one target, over one group of languages.

    `metric` is `score` (the target's primary metric) or the name of another metric of the records. The control may have
    another one (`control_metric`), as where retrieval after training is compared with centring without training.
    `levels` keeps only some levels of factors. A slope is that on log2 of the ratio of the phases' steps, or on their
    `size` at a fixed ratio. `sesoi` is the smallest effect of interest and `sd` the standard
    deviation of a difference between encoders that pilots showed, both in points (for a slope: in points a doubling). A
    `confirmatory` contrast belongs to the family over which Holm's correction runs.
    """

    name: str
    treatment: str
    control: str
    target: str
    metric: str = "score"
    control_metric: str = ""
    group: Group = "non-english"
    endpoint: Literal["score", "transfer-gap"] = "score"
    levels: dict[str, tuple[str, ...]] = {}
    test: Literal["difference", "equivalence", "slope", "flat-slope"]
    regressor: Literal["ratio", "size"] = "ratio"
    direction: Literal["greater", "less", "two-sided"] = "two-sided"
    sesoi: Positive
    sd: Positive
    alpha: Probability = 0.05
    status: Literal["confirmatory", "exploratory"] = "exploratory"

    @model_validator(mode="before")
    @classmethod
    def _lists(cls, content: Any) -> Any:
        if isinstance(content, dict) and isinstance(content.get("levels"), dict):
            return content | {"levels": _tuples(content["levels"])}
        return content


class Exclusion(_Part):
    """A rule that drops a run, and with it its pair: a dev score of a phase that stayed below a bound."""

    phase: Literal["intermediate", "target"]
    below: float
    arms: tuple[str, ...] = ()
    task: str = ""
    reason: str

    def applies(self, arm: str) -> bool:
        """Whether the rule holds for an arm; without names it holds for all."""
        return not self.arms or arm in self.arms


class Costs(_Part):
    """Forecast costs in core-seconds: of a run (start, evaluation, record), and of one step of each phase."""

    run: Annotated[float, Field(ge=0)]
    target_step: Annotated[float, Field(ge=0)] = 0.0
    intermediate_step: Annotated[float, Field(ge=0)] = 0.0


class LatencyPlan(_Part):
    """How latency is measured: complete blocks, one fresh process an arm and block, each of at least `seconds`.

    `margin` is that of the equivalence test of A/A, in 100 times the logarithm of a ratio of times, which is nearly
    percent. `positive_control` and `again` name the two arms that every block adds: one layer more, and the control a
    second time (A/A).
    """

    blocks: Annotated[int, Field(ge=4)]
    seconds: Annotated[float, Field(ge=2)] = 2.0
    start: Annotated[float, Field(ge=0)] = 2.5
    margin: Positive = 2.0
    batch_sizes: tuple[int, ...]
    lengths: tuple[int, ...]
    threads: Annotated[int, Field(ge=1)] = 1
    again: str = "again"
    positive_control: str = "one-layer-more"


class Protocol(_Part):
    """A study: its question, its grid of runs, its one primary contrast, and what else will be looked at.

    `factors` maps every factor to its levels by name, and a level to the fields that it sets. Every arm is crossed with
    every level of every factor. `per_target` has the fields that hold on one target, such as the steps of a long one;
    they come after the base and before an arm's own. `selectors` are the rules of choice that a study of selection
    compares; contrasts may name them as they name arms.
    """

    name: str
    question: str
    hypothesis: str
    base: Fields
    factors: dict[str, dict[str, Fields]] = {}
    arms: dict[str, Arm]
    selectors: tuple[str, ...] = ()
    targets: tuple[str, ...]
    per_target: dict[str, Fields] = {}
    encoders: tuple[str, ...]
    seeds: tuple[int, ...]
    primary: Contrast
    secondary: tuple[Contrast, ...] = ()
    exclusions: tuple[Exclusion, ...] = ()
    costs: Costs
    latency: LatencyPlan | None = None

    @model_validator(mode="before")
    @classmethod
    def _normalise(cls, content: Any) -> Any:
        if not isinstance(content, dict):
            return content
        content = _tuples(content)
        if isinstance(content.get("primary"), tuple):
            count = len(content["primary"])
            raise ValueError(
                f"primary: there are {count} contrasts; write one table [primary], others as [[secondary]]"
            )
        if isinstance(content.get("primary"), dict):
            content["primary"] = content["primary"] | {"status": "confirmatory"}
        if isinstance(content.get("factors"), dict):
            content["factors"] = {name: _named_levels(name, levels) for name, levels in content["factors"].items()}
        for name in ("secondary", "exclusions"):
            if isinstance(content.get(name), tuple):
                content[name] = tuple(_tuples(part) if isinstance(part, dict) else part for part in content[name])
        if isinstance(content.get("latency"), dict):
            content["latency"] = _tuples(content["latency"])
        return content

    @field_validator("arms", "targets", "encoders", "seeds")
    @classmethod
    def _distinct(cls, names: Any) -> Any:
        if not names:
            raise ValueError("it must not be empty")
        if len(set(names)) < len(names):
            raise ValueError("a name is there twice: name it once")
        return names

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        check_fields("base", self.base)
        for factor, levels in self.factors.items():
            for level, fields in levels.items():
                check_fields(f"factors.{factor}.{level}", fields)
        for name, arm in self.arms.items():
            check_fields(f"arms.{name}", arm.fields)
            check_field_names(f"arms.{name}.sums", [*arm.sums, *chain.from_iterable(arm.sums.values())])
            check_names(f"arms.{name}.targets", arm.targets, self.targets)
            self._check_levels(f"arms.{name}", arm.levels)
        check_names("targets", self.targets, TARGET_TASKS)
        names = [contrast.name for contrast in self.contrasts]
        if twice := [name for name in names if names.count(name) > 1]:
            raise ValueError(f"secondary: two contrasts have the name {twice[0]!r}; give each its own")
        check_names("per_target", self.per_target, self.targets)
        for name, fields in self.per_target.items():
            check_fields(f"per_target.{name}", fields)
        for key, contrast in self.contrasts_by_key.items():
            self._check_contrast(key, contrast)
        for number, rule in enumerate(self.exclusions):
            check_names(f"exclusions.{number}.arms", rule.arms, self.arms)
        return self

    def _check_contrast(self, key: str, contrast: Contrast) -> None:
        known = [*self.arms, *self.selectors]
        check_names(f"{key}.treatment", [contrast.treatment], known)
        check_names(f"{key}.control", [contrast.control], known)
        check_names(f"{key}.target", [contrast.target], self.targets)
        if contrast.treatment == contrast.control:
            raise ValueError(f"{key}.control: it is the treatment {contrast.control!r}; name another arm")
        for name in (contrast.treatment, contrast.control):
            arm = self.arms.get(name)
            if arm and arm.targets and contrast.target not in arm.targets:
                raise ValueError(f"{key}.target: arm {name!r} has no runs on {contrast.target!r}")
        check_metric(f"{key}.metric", contrast.metric, contrast.target, bool(self.latency))
        if contrast.control_metric:
            check_metric(f"{key}.control_metric", contrast.control_metric, contrast.target, bool(self.latency))
        self._check_levels(key, contrast.levels)

    def _check_levels(self, key: str, chosen: Mapping[str, tuple[str, ...]]) -> None:
        for factor, levels in chosen.items():
            check_names(f"{key}.levels", [factor], self.factors)
            check_names(f"{key}.levels.{factor}", levels, self.factors[factor])
            if not levels:
                raise ValueError(
                    f"{key}.levels.{factor}: no level is left; name one of {', '.join(self.factors[factor])}"
                )

    @property
    def contrasts(self) -> tuple[Contrast, ...]:
        """The primary contrast, then the others."""
        return (self.primary, *self.secondary)

    @property
    def contrasts_by_key(self) -> dict[str, Contrast]:
        """All contrasts by the key that messages name: `primary`, `secondary.NAME`."""
        return {"primary": self.primary} | {f"secondary.{contrast.name}": contrast for contrast in self.secondary}

    @property
    def family(self) -> tuple[Contrast, ...]:
        """The confirmatory contrasts, over which Holm's correction runs; the primary one is the first."""
        return tuple(contrast for contrast in self.contrasts if contrast.status == "confirmatory")

    @property
    def block_noun(self) -> str:
        """What the study may be done by, which is also what its tests generalise over: the encoder or the seed."""
        return replicate(self.encoders)

    @property
    def blocks(self) -> tuple[str, ...]:
        """The names of the blocks, each of which may be done at another time: `lab-wide-2`, or `seed-0`."""
        return self.encoders if self.block_noun == "encoder" else tuple(f"seed-{seed}" for seed in self.seeds)

    def block_of(self, encoder: str, seed: int) -> str:
        """Return the name of the block that a run belongs to."""
        return encoder if self.block_noun == "encoder" else f"seed-{seed}"

    def __hash__(self) -> int:
        return hash(self.digest)

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of everything that the protocol says; comments and spaces of the file do not count.

        `per_target` counts only where it is used: it is younger than the first registrations.
        """
        said = self.model_dump(mode="json", exclude=None if self.per_target else {"per_target"})
        content = json.dumps(said, sort_keys=True, allow_nan=False)
        return hashlib.sha256(content.encode()).hexdigest()


def locate_protocol(name: str, folder: Path | None = None) -> Path:
    """Return the path of a protocol: in `folder`, else in protocols/ here, else among those of this package.

    Raises ConfigError that lists the known protocols.
    """
    folders = [folder] if folder else [PROTOCOLS, _INSTALLED, _CHECKOUT]
    for place in folders:
        if (path := place / f"{name}.toml").is_file():
            return path
    known = sorted({path.stem for place in folders for path in place.glob("*.toml")})
    raise ConfigError(f"no protocol {shown(name)} in {folders[0]}; known: {', '.join(known) or 'none'}")


def registration_path(path: Path) -> Path:
    """Return where the registration of the protocol at `path` is: beside it, or here if it is the package's own."""
    folder = PROTOCOLS if path.parent == _INSTALLED else path.parent
    return folder / REGISTERED / f"{path.stem}.json"


def read_protocol(path: Path) -> Protocol:
    """Read a protocol. Raises ConfigError that names the file, the key, the value and what would be right."""
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not a TOML file ({error}); correct this place") from error
    return make_protocol(content, str(path))


def make_protocol(content: Mapping[str, Any], source: str) -> Protocol:
    """Return the protocol with this content; errors name `source`. Raises ConfigError as `read_protocol` does."""
    try:
        return Protocol.model_validate(dict(content))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{source}{f', key {key}' * bool(key)}: {_reason(first)}") from error


def _reason(error: Any) -> str:
    if error["type"] == "missing":
        return "it is missing; add it"
    if error["type"] == "extra_forbidden":
        return "there is no such key; correct its name or remove it"
    message = str(error["msg"]).removeprefix("Value error, ")
    return message if error["type"] == "value_error" else f"{message} (it is {shown(error['input'])})"


def _tuples(content: Mapping[str, Any]) -> dict[str, Any]:
    """A table with its lists as tuples, also those of the tables in it."""
    return {name: _as_tuple(value) for name, value in content.items()}


def _as_tuple(value: Any) -> Any:
    if isinstance(value, dict):
        return _tuples(value)
    return tuple(value) if isinstance(value, list) else value


def _named_levels(factor: str, levels: Any) -> Any:
    """The levels of a factor by name. A level that is one value sets the field that the factor is named after."""
    if not isinstance(levels, tuple):
        return levels
    named: dict[str, Any] = {}
    for level in levels:
        fields = dict(level) if isinstance(level, dict) else {factor: level}
        name = fields.pop("name", None) if isinstance(level, dict) else f"{level}"
        if not isinstance(name, str):
            raise ValueError(f'factors.{factor}: a level has no name; write {{name = "…", …}}')
        if name in named:
            raise ValueError(f"factors.{factor}: two levels have the name {name!r}; give each its own")
        named[name] = fields
    if not named:
        raise ValueError(f"factors.{factor}: it has no level; add one, or remove the factor")
    return named
