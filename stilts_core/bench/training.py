"""The training workloads: our loop and transformers' Trainer on the same examples, with as many updates."""

import gc
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import cast

import numpy as np
import torch
import transformers

from stilts_core.bench.figures import Entry, MeasuredFigures, compare_figures, describe_range
from stilts_core.bench.measurement import (
    Options,
    choose_fastest,
    measure_alternately,
    measure_matmul_rate,
    measure_peak_memory,
)
from stilts_core.bench.trainer_peer import (
    ATTENTIONS,
    TrainerConfiguration,
    build_model,
    predict_outputs,
    train_model,
)
from stilts_core.bench.workloads import BEST, DEFAULT, LEARNING_RATE, Workload
from stilts_core.encoders.encoder import Encoder
from stilts_core.families.features import Features, used_ids
from stilts_core.families.head import Head
from stilts_core.families.setting import TaskSetting
from stilts_core.families.table import get_family
from stilts_core.runs.encoders import load_encoder
from stilts_core.runs.prediction import predict
from stilts_core.runs.preparation import TaskData, prepare_task
from stilts_core.sources.publishers import read
from stilts_core.training.compute import Compute
from stilts_core.training.loop import train
from stilts_core.training.phase import Phase
from stilts_core.training.schedule import Schedule, TrainingTask

TRIAL_UPDATES = 3  # updates after which the attention that suits the peer is chosen
POOL = 50  # batches sorted together, by our loop always and by Trainer on large data
DEV_EPOCHS = 3.0  # passes over the examples before dev scores are compared
MATMUL = "matrix products"  # measured between the repetitions of the peers


@dataclass(frozen=True)
class TrainingCase:
    """One training to measure: the encoder's name, the task, its features, the schedule and the resources.

    All peers train the same case, and repetitions differ only in the seed.
    """

    encoder: str
    setting: TaskSetting
    features: Features
    schedule: Schedule
    compute: Compute

    def with_seed(self, seed: int) -> "TrainingCase":
        """The same case with another seed."""
        return replace(self, schedule=replace(self.schedule, seed=seed))


def make_case(workload: Workload, options: Options) -> tuple[TrainingCase, TaskData]:
    """The training case of a workload, and its task with the English dev examples."""
    config = workload.make_config(options.encoder)
    encoder = load_encoder(config.encoder, dropout=config.dropout)
    train_part = read(workload.target, "train", limit=config.target_examples).items
    dev_part = read(workload.target, "dev", limit=config.dev_examples).items
    task = prepare_task(workload.target, train_part, dev_part, config, encoder)
    schedule = Schedule(epochs=1.0, lr=LEARNING_RATE, batch_size=workload.batch_size, seed=0)
    return TrainingCase(config.encoder, task.setting, task.train, schedule, options.compute), task


def load_pretrained(case: TrainingCase) -> tuple[Encoder, Head]:
    """The pretrained encoder, and a new head whose weights depend on the seed of the case."""
    encoder = load_encoder(case.encoder, dropout=case.setting.dropout)
    torch.manual_seed(case.schedule.seed)
    return encoder, get_family(case.setting.task).new_head(encoder, case.setting)


def train_ours(case: TrainingCase, others: tuple[Features, ...] = ()) -> tuple[Phase, Encoder, Head]:
    """Train with our loop. The vocabulary is trimmed to the sub-words of the case and of `others`."""
    encoder, head = load_pretrained(case)
    encoder.trim_vocabulary(used_ids(case.features, *others))
    tasks = [TrainingTask(case.setting.task.name, case.features, head)]
    with tempfile.TemporaryDirectory() as folder:
        phase = train(encoder, tasks, case.schedule, title="bench", checkpoints=Path(folder), compute=case.compute)
    return phase, encoder, head


def train_theirs(
    case: TrainingCase, configuration: TrainerConfiguration, steps: int = -1
) -> tuple[Phase, transformers.PreTrainedModel, int]:
    """Train with Trainer from the same weights; returns the phase, the model and the padding id of the encoder."""
    gc.collect()  # an earlier Trainer is in a reference cycle, which holds its weights and moments
    encoder, head = load_pretrained(case)
    model = build_model(encoder.folder, case.setting, head, configuration.attention)
    pad = encoder.tokenizer.pad
    del encoder, head
    phase = train_model(
        model, case.features, case.setting, case.schedule, configuration, case.compute, pad=pad, steps=steps
    )
    return phase, model, pad


def choose_configurations(case: TrainingCase) -> dict[str, TrainerConfiguration]:
    """Trainer with its defaults, and at its best: with the attention that is faster in a few updates of this case.

    The case is short. `POOL` gives the peer no more padding than it would have in a long training.
    """
    best = TrainerConfiguration(bf16=case.compute.precision == "bf16", by_length=True)

    def measure_trial(attention: str, _: int) -> float:
        return train_theirs(case, replace(best, attention=attention), TRIAL_UPDATES)[0].seconds

    trials = {attention: partial(measure_trial, attention) for attention in ATTENTIONS}
    attention = choose_fastest("attention of Trainer", trials)
    return {BEST: replace(best, attention=attention, pool=POOL), DEFAULT: TrainerConfiguration()}


