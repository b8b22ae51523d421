"""The parts of data that a run reads, made once from its configuration, and the folders that they name.

The same parts give the checksums, which are part of the name of a run, and the examples, which it trains on and scores.
"""

import hashlib
import math
import os
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from stilts_core.config import LABORATORY, PUBLISHERS, ResolvedConfig
from stilts_core.encoders.cpu.kernels import find_deviation
from stilts_core.errors import ConfigError, DataNotFound
from stilts_core.laboratory.edition import FIRST
from stilts_core.laboratory.source import Laboratory
from stilts_core.pretraining.recipe import parse_lab_encoder
from stilts_core.runs.encoders import identity
from stilts_core.sources import publishers
from stilts_core.sources.parts import Part, Source, TextPart
from stilts_core.sources.status import describe_unlisted
from stilts_core.tasks.auxiliaries import OWN_TEXT
from stilts_core.tasks.catalogue import INTERMEDIATE_TASKS, get_task

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
    threshold of mined pairs, `questions` the test parts that repair XCOPA's questions, whichever languages are scored.
    """

    training: TrainingParts | None
    tests: dict[str, Part]
    tuning: dict[str, Part]
    questions: dict[str, Part]

    def checksums(self) -> dict[str, str]:
        """The SHA-256 of every file that the target phase and the evaluation read."""
        training = [self.training.train, self.training.dev] if self.training else []
        files = _checksums([*training, *self.tests.values(), *self.tuning.values()])
        for part in self.questions.values():
            with suppress(DataNotFound):  # as the repair does, which goes on without a missing language
                files |= part.checksums()
        return files


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
    """What the last intermediate phase of a run reads.

    It depends on the target only where the text is the target's own.
    """
    tasks = [_training_parts(config, name, config.intermediate_examples) for name in config.last_tasks]
    return IntermediateInputs(tuple(tasks), tuple(_text_parts(config)))


def target_inputs(config: ResolvedConfig) -> TargetInputs:
    """What the target phase and the evaluation of a run read.

    Raises ConfigError for a language that the test part does not have.
    """
    task, source, languages = get_task(config.target), find_source(config), scored_languages(config)
    limit = 0 if task.family == "retrieval" else config.test_examples  # retrieval sets are reduced as a whole
    tests = {code: Part(source, task, "test", code, limit) for code in languages}
    tuning = {code: Part(source, task, "dev", code) for code in languages} if task.mined else {}
    training = _training_parts(config, task.name, config.target_examples) if task.trained_on else None
    repairing = task.questions_from if config.source == PUBLISHERS else ()
    questions = {code: Part(source, task, "test", code) for code in repairing}
    return TargetInputs(training, tests, tuning, questions)


def run_checksums(config: ResolvedConfig) -> dict[str, str]:
    """The SHA-256 of every file that a run reads, without reading examples."""
    return _intermediate_checksums(config) | target_inputs(config).checksums()


def _intermediate_checksums(config: ResolvedConfig) -> dict[str, str]:
    """The SHA-256 of every file that the intermediate phases of a run read."""
    earlier = [phase for phase in config.shared_phases if phase.intermediate != config.intermediate]
    return {
        name: checksum
        for phase in (*earlier, config)
        for name, checksum in intermediate_inputs(phase).checksums().items()
    }


def _training_parts(config: ResolvedConfig, name: str, limit: int) -> TrainingParts:
    task, source = get_task(name), find_source(config)
    train = Part(source, task, "train", limit=limit, seed=config.seeds.selection)
    return TrainingParts(train, Part(source, task, "dev", limit=config.dev_examples))


def _text_parts(config: ResolvedConfig) -> list[TextPart]:
    """The unlabelled text of each language: of generated text no more than the steps take.

    A language's share of the steps is its number of texts to the power of `text_alpha`, normalised.
    """
    if not config.reads_text:
        return []
    source = find_source(config)
    origin = config.target if config.text_source == OWN_TEXT else config.text_source
    codes, wanted = _text_languages(config, origin), config.text_examples or 0
    generated = {code: source.text_size(code, origin=origin) for code in codes}
    sizes = {code: wanted or size for code, size in generated.items()}
    if config.text_source == OWN_TEXT and config.source == LABORATORY:  # a dev part has no more inputs
        sizes = {code: min(size, generated[code]) for code, size in sizes.items()}
    weights = {code: sizes[code] ** config.text_alpha for code in codes}
    visited = _visited_texts(config)
    visits = {code: visited / max(1, sum(weights.values())) * weight for code, weight in weights.items()}
    limits = {
        code: min(size, math.ceil(visits[code])) if visited and generated[code] else size
        for code, size in sizes.items()
    }
    counted = {code: size if generated[code] else 0 for code, size in sizes.items()}  # a file may have fewer texts
    return [TextPart(source, code, limits[code], origin, config.seeds.selection, counted[code]) for code in codes]


def _visited_texts(config: ResolvedConfig) -> float:
    """How many texts the last intermediate phase visits: one beside each example, or as many as one task of its own."""
    recipe = config.phase_recipe("intermediate", config.last_tasks)
    if recipe.steps:
        return recipe.steps * (config.batch_size or get_task(INTERMEDIATE_TASKS[0]).paper.batch_size or 1)
    return (recipe.epochs or 1) * config.intermediate_examples * max(1, len(config.last_tasks))


def _text_languages(config: ResolvedConfig, origin: str) -> tuple[str, ...]:
    """The languages of the unlabelled text: those that were asked for, else all that the source lists."""
    source = find_source(config)
    listed = source.text_languages(origin=origin)
    available = listed if origin else (*listed, *source.further_text_languages())
    codes = tuple(config.text_languages.split(",")) if config.text_languages else listed
    if missing := [code for code in codes if code not in available]:
        raise ConfigError(
            f"text_languages is {config.text_languages!r}; there is no unlabelled text in {', '.join(missing)}; "
            f"available languages: {', '.join(available)}"
        )
    if config.auxiliary not in ("", "mlm") and len(codes) < 2:
        raise ConfigError(
            f"auxiliary is {config.auxiliary!r}, which needs two languages or more, and there is text in "
            f"{', '.join(codes)} alone; name others in text_languages"
        )
    return codes


def scored_languages(config: ResolvedConfig) -> tuple[str, ...]:
    """The languages to score: the chosen ones, else all that are available."""
    available = find_source(config).available_languages(config.target)
    chosen = config.asked_languages or available
    if missing := [code for code in chosen if code not in available]:
        unlisted = describe_unlisted(config.target) if config.source != LABORATORY else None
        raise ConfigError(
            f"{config.target} has no test examples in {', '.join(missing)}; available languages: {', '.join(available)}"
            + (f"; {unlisted}" if unlisted else "")
        )
    return chosen


def run_folder(config: ResolvedConfig, checksums: dict[str, str]) -> Path:
    """The folder of a run, named after all that decides its result: config, encoder and data (`run_checksums`)."""
    facts = {"weights": identity(config.encoder), "data": _digest(checksums)} | _deviation(config)
    return Path(config.runs_dir) / config.profile / config.run_id(**facts)


def checkpoint_folder(config: ResolvedConfig) -> Path:
    """The folder of the checkpoint after the last intermediate phase, named after all that decides it.

    All targets share it, and so do longer chains that begin alike (see `RunConfig.shared_phases`).
    """
    data = _digest(_intermediate_checksums(config))
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
