"""Every task in one table: family, role, languages, metric, training source, data and published recipe."""

import csv
import re
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from importlib.resources import files

from stilts_core.config import ConfigError
from stilts_core.languages import language, languages  # noqa: F401  (part of the catalogue to its readers)
from stilts_core.sources.layouts import FILES, HUB, Layout

NLI = ("entailment", "neutral", "contradiction")
UPOS = (
    "ADJ", "ADP", "ADV", "AUX", "CCONJ", "DET", "INTJ", "NOUN", "NUM", "PART", "PRON", "PROPN", "PUNCT", "SCONJ",
    "SYM", "VERB", "X",
)  # fmt: skip
IOB2 = ("O", "B-PER", "I-PER", "B-ORG", "I-ORG", "B-LOC", "I-LOC")


@dataclass(frozen=True)
class Recipe:
    """Hyper-parameters of a published recipe and where they are published.

    `batch_size` counts examples per optimiser step, `warmup` is a share of all steps. Both rates and sizes are None
    where the recipe scores the encoder without training it.
    """

    learning_rate: float | None
    batch_size: int | None
    epochs: int
    max_length: int
    warmup: float
    source: str
    notes: str


@dataclass(frozen=True)
class Task:
    """One row of the catalogue.

    `labels` are the label or tag names in order, empty where the training data give them. `trained_on` is the task
    whose English training set a target uses, None where it is scored without training. `same_data` are the
    intermediate tasks whose training set holds that set. `parallel`: item i is the same item in every language.
    """

    name: str
    title: str
    family: str
    roles: tuple[str, ...]
    metric: str
    metrics: tuple[str, ...]
    trained_on: str | None
    labels: tuple[str, ...] = ()
    same_data: tuple[str, ...] = ()
    parallel: bool = False
    null_answers: bool = False

    @property
    def languages(self) -> dict[str, tuple[str, ...]]:
        """The languages of the task by benchmark version."""
        return _benchmark_languages(self.name) if "target" in self.roles else {"english": ("en",)}

    @property
    def files(self) -> tuple[Layout, ...]:
        """Where its files lie under the data root, the real set first."""
        return FILES[self.name]

    @property
    def hub(self) -> Layout | None:
        """Where it lies on the Hugging Face hub, None where the hub does not have it."""
        return HUB.get(self.name)

    @property
    def stand_in(self) -> str | None:
        """The sentence that every table prints where the real set is not at hand."""
        return next((layout.stand_in for layout in self.files if layout.stand_in), None)

    @property
    def paper(self) -> Recipe:
        """The paper's recipe (jiant's), or XTREME-R's for the targets that the paper does not have."""
        return _recipe(self.name, "target" in self.roles)


_INTERMEDIATE, _TARGET, _TRAINING = ("intermediate",), ("target",), ("training",)
_ACCURACY = {"metric": "accuracy", "metrics": ("accuracy",)}
_EM_F1 = {"metric": "em_f1", "metrics": ("em_f1", "exact_match", "f1")}
_POS = {"metric": "accuracy", "metrics": ("accuracy", "f1")}
_SPAN_F1 = {"metric": "f1", "metrics": ("f1", "precision", "recall")}
_MAP = {"metric": "map", "metrics": ("map",)}

