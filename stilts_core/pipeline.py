"""A run from its configuration to its record: data, intermediate phase, target phase, zero-shot evaluation."""

import shutil
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path

from safetensors.torch import save_file

from stilts_core import distributed
from stilts_core.batching import used_ids
from stilts_core.catalogue import INTERMEDIATE_TASKS, task
from stilts_core.checkpoint import locked
from stilts_core.compute import Compute
from stilts_core.config import ConfigError, RunConfig
from stilts_core.encoder import Encoder, load_encoder
from stilts_core.evaluation import Evaluation
from stilts_core.families.head import Head
from stilts_core.families.setting import Setting
from stilts_core.feature_cache import features_of, text_features
from stilts_core.gathering import (
    checkpoint_folder,
    files_of,
    gather_intermediate,
    gather_target,
    intermediate_tasks,
    run_folder,
)
from stilts_core.laps import Laps
from stilts_core.phases import Intermediate, TaskData, intermediate_encoder, train_phase
from stilts_core.progress import Progress
from stilts_core.records import RECORD, SCHEMA, environment, now, peak_memory_bytes, read_record, write_record
from stilts_core.training import Schedule

CARDS = 2  # examples of each task that the record shows


def run(config: RunConfig) -> dict:
    """Do the run that `config` describes, or find it done, and return its record.

    The record, the predictions in XTREME's layout and the shared intermediate checkpoint lie under `config.runs_dir`.
    A run that was interrupted goes on from its last checkpoint. Processes that are `distributed.together` do it
    together. Raises ConfigError, DataError, EncoderError or TrainingError with the remedy.
    """
    laps = Laps()
    config = config.resolved()
    files = files_of(config)
    folder = run_folder(config, files)
    with locked(folder):
        if (folder / RECORD).exists():
            return read_record(folder / RECORD)
        record = _run(config, files, folder, laps)
        if distributed.rank() == 0:
            write_record(folder, record)
    shutil.rmtree(folder / "checkpoint", ignore_errors=True)
    return record


def intermediate(config: RunConfig) -> dict:
    """Compute the encoder after the intermediate phase, which targets share, or find it; returns the phase's report."""
    config = config.resolved()
    if config.intermediate == "none":
        raise ConfigError("intermediate is 'none', which has no phase to compute; choose a task, all, or mlm")
    return _intermediate_phase(config, Compute.of(config))[1][0]


def _run(config: RunConfig, files: dict[str, str], folder: Path, laps: Laps) -> dict:
    """The run itself, and its record."""
    started = now()
    compute = Compute.of(config)
    data = gather_target(config)
    laps.end("data")
    encoder, phases, facts = _intermediate_phase(config, compute)
    laps.end("intermediate")

    target = task_data(config.target, data.target, config, encoder)
    setting, tokens = target.setting, encoder.tokens
    sets = {"tests": data.tests, "tuning": data.tuning, "repaired": data.repaired}
    features = {
        part: {language: features_of(items, tokens, setting) for language, items in languages.items()}
        for part, languages in sets.items()
    }
    test_features = [columns for languages in features.values() for columns in languages.values()]
    encoder.trim_vocabulary(used_ids(target.train, target.dev, *test_features))
    head = setting.family.head(encoder, setting)
    if len(target.train):
        schedule = schedule_of(config, "target", setting)
        report, heads, phase = train_phase("target", encoder, [target], schedule, compute, folder / "checkpoint")
        phases.append(report)
        head = heads[config.target]
        if config.keep_checkpoint and distributed.rank() == 0:
            _keep(folder / "model", encoder, head, phase.unused_scale)
    laps.end("target")

    metric = "f1" if (config.target, config.pos_metric) == ("udpos", "xtreme") else setting.task.metric
    evaluation = Evaluation(encoder, head, setting, compute, folder, metric)
    progress = Progress(f"scoring {config.target}", len(data.tests), quiet=compute.quiet)
    for done, language in enumerate(evaluation.score(sets, features), start=1):
        progress.update(done, language=language, score=f"{evaluation.scores[language]['score']:.1f}")
    laps.end("evaluation")
    shown = data.target[0] or next(iter(data.tests.values()))
    return {
        "schema": SCHEMA,
        "run_id": folder.name,
        "folder": str(folder),
        "profile": config.profile,
        "started": started,
        "finished": now(),
        "config": config.to_dict(),
        "notes": list(dict.fromkeys([*facts["notes"], *data.notes])),
        "same_data": bool(set(intermediate_tasks(config)) & set(setting.task.same_data)),
        "encoder": encoder.describe(),
        "phases": phases,
        "metric": metric,
        "metrics": list(setting.task.metrics),
        "scores": evaluation.scores,
        "averages": evaluation.averages(),
        "layers": evaluation.layers,
        "cards": facts["cards"] | {config.target: _cards(config.target, shown)},
        "errors": evaluation.mistakes(),
        "data": {"files": files, "dropped": facts["dropped"] | data.dropped},
        "cost": {
            "seconds": round(sum(laps.seconds.values()), 2),
            "seconds_by_part": laps.seconds,
            "first_step_seconds": next((p["first_step_seconds"] for p in phases if not p["reused"]), None),
            "peak_memory_bytes": peak_memory_bytes(),
            "flops": sum(phase["flops"] for phase in phases if not phase["reused"]) + evaluation.flops,
        },
        "environment": environment(compute),
    }


