"""A run from its configuration to its record: data, intermediate phase, target phase, zero-shot evaluation."""

import shutil
from itertools import islice
from pathlib import Path

from safetensors.torch import save_file

from stilts_core import distributed
from stilts_core.batching import used_ids
from stilts_core.catalogue import task
from stilts_core.checkpoint import locked
from stilts_core.compute import Compute
from stilts_core.config import RunConfig
from stilts_core.encoder import Encoder, load_encoder
from stilts_core.evaluation import Evaluation
from stilts_core.families.head import Head
from stilts_core.families.setting import Setting
from stilts_core.feature_cache import features_of, text_features
from stilts_core.gathering import Data, gather, run_folder
from stilts_core.laps import Laps
from stilts_core.phases import TaskData, intermediate_encoder, train_phase
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
    data = gather(config)
    folder = run_folder(config, data.files)
    with locked(folder):
        if (folder / RECORD).exists():
            return read_record(folder / RECORD)
        record = _run(config, data, folder, laps)
        if distributed.rank() == 0:
            write_record(folder, record)
    shutil.rmtree(folder / "checkpoint", ignore_errors=True)
    return record


def _run(config: RunConfig, data: Data, folder: Path, laps: Laps) -> dict:
    """The run itself, and its record."""
    started = now()
    compute = Compute.of(config)
    laps.end("data")
    encoder, phases = _intermediate_phase(config, data, compute)
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

    return {
        "schema": SCHEMA,
        "run_id": folder.name,
        "folder": str(folder),
        "profile": config.profile,
        "started": started,
        "finished": now(),
        "config": config.to_dict(),
        "notes": data.notes,
        "same_data": bool(set(data.intermediate) & set(setting.task.same_data)),
        "encoder": encoder.describe(),
        "phases": phases,
        "metric": metric,
        "metrics": list(setting.task.metrics),
        "scores": evaluation.scores,
        "averages": evaluation.averages(),
        "layers": evaluation.layers,
        "cards": _cards(config, data),
        "errors": evaluation.mistakes(),
        "data": {"files": data.files, "dropped": data.dropped},
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


def _intermediate_phase(config: RunConfig, data: Data, compute: Compute) -> tuple[Encoder, list[dict]]:
    """The encoder that the target phase starts from, and the record of how it came about."""
    if not data.intermediate:
        return load_encoder(config.encoder, dropout=config.dropout), []
    encoder = load_encoder(config.encoder, dropout=config.dropout)
    tasks = [task_data(name, parts, config, encoder) for name, parts in data.intermediate.items()]
    texts = text_features(data.texts, encoder.tokens, tasks[0].setting.max_length) if data.texts else None
    encoder, report = intermediate_encoder(
        encoder,
        tasks,
        schedule_of(config, "intermediate", tasks[0].setting),
        compute,
        Path(config.runs_dir) / "checkpoints",
        unlabelled=texts,
    )
    return encoder, [report]


def task_data(name: str, parts: tuple[list, list], config: RunConfig, encoder: Encoder) -> TaskData:
    """The features of a task's English train and dev parts, under the setting that the run treats it in."""
    train, dev = parts
    row = task(name)
    labels = row.labels
    if row.family == "tagging" and not labels:
        labels = tuple(sorted({tag for example in train for tag in example.tags}))
    setting = Setting(
        task=row,
        labels=labels,
        max_length=min(config.max_length or row.paper.max_length, encoder.max_length),
        dropout=encoder.dropout,
        pooling=config.pooling,
        layer=round(encoder.layers * 14 / 24) if config.layer is None else config.layer,
    )
    return TaskData(
        setting, features_of(train, encoder.tokens, setting), dev, features_of(dev, encoder.tokens, setting)
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


def _cards(config: RunConfig, data: Data) -> dict[str, list[dict]]:
    """Two examples of every task of the run, with their right answers."""
    shown = {name: train for name, (train, _) in data.intermediate.items()}
    shown[config.target] = data.target[0] or next(iter(data.tests.values()))
    return {
        name: [
            {"text": texts, "label": right}
            for texts, right in islice(Setting(task(name)).family.cards(examples), CARDS)
        ]
        for name, examples in shown.items()
    }