TASKS: dict[str, Task] = {
    task.name: task
    for task in (
        # The nine intermediate tasks, in the paper's order
        Task("anli", "ANLI+ (ANLI, MNLI, SNLI)", "pair", _INTERMEDIATE, **_ACCURACY, trained_on="anli", labels=NLI),
        Task("mnli", "MultiNLI", "pair", _INTERMEDIATE, **_ACCURACY, trained_on="mnli", labels=NLI),
        Task("qqp", "Quora Question Pairs", "pair", _INTERMEDIATE, **_ACCURACY, trained_on="qqp", labels=("0", "1")),
        Task("squad_v2", "SQuAD 2.0", "span", _INTERMEDIATE, **_EM_F1, trained_on="squad_v2", null_answers=True),
        Task("squad", "SQuAD 1.1", "span", _INTERMEDIATE, **_EM_F1, trained_on="squad"),
        Task("hellaswag", "HellaSwag", "choice", _INTERMEDIATE, **_ACCURACY, trained_on="hellaswag"),
        Task("ccg", "CCG supertagging", "tagging", _INTERMEDIATE, **_ACCURACY, trained_on="ccg"),
        Task("cosmosqa", "Cosmos QA", "choice", _INTERMEDIATE, **_ACCURACY, trained_on="cosmosqa"),
        Task("commonsenseqa", "CommonsenseQA", "choice", _INTERMEDIATE, **_ACCURACY, trained_on="commonsenseqa"),
        # Two more English sets: XTREME-R's intermediate task for XCOPA, and XCOPA's training set
        Task("socialiqa", "Social IQa", "choice", _INTERMEDIATE, **_ACCURACY, trained_on="socialiqa"),
        Task("copa", "COPA", "choice", _TRAINING, **_ACCURACY, trained_on="copa"),
        # XTREME's nine targets
        Task(
            "xnli", "XNLI", "pair", _TARGET, **_ACCURACY, trained_on="mnli", labels=NLI,
            same_data=("mnli", "anli"), parallel=True,
        ),
        Task("pawsx", "PAWS-X", "pair", _TARGET, **_ACCURACY, trained_on="pawsx", labels=("0", "1"), parallel=True),
        Task("udpos", "UD part-of-speech tagging", "tagging", _TARGET, **_POS, trained_on="udpos", labels=UPOS),
        Task("panx", "PAN-X named entities", "tagging", _TARGET, **_SPAN_F1, trained_on="panx", labels=IOB2),
        Task(
            "xquad", "XQuAD", "span", _TARGET, **_EM_F1, trained_on="squad",
            same_data=("squad", "squad_v2"), parallel=True,
        ),
        Task("mlqa", "MLQA", "span", _TARGET, **_EM_F1, trained_on="squad", same_data=("squad", "squad_v2")),
        Task("tydiqa", "TyDiQA-GoldP", "span", _TARGET, **_EM_F1, trained_on="tydiqa"),
        Task("bucc2018", "BUCC 2018", "retrieval", _TARGET, **_SPAN_F1, trained_on=None),
        Task("tatoeba", "Tatoeba", "retrieval", _TARGET, **_ACCURACY, trained_on=None),
        # XTREME-R's own
        Task("xcopa", "XCOPA", "choice", _TARGET, **_ACCURACY, trained_on="copa", parallel=True),
        Task(
            "lareqa", "LAReQA (XQuAD-R)", "retrieval", _TARGET, **_MAP, trained_on="squad",
            same_data=("squad", "squad_v2"), parallel=True,
        ),
        Task("mewslix", "Mewsli-X", "retrieval", _TARGET, **_MAP, trained_on="mewslix"),
    )
}  # fmt: skip

INTERMEDIATE_TASKS = (
    "anli", "mnli", "qqp", "squad_v2", "squad", "hellaswag", "ccg", "cosmosqa", "commonsenseqa",
)  # fmt: skip
TARGET_TASKS = tuple(task.name for task in TASKS.values() if "target" in task.roles)


def task(name: str) -> Task:
    """The row of one task; raises ValueError that names the known tasks and the closest."""
    if name not in TASKS:
        close = get_close_matches(name, TASKS, n=1)
        hint = f"; did you mean {close[0]}?" if close else ""
        raise ConfigError(f"no task '{name}' in the catalogue{hint} Known: {', '.join(TASKS)}")
    return TASKS[name]