def _keep(folder: Path, encoder: Encoder, head: Head, unused_scale: float) -> None:
    """Write the fine-tuned encoder as a Hugging Face folder with its full vocabulary, and its head beside it."""
    shutil.rmtree(folder, ignore_errors=True)
    encoder.save(folder, unused_scale)
    save_file(head.state_dict(), folder / "head.safetensors")


def _intermediate_phase(config: RunConfig, compute: Compute) -> tuple[Encoder, list[dict], dict]:
    """The encoder that the target phase starts from, the record of how it came about, and what to tell of its data."""
    encoder = load_encoder(config.encoder, dropout=config.dropout)
    if config.intermediate == "none":
        return encoder, [], {"notes": [], "dropped": {}, "cards": {}}
    prepare = partial(_intermediate_material, config)
    encoder, report, facts = intermediate_encoder(encoder, checkpoint_folder(config), prepare, compute)
    return encoder, [report], facts


def _intermediate_material(config: RunConfig, encoder: Encoder) -> Intermediate:
    """The features of the intermediate phase and its schedule.

    Masked language modelling alone takes as many steps as one task with as many examples would.
    """
    data = gather_intermediate(config)
    tasks = [task_data(name, parts, config, encoder) for name, parts in data.intermediate.items()]
    setting = tasks[0].setting if tasks else setting_of(INTERMEDIATE_TASKS[0], config, encoder)
    schedule = schedule_of(config, "intermediate", setting)
    if not tasks:
        schedule = replace(schedule, cap=config.intermediate_examples)
    texts = text_features(data.texts, encoder.tokens, setting.max_length) if data.texts else None
    cards = {name: _cards(name, train) for name, (train, _) in data.intermediate.items()}
    return Intermediate(tasks, schedule, texts, {"notes": data.notes, "dropped": data.dropped, "cards": cards})


def task_data(name: str, parts: tuple[list, list], config: RunConfig, encoder: Encoder) -> TaskData:
    """The features of a task's English train and dev parts, under the setting that the run treats it in."""
    train, dev = parts
    setting = setting_of(name, config, encoder)
    if setting.task.family == "tagging" and not setting.labels:
        setting = replace(setting, labels=tuple(sorted({tag for example in train for tag in example.tags})))
    return TaskData(
        setting, features_of(train, encoder.tokens, setting), dev, features_of(dev, encoder.tokens, setting)
    )


def setting_of(name: str, config: RunConfig, encoder: Encoder) -> Setting:
    """How the run treats a task; its labels are the catalogue's."""
    row = task(name)
    return Setting(
        task=row,
        labels=row.labels,
        max_length=min(config.max_length or row.paper.max_length, encoder.max_length),
        dropout=encoder.dropout,
        pooling=config.pooling,
        layer=round(encoder.layers * 14 / 24) if config.layer is None else config.layer,
    )


def schedule_of(config: RunConfig, phase: str, setting: Setting) -> Schedule:
    """The schedule of a phase: the config's values, and where it leaves them open those of the paper for the task."""
    recipe = setting.task.paper
    epochs, lr = getattr(config, f"{phase}_epochs"), getattr(config, f"{phase}_lr")
    return Schedule(
        epochs=epochs or recipe.epochs,
        lr=lr or recipe.learning_rate,
        batch_size=config.batch_size or recipe.batch_size,
        seed=config.seed,
        warmup=config.warmup,
        weight_decay=config.weight_decay,
        clip=config.clip,
        temperature=config.sampling_temperature,
        cap=config.sampling_cap,
        mlm_weight=config.mlm_weight if phase == "intermediate" else 0.0,
    )


def _cards(name: str, examples: list) -> list[dict]:
    """Two examples of a task, with their right answers."""
    cards = Setting(task(name)).family.cards(examples)
    return [{"text": texts, "label": right} for texts, right in islice(cards, CARDS)]
