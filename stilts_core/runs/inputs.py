"""The parts of data that a run reads, made once from its configuration, and the folders that they name.

The same parts give the checksums, which are part of the name of a run, and the examples, which it trains on and scores.
"""

import hashlib
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from stilts_core.config import LABORATORY, ResolvedConfig
from stilts_core.encoders.cpu.kernels import find_deviation
from stilts_core.errors import ConfigError
from stilts_core.laboratory.edition import FIRST
from stilts_core.laboratory.source import Laboratory
from stilts_core.pretraining.recipe import parse_lab_encoder
from stilts_core.runs.encoders import identity
from stilts_core.sources import publishers
from stilts_core.sources.parts import Part, Source, TextPart
from stilts_core.tasks.catalogue import get_task

CHECKPOINT_VERSION = "3"  # raise it when the same config and data would give another intermediate checkpoint


@dataclass(frozen=True)
class TrainingParts:
    """The English training and dev parts of one task."""

    train: Part
    dev: Part


@dataclass(frozen=True)
class IntermediateInputs:
    """What the intermediate phase reads: the parts of its tasks, and unlabelled text."""

    tasks: tuple[TrainingParts, ...] = ()
    texts: tuple[TextPart, ...] = ()

    def checksums(self) -> dict[str, str]:
        """The SHA-256 of every file that the phase reads."""
        parts = [part for task in self.tasks for part in (task.train, task.dev)]
        return _checksums([*parts, *self.texts])


@dataclass(frozen=True)
class TargetInputs:
    """What the target phase and the evaluation read, test parts by language.

    `training` is None for a target that is scored without training. `tuning` holds the dev parts that set the
    threshold of mined pairs.
    """

    training: TrainingParts | None
    tests: dict[str, Part]
    tuning: dict[str, Part]

    def checksums(self) -> dict[str, str]:
        """The SHA-256 of every file that the target phase and the evaluation read."""
        training = [self.training.train, self.training.dev] if self.training else []
        return _checksums([*training, *self.tests.values(), *self.tuning.values()])


def _checksums(parts: Iterable[Part | TextPart]) -> dict[str, str]:
    files: dict[str, str] = {}
    for part in parts:
        files |= part.checksums()
    return files


def find_source(config: ResolvedConfig) -> Source:
    """The source of a run's examples. A laboratory encoder reads the edition that it was pretrained on."""
    if config.source != LABORATORY:
        return publishers
    generated = parse_lab_encoder(config.encoder)
    return Laboratory(generated[1].edition if generated else FIRST)


def intermediate_inputs(config: ResolvedConfig) -> IntermediateInputs:
    """What the intermediate phase of a run reads; it does not depend on the target."""
    tasks = [_training_parts(config, name, config.intermediate_examples) for name in config.intermediate_tasks]
    texts = [TextPart(find_source(config), code, limit) for code, limit in _text_limits(config).items()]
    return IntermediateInputs(tuple(tasks), tuple(texts))


def target_inputs(config: ResolvedConfig) -> TargetInputs:
    """What the target phase and the evaluation of a run read.

    Raises ConfigError for a language that the test part does not have.
    """
    task, source, languages = get_task(config.target), find_source(config), scored_languages(config)
    limit = 0 if task.family == "retrieval" else config.test_examples  # retrieval sets are reduced as a whole
    tests = {code: Part(source, task, "test", code, limit) for code in languages}
    tuning = {code: Part(source, task, "dev", code) for code in languages} if task.mined else {}
    training = _training_parts(config, task.name, config.target_examples) if task.trained_on else None
    return TargetInputs(training, tests, tuning)


def run_checksums(config: ResolvedConfig) -> dict[str, str]:
    """The SHA-256 of every file that a run reads, without reading examples."""
    return intermediate_inputs(config).checksums() | target_inputs(config).checksums()


def _training_parts(config: ResolvedConfig, name: str, limit: int) -> TrainingParts:
    task, source = get_task(name), find_source(config)
    train = Part(source, task, "train", limit=limit, seed=config.seed)
    return TrainingParts(train, Part(source, task, "dev", limit=config.dev_examples))


def _text_limits(config: ResolvedConfig) -> dict[str, int]:
    """How many texts of each language are read (0 = all): as many as the steps take, in the languages' proportions.

    Only generated text has limits: the laboratory makes no more texts than the phase will see.
    """
    if not config.reads_text:
        return {}
    source = find_source(config)
    available = source.text_languages()
    codes = tuple(config.mlm_languages.split(",")) if config.mlm_languages else available
    if missing := [code for code in codes if code not in available]:
        raise ConfigError(
            f"mlm_languages is {config.mlm_languages!r}; there is no unlabelled text in {', '.join(missing)}; "
            f"available languages: {', '.join(available)}"
        )
    sizes = {code: source.text_size(code) for code in codes}
    visited = (config.intermediate_epochs or 1) * config.intermediate_examples * max(1, len(config.intermediate_tasks))
    share = visited / max(1, sum(sizes.values())) or 1
    return {code: min(size, math.ceil(share * size)) for code, size in sizes.items()}


def scored_languages(config: ResolvedConfig) -> tuple[str, ...]:
    """The languages to score: the chosen ones, else all that are available."""
    available = find_source(config).available_languages(config.target)
    chosen = config.asked_languages or available
    if missing := [code for code in chosen if code not in available]:
        raise ConfigError(
            f"{config.target} has no test examples in {', '.join(missing)}; available languages: {', '.join(available)}"
        )
    return chosen


def run_folder(config: ResolvedConfig, checksums: dict[str, str]) -> Path:
    """The folder of a run, named after all that decides its result: config, encoder and data (`run_checksums`)."""
    facts = {"weights": identity(config.encoder), "data": _digest(checksums)} | _deviation(config)
    return Path(config.runs_dir) / config.profile / config.run_id(**facts)


def checkpoint_folder(config: ResolvedConfig) -> Path:
    """The folder of the intermediate checkpoint, named after all that decides it; all targets share it."""
    data = _digest(intermediate_inputs(config).checksums())
    facts = {"weights": identity(config.encoder), "data": data, "format": CHECKPOINT_VERSION} | _deviation(config)
    return Path(config.runs_dir) / "checkpoints" / config.checkpoint_id(**facts)


def _deviation(config: ResolvedConfig) -> dict[str, str]:
    """What names a run that a CPU computes without the kernels that are meant for it; nothing for any other run."""
    hidden = os.environ.get("CUDA_VISIBLE_DEVICES") in ("", "-1")
    on_gpu = config.device == "cuda" or (config.device == "auto" and not hidden and Path("/dev/nvidiactl").exists())
    deviation = None if on_gpu else find_deviation()
    return {"kernels": deviation} if deviation else {}


def _digest(checksums: dict[str, str]) -> str:
    return hashlib.sha256(repr(sorted(checksums.items())).encode()).hexdigest()