def _facts(name: str) -> list[dict[str, str]]:
    with (files("stilts_core") / "facts" / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def _benchmark_languages(name: str) -> dict[str, tuple[str, ...]]:
    facts = [row for row in _facts("xtreme_languages.csv") if row["task"] == name]
    rows = {row["benchmark"]: tuple(row["langs"].split()) for row in facts}
    if name == "lareqa":  # evaluate.py leaves it open: XQuAD-R has XTREME's XQuAD languages
        rows["xtreme-r"] = _benchmark_languages("xquad")["xtreme"]
    return rows


# The recipe of a target that the paper does not have stands under the name that XTREME-R gives it.
_XTREME_R = {"xcopa": "xcopa", "copa": "xcopa", "lareqa": "lareqa", "mewslix": "mewslix"}


@cache
def _recipe(name: str, target: bool) -> Recipe:
    for row in _facts("hyperparameters.csv"):
        subject = re.match(r"\w+", row["task"])[0] if row["task"][0].isalnum() else ""
        if name in _XTREME_R:
            found = row["phase"] == "XTREME-R" and subject == _XTREME_R[name]
        else:
            found = row["source"].startswith("jiant") and subject == (name if target else "any")
        if found:
            return Recipe(
                learning_rate=_first_number(row["lr"], float),
                batch_size=_first_number(row["effective_batch"], int),
                epochs=_first_number(row["epochs"], int),
                max_length=_first_number(row["max_seq_len"], int),
                warmup=(_first_number(row["warmup"], int) or 0) / 100,
                source=row["source"],
                notes=row["notes"],
            )
    raise LookupError(f"facts/hyperparameters.csv has no recipe for {name}")


def _first_number(text: str, kind):
    match = re.search(r"\d[\d.]*(?:e-?\d+)?", text)
    return kind(match[0]) if match else None


def catalogue_table():
    """All tasks as a rich table; the languages are counted per benchmark version (XTREME / XTREME-R)."""
    from rich.table import Table

    table = Table(box=None)
    table.add_column("task", no_wrap=True)
    for heading in ("title", "family", "role", "languages", "metric", "trained on"):
        table.add_column(heading)
    for row in TASKS.values():
        counts = " / ".join(str(len(row.languages[v])) if v in row.languages else "-" for v in ("xtreme", "xtreme-r"))
        counts = counts if "target" in row.roles else "en"
        role, trained_on = ", ".join(row.roles), row.trained_on or "none"
        table.add_row(row.name, row.title, row.family, role, counts, row.metric, trained_on)
    return table


def task_card(name: str, data=None):
    """One task as a rich table of facts, with what of it is found under the data root `data` or on the hub."""
    from rich.table import Table

    from stilts_core.sources.load import data_status

    row = task(name)
    card = Table(title=row.title, title_justify="left", show_header=False, box=None)
    card.add_row("task", row.name)
    card.add_row("family", row.family)
    card.add_row("role", ", ".join(row.roles))
    for version, codes in row.languages.items():
        card.add_row(f"languages ({version})", f"{len(codes)}: {' '.join(codes)}")
    card.add_row("metric", row.metric if len(row.metrics) == 1 else f"{row.metric} (also {', '.join(row.metrics[1:])})")
    card.add_row("English training set", row.trained_on or "none: the encoder is scored as it is")
    if row.same_data:
        card.add_row("same data", f"{', '.join(row.same_data)} (kept out of means of transfer)")
    for title, layouts in (("files", row.files), ("hub", filter(None, [row.hub]))):
        for layout in layouts:
            paths = dict.fromkeys(re.sub(r"\[.*", "", path) for part in layout.parts().values() for path in part)
            card.add_row(title, "\n".join(paths))
    recipe = row.paper
    trained = f"learning rate {recipe.learning_rate}, batch {recipe.batch_size}, {recipe.epochs} epochs, "
    card.add_row("recipe", f"{trained if recipe.epochs else ''}length {recipe.max_length} ({recipe.source})")
    if row.stand_in:
        card.add_row("stand-in", row.stand_in)
    card.add_row("data", data_status(name, data))
    return card