def measure_training(workload: Workload, options: Options) -> MeasuredFigures:
    """Speed, padding, useful arithmetic and memory of one training workload, and dev scores if there are seeds."""
    case, _ = make_case(workload, options)
    peers = choose_configurations(case)
    _warm_up(case, peers[DEFAULT])
    phases, rate = _measure_phases(workload.name, case, peers, options.repetitions)
    figures = {name: _compute_figures(case, measured, rate) for name, measured in phases.items()}
    figures["ours"]["peak_memory_bytes"] = [measure_peak_memory(train_ours, case)]
    for name, configuration in peers.items():
        figures[name]["peak_memory_bytes"] = [measure_peak_memory(train_theirs, case, configuration)]
    result = {
        measure: {name: compare_figures(measure, ours, figures[name][measure]) for name in peers}
        for measure, ours in figures["ours"].items()
    }
    for name, configuration in peers.items():
        result["examples_per_second"][name]["configuration"] = asdict(configuration)
    if options.seeds:
        result["dev"] = {BEST: _compare_dev_scores(workload, options, peers[BEST])}
    return result


def _warm_up(case: TrainingCase, configuration: TrainerConfiguration) -> None:
    """Train a few updates with our loop and with Trainer's defaults; the trials have warmed up its best."""
    few = replace(case.schedule, epochs=TRIAL_UPDATES * case.schedule.batch_size / len(case.features))
    train_ours(replace(case, schedule=few))
    train_theirs(case, configuration, steps=1)


def _measure_phases(
    title: str, case: TrainingCase, peers: Mapping[str, TrainerConfiguration], repetitions: int
) -> tuple[dict[str, list[Phase]], float]:
    """The phases of ours and of every peer by repetition, and the highest rate of matrix products beside them."""

    def train_peer(configuration: TrainerConfiguration, seed: int) -> Phase:
        return train_theirs(case.with_seed(seed), configuration)[0]

    calls: dict[str, Callable[[int], Phase | float]] = {
        "ours": lambda seed: train_ours(case.with_seed(seed))[0],
        MATMUL: lambda _: measure_matmul_rate(case.compute),
    }
    calls |= {name: partial(train_peer, configuration) for name, configuration in peers.items()}
    results = measure_alternately(title, calls, repetitions)
    rate = max(cast(list[float], results.pop(MATMUL)))
    return cast(dict[str, list[Phase]], results), rate


def _compute_figures(case: TrainingCase, phases: list[Phase], rate: float) -> dict[str, list[float]]:
    """The measures of every repetition.

    Useful arithmetic counts real sub-words only, and three forward passes for the forward and backward pass of a step.
    """
    lengths = np.diff(case.features.starts).astype(float)
    useful = 3 * load_encoder(case.encoder).count_flops(lengths.sum(), (lengths**2).sum())
    return {
        "examples_per_second": [len(case.features) / phase.seconds for phase in phases],
        "tokens_per_second": [lengths.sum() / phase.seconds for phase in phases],
        "useful_flops_share": [useful / phase.seconds / rate for phase in phases],
        "padding_share": [phase.padding_share for phase in phases],
        "updates": [phase.steps for phase in phases],
    }


def _compare_dev_scores(workload: Workload, options: Options, configuration: TrainerConfiguration) -> Entry:
    """The dev scores of both sides by seed, from the same weights and after as many updates, and their difference.

    Only the order of the examples differs between the two sides.
    """
    case, task = make_case(replace(workload, examples=workload.learnt_from), options)
    case = replace(case, schedule=replace(case.schedule, epochs=DEV_EPOCHS))
    configuration = replace(configuration, pool=None)  # fully sorted data would be trained on in order of length
    setting, family = case.setting, get_family(case.setting.task)

    def score(outputs: np.ndarray) -> float:
        predictions = family.decode(outputs, task.dev, task.dev_examples, setting)
        return family.score_predictions(task.dev_examples, predictions, setting, "en").metrics[setting.task.metric]

    def score_ours(seed: int) -> float:
        _, encoder, head = train_ours(case.with_seed(seed), (task.dev,))
        return score(predict(encoder, head, task.dev, case.compute))

    def score_theirs(seed: int) -> float:
        _, model, pad = train_theirs(case.with_seed(seed), configuration)
        rows = case.schedule.batch_size
        return score(predict_outputs(model, task.dev, setting, configuration, case.compute, pad=pad, rows=rows)[0])

    scores = measure_alternately(f"{workload.name} dev", {"ours": score_ours, BEST: score_theirs}, options.seeds)
    entry = compare_figures("dev", scores["ours"], scores[BEST])
    entry["difference"] = describe_range([a - b for a, b in zip(scores["ours"], scores[BEST], strict=True)])
    return entry
