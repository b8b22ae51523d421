"""The published fine-tuning recipe of each task, from `facts/hyperparameters.csv`."""

import re
from dataclasses import dataclass
from functools import cache

from stilts_core.tasks.facts import read_facts


@dataclass(frozen=True)
class PublishedRecipe:
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


@cache
def published_recipe(name: str, *, target: bool, xtreme_r: bool = False) -> PublishedRecipe:
    """The recipe of a task: jiant's (targets have one each, intermediate tasks share one), or XTREME-R's.

    Raises LookupError where the table has none.
    """
    for row in read_facts("hyperparameters"):
        subject = _first_word(row["task"])
        if xtreme_r:
            found = row["phase"] == "XTREME-R" and subject == name
        else:
            found = row["source"].startswith("jiant") and subject == (name if target else "any")
        if found:
            batch, epochs, length = (_first_number(row[key]) for key in ("effective_batch", "epochs", "max_seq_len"))
            rate = _first_number(row["lr"])
            return PublishedRecipe(
                learning_rate=None if rate is None else float(rate),
                batch_size=None if batch is None else int(batch),
                epochs=int(epochs or 0),
                max_length=int(length or 0),
                warmup=int(_first_number(row["warmup"]) or 0) / 100,
                source=row["source"],
                notes=row["notes"],
            )
    raise LookupError(f"facts/hyperparameters.csv has no recipe for {name}")


def _first_word(text: str) -> str:
    match = re.match(r"\w+", text)
    return match[0] if match else ""


def _first_number(text: str) -> str | None:
    match = re.search(r"\d[\d.]*(?:e-?\d+)?", text)
    return match[0] if match else None
