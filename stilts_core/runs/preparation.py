"""From examples to what a phase trains on: the setting of a task, its features, and the schedule."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import islice

from stilts_core.config import ResolvedConfig
from stilts_core.encoders.encoder import Encoder
from stilts_core.errors import DataError
from stilts_core.families.auxiliary import Auxiliary, make_auxiliary
from stilts_core.families.feature_cache import cached_features, cached_text_features
from stilts_core.families.features import Features
from stilts_core.families.setting import TaskSetting
from stilts_core.families.table import get_family
from stilts_core.runs.measures import scored_state
from stilts_core.runs.record import CardRecord, PhaseName
from stilts_core.tasks.catalogue import get_task
from stilts_core.tasks.examples import Example, Item, TaggingExample, TextExample, has_label
from stilts_core.training.batching import compute_sampling_shares
from stilts_core.training.schedule import Schedule

CARDS = 2  # examples of each task that the record shows


@dataclass
class TaskData:
    """One task of a phase: English training features, and the English dev examples with their features."""

    setting: TaskSetting
    train: Features
    dev_examples: list
    dev: Features

    @property
    def name(self) -> str:
        """The task's name."""
        return self.setting.task.name


def prepare_task(
    name: str, train: Sequence[Example], dev: Sequence[Item], config: ResolvedConfig, encoder: Encoder
) -> TaskData:
    """The setting of a task in a run, and the features of its English training and dev examples."""
    setting = task_setting(name, config, encoder)
    if setting.task.family == "tagging" and not setting.labels:
        tags = {tag for example in train if isinstance(example, TaggingExample) for tag in example.tags or ()}
        setting = replace(setting, labels=tuple(sorted(tags)))
    if any(not has_label(item) for item in (*train, *dev)):
        raise DataError(f"{name}: an item of the training or dev part has no label; only a test part may lack labels")
    tokenizer = encoder.tokenizer
    features, dev_features = (cached_features(part, tokenizer, setting) for part in (train, dev))
    return TaskData(setting, features, list(dev), dev_features)


def task_setting(name: str, config: ResolvedConfig, encoder: Encoder) -> TaskSetting:
    """The setting of a task in a run, with the labels of the catalogue."""
    task = get_task(name)
    return TaskSetting(
        task=task,
        labels=task.labels,
        max_length=min(config.max_length or task.paper.max_length, encoder.max_length),
        dropout=encoder.dropout,
        pooling=config.pooling,
        layer=scored_state(config.layer, encoder.layers),
    )


def phase_schedule(config: ResolvedConfig, phase: PhaseName, setting: TaskSetting) -> Schedule:
    """The schedule of the last intermediate phase, or of the target phase.

    Values come from the config, else from its profile, else from the paper's recipe of the task. Raises ValueError for
    a task whose recipe trains nothing, where neither config nor profile gives values.
    """
    published = setting.task.paper
    tasks = config.last_tasks if phase == "intermediate" else (setting.task.name,)
    recipe = config.phase_recipe(phase, tasks)
    lr, batch_size = recipe.lr or published.learning_rate, config.batch_size or published.batch_size
    if lr is None or batch_size is None:
        raise ValueError(f"the recipe of {setting.task.name} trains nothing; set {phase}_lr and batch_size")
    return Schedule(
        epochs=recipe.epochs or published.epochs,
        steps=recipe.steps,
        lr=lr,
        batch_size=batch_size,
        seed=config.seeds.order,
        initialisation_seed=config.seeds.initialisation,
        frozen=config.intermediate_frozen if phase == "intermediate" else config.target_frozen,
        warmup=config.warmup,
        weight_decay=config.weight_decay,
        clip=config.clip,
        temperature=config.sampling_temperature,
        cap=config.sampling_cap,
        auxiliary_weight=config.auxiliary_weight,
        auxiliary_rises=config.auxiliary_schedule == "rising",
    )


def prepare_auxiliary(
    config: ResolvedConfig, texts: Sequence[TextExample], sizes: list[int], length: int, encoder: Encoder
) -> Auxiliary:
    """What the last intermediate phase trains on unlabelled texts, of which an input has at most `length` sub-words.

    `sizes` are the numbers of texts by language, in the order of the texts.
    """
    features = cached_text_features(texts, encoder.tokenizer, length)
    shares = None
    if config.text_alpha != 1:
        temperature = 1 / config.text_alpha if config.text_alpha else math.inf
        shares = compute_sampling_shares(sizes, temperature=temperature)
    return make_auxiliary(
        config.auxiliary if config.last_tasks and config.auxiliary else "mlm",
        texts,
        features,
        seed=config.seeds.selection,
        shares=shares,
        level=config.auxiliary_level,
        layer=config.auxiliary_layer,
    )


def task_cards(name: str, examples: Sequence[Item]) -> list[CardRecord]:
    """Two examples of a task with their right answers, for a reader."""
    cards = get_family(get_task(name)).cards(examples)
    return [CardRecord(text=card.texts, label=card.answer) for card in islice(cards, CARDS)]
