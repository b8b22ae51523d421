"""A run from its configuration to its record: data, intermediate phases, target phase, zero-shot evaluation."""

import shutil
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from stilts_core.config import ResolvedConfig, RunConfig
from stilts_core.encoders.encoder import Encoder
from stilts_core.errors import ConfigError
from stilts_core.families.feature_cache import cached_features
from stilts_core.families.features import Features, used_ids
from stilts_core.families.head import Head
from stilts_core.families.table import get_family
from stilts_core.pretraining.recipe import parse_lab_encoder
from stilts_core.runs.data import TargetData, read_intermediate, read_target
from stilts_core.runs.encoders import check_encoder, load_encoder
from stilts_core.runs.evaluation import Evaluation
from stilts_core.runs.hidden_states import is_centred, pretrained_scores
from stilts_core.runs.inputs import checkpoint_folder, run_checksums, run_folder
from stilts_core.runs.kept_model import HEAD, MODEL
from stilts_core.runs.language_measures import LanguageMeter
from stilts_core.runs.measures import Retrieval, StateScores
from stilts_core.runs.phases import IntermediateFacts, IntermediateMaterial, Link, intermediate_encoder, train_phase
from stilts_core.runs.preparation import (
    TaskData,
    phase_schedule,
    prepare_auxiliary,
    prepare_task,
    task_cards,
    task_setting,
)
from stilts_core.runs.record import (
    SCHEMA,
    Cost,
    DataFacts,
    EncoderFacts,
    Environment,
    PhaseRecord,
    Record,
    finished_record,
    write_record,
)
from stilts_core.storage.atomic import whole_file
from stilts_core.tasks.catalogue import INTERMEDIATE_TASKS, get_task, trains_on_same_data
from stilts_core.training import distributed
from stilts_core.training.checkpoint import lock_for_run
from stilts_core.training.compute import Compute
from stilts_core.training.machine import environment, now, peak_memory_bytes
from stilts_core.training.progress import Progress
from stilts_core.training.timing import Stopwatch


def run(config: RunConfig) -> Record:
    """Do the run that `config` describes, or reuse it where it is finished, and return its record.

    The record, the predictions in XTREME's layout and the shared intermediate checkpoint are written under
    `config.runs_dir`. An interrupted run resumes from its last checkpoint. The processes of `distributed.process_group`
    do the run together. Raises ConfigError, DataError, EncoderError or TrainingError, which name the remedy.
    """
    stopwatch, resolved = Stopwatch(), config.resolved()
    checksums = run_checksums(resolved)
    folder = run_folder(resolved, checksums)
    with lock_for_run(folder):
        if finished := finished_record(folder, with_model=resolved.keep_checkpoint):
            # A run that was killed after its record was written leaves its optimiser's state.
            shutil.rmtree(folder / "checkpoint", ignore_errors=True)
            return finished
        record = _Run(resolved, checksums, folder, stopwatch).compute()
        if distributed.rank() == 0:
            write_record(folder, record)
    shutil.rmtree(folder / "checkpoint", ignore_errors=True)
    return record


def intermediate(config: RunConfig) -> PhaseRecord:
    """Compute the intermediate checkpoint, which targets share, or reuse it; returns the phase's record."""
    resolved = config.resolved()
    if not resolved.shared_phases:
        if resolved.mixed:
            raise ConfigError("mixed is true, so the only phase depends on the target; train it with `stilts run`")
        raise ConfigError("intermediate is 'none', which has no intermediate phase; choose a task, all, or mlm")
    encoder = _load_checked_encoder(resolved)
    _, phases, _ = intermediate_encoder(encoder, _chain(resolved), Compute.from_config(resolved))
    return phases[-1]


def intermediate_result(config: ResolvedConfig) -> Encoder:
    """The encoder after the intermediate phases of a run, which are computed or reused; without phases as it is."""
    encoder, _, _ = intermediate_encoder(_load_checked_encoder(config), _chain(config), Compute.from_config(config))
    return encoder


@dataclass
class _Run:
    """One run while it is computed."""

    config: ResolvedConfig
    checksums: dict[str, str]
    folder: Path
    stopwatch: Stopwatch
    unused_scale: float = 1.0  # by which the target phase shrank embeddings that its data did not use

    def compute(self) -> Record:
        """Do all parts of the run and return its record."""
        started, config = now(), self.config
        compute = Compute.from_config(config)
        encoder = _load_checked_encoder(config)
        self.stopwatch.end_stage("encoder")
        data = read_target(config)
        if data.unscored and distributed.rank() == 0:
            Progress("data", 1, quiet=compute.quiet).note(data.facts.notes[-1])
        if config.max_length and config.max_length > encoder.max_length:
            data.facts.note(f"max_length is {config.max_length}; {encoder.name} takes {encoder.max_length}.")
        self.stopwatch.end_stage("data")
        before = _pretrained_scores(config, data, encoder, compute)
        meter = _language_meter(config, data, encoder, compute)
        pretrained = meter.measure_pretrained(encoder) if meter else None
        if before or pretrained:
            self.stopwatch.end_stage("pretrained encoder")
        encoder, phases, facts = intermediate_encoder(encoder, _chain(config), compute)
        joint = _intermediate_material(config, encoder) if config.mixed else None
        self.stopwatch.end_stage("intermediate")
        target = prepare_task(config.target, data.train, data.dev, config, encoder)
        features = _test_features(data, target, encoder)
        test_features = chain.from_iterable(by_language.values() for by_language in features.values())
        joint_features = joint.features if joint else []
        encoder.trim_vocabulary(used_ids(target.train, target.dev, *joint_features, *test_features))
        if joint:
            facts = facts.with_those_of(joint.facts)
        head, phase = self._target_phase(encoder, target, joint, compute)
        phases += [phase] if phase else []
        if config.keep_checkpoint and distributed.rank() == 0:
            _save_model(self.folder / MODEL, encoder, head, self.unused_scale)
        self.stopwatch.end_stage("target")
        evaluation = self._evaluate(encoder, head, target, data, features, compute)
        self.stopwatch.end_stage("evaluation")
        trained = meter.measure_trained(encoder, self.unused_scale) if meter else None
        if trained:
            self.stopwatch.end_stage("languages")
        record = self._record(started, data, encoder, phases, facts, evaluation, compute)
        if before:
            found = Retrieval(state=evaluation.scored_state, before=before, after=evaluation.states)
            record = record.model_copy(update={"retrieval": found})
        if meter and pretrained and trained:
            record = record.model_copy(update={"language_measures": meter.compare(pretrained, trained)})
        return record

    def _target_phase(
        self, encoder: Encoder, target: TaskData, joint: IntermediateMaterial | None, compute: Compute
    ) -> tuple[Head, PhaseRecord | None]:
        """Train on the target's English examples, if it has any; returns the head and the phase's record.

        With the material of a `joint` phase, the steps of both are mixed at random, at the target's learning rate.
        """
        if not len(target.train):
            return get_family(target.setting.task).new_head(encoder, target.setting), None
        schedule, checkpoints = phase_schedule(self.config, "target", target.setting), self.folder / "checkpoint"
        if joint:
            own_steps = schedule.count_steps([len(target.train)])
            steps = own_steps + joint.count_steps()
            record, heads, phase = train_phase(
                *("joint", encoder, [target, *joint.tasks]),
                *(replace(schedule, steps=steps, first_task_steps=own_steps), compute, checkpoints),
                auxiliary=joint.auxiliary,
                auxiliary_is_a_task=not joint.tasks,
            )
        else:
            record, heads, phase = train_phase("target", encoder, [target], schedule, compute, checkpoints)
        self.unused_scale = phase.unused_scale
        return heads[self.config.target], record

    def _evaluate(
        self,
        encoder: Encoder,
        head: Head,
        target: TaskData,
        data: TargetData,
        features: dict[str, dict[str, Features]],
        compute: Compute,
    ) -> Evaluation:
        """Score the target in all its languages."""
        setting = target.setting
        metric = setting.task.metric_for(self.config.pos_metric)
        evaluation = Evaluation(encoder, head, setting, compute, self.folder, metric)
        progress = Progress(f"scoring {self.config.target}", len(data.tests), quiet=compute.quiet)
        for done, language in enumerate(evaluation.score(data, features), start=1):
            score = evaluation.scores.get(language)
            progress.update(done, language=language, score=f"{score.score:.1f}" if score else "none (no labels)")
        return evaluation

    def _record(
        self,
        started: str,
        data: TargetData,
        encoder: Encoder,
        phases: list[PhaseRecord],
        facts: IntermediateFacts,
        evaluation: Evaluation,
        compute: Compute,
    ) -> Record:
        config, task = self.config, evaluation.setting.task
        examples = data.train or next(iter(data.tests.values()))
        own_phases = [phase for phase in phases if not phase.reused]
        unscored: dict[str, Any] = {"unscored": evaluation.unscored} if evaluation.unscored else {}
        return Record(
            **unscored,
            schema_version=SCHEMA,
            run_id=self.folder.name,
            folder=str(self.folder),
            profile=config.profile,
            started=started,
            finished=now(),
            config=config,
            notes=list(dict.fromkeys([*encoder.notes, *facts.notes, *data.facts.notes])),
            same_data=trains_on_same_data(config.target, config.intermediate_tasks),
            encoder=_encoder_facts(config, encoder),
            phases=phases,
            metric=evaluation.metric,
            metrics=list(task.metrics),
            scores=evaluation.scores,
            averages=evaluation.averages(),
            layers=evaluation.layers,
            cards=facts.cards | {config.target: task_cards(config.target, examples)},
            errors=evaluation.mistakes(),
            data=DataFacts(files=self.checksums, dropped=facts.dropped | data.facts.dropped),
            cost=Cost(
                seconds=round(sum(self.stopwatch.seconds.values()), 2),
                processor_seconds=round(distributed.sum_numbers(self.stopwatch.processor_seconds), 2),
                seconds_by_part=self.stopwatch.seconds,
                first_step_seconds=next((phase.first_step_seconds for phase in own_phases), None),
                peak_memory_bytes=peak_memory_bytes(),
                flops=sum(phase.flops for phase in own_phases) + evaluation.flops,
            ),
            environment=Environment.model_validate(environment(compute)),
        )


def _pretrained_scores(
    config: ResolvedConfig, data: TargetData, encoder: Encoder, compute: Compute
) -> StateScores | None:
    """Retrieval by the encoder before any phase; None for a target that is not reported so (see `is_centred`)."""
    task, setting = get_task(config.target), task_setting(config.target, config, encoder)
    if task.family != "retrieval":
        return None
    features = [cached_features(test, encoder.tokenizer, setting) for test in data.tests.values() if task.trained_on]
    if not is_centred(task, features, encoder):
        return None
    metric, blind = task.metric_for(config.pos_metric), frozenset(data.unscored)
    return pretrained_scores(encoder, data.tests, blind, setting, metric, compute)


def _language_meter(
    config: ResolvedConfig, data: TargetData, encoder: Encoder, compute: Compute
) -> LanguageMeter | None:
    """What measures languages at the last hidden state and at that of retrieval; None if not asked for, or no text."""
    if not config.measure_languages:
        return None
    state = task_setting(config.target, config, encoder).layer
    meter = LanguageMeter(config, list(data.tests), [encoder.layers, state or 0], compute)
    data.facts.note(meter.note)
    return meter if meter.texts else None


def _encoder_facts(config: ResolvedConfig, encoder: Encoder) -> EncoderFacts:
    facts, generated = encoder.describe(), parse_lab_encoder(config.encoder)
    return EncoderFacts.model_validate(facts | {"pretraining_seed": generated[0]} if generated else facts)


def _test_features(data: TargetData, target: TaskData, encoder: Encoder) -> dict[str, dict[str, Features]]:
    """The features of the tests, tuning and repaired sets, by language."""
    sets = {"tests": data.tests, "tuning": data.tuning, "repaired": data.repaired}
    return {
        name: {code: cached_features(items, encoder.tokenizer, target.setting) for code, items in by_language.items()}
        for name, by_language in sets.items()
    }


def _save_model(folder: Path, encoder: Encoder, head: Head, unused_scale: float) -> None:
    """Write the fine-tuned encoder as a Hugging Face folder with its full vocabulary, and its head beside it."""
    shutil.rmtree(folder, ignore_errors=True)
    encoder.save(folder, unused_scale)
    with whole_file(folder / HEAD) as temporary:
        save_file(head.state_dict(), temporary)


def _load_checked_encoder(config: ResolvedConfig) -> Encoder:
    """The encoder of a run. Raises ConfigError, before data are read, where the configuration does not fit it."""
    check_encoder(config)  # before a laboratory encoder is pretrained
    precision = Compute.from_config(config).precision
    encoder = load_encoder(config.encoder, dropout=config.dropout, precision=precision)
    check_encoder(config, encoder)
    return encoder


def _chain(config: ResolvedConfig) -> list[Link]:
    """The intermediate phases with a checkpoint of their own."""
    return [Link(checkpoint_folder(phase), partial(_intermediate_material, phase)) for phase in config.shared_phases]


def _intermediate_material(config: ResolvedConfig, encoder: Encoder) -> IntermediateMaterial:
    """The features of the last intermediate phase and its schedule.

    Masked language modelling alone takes as many steps as one task with as many examples.
    """
    data = read_intermediate(config)
    tasks = [prepare_task(name, train, dev, config, encoder) for name, (train, dev) in data.tasks.items()]
    setting = tasks[0].setting if tasks else task_setting(INTERMEDIATE_TASKS[0], config, encoder)
    schedule = phase_schedule(config, "intermediate", setting)
    if not tasks:
        schedule = replace(schedule, cap=config.intermediate_examples)
    auxiliary = None
    if data.texts:
        auxiliary = prepare_auxiliary(config, data.texts, data.text_sizes, setting.max_length, encoder)
    cards = {name: task_cards(name, train) for name, (train, _) in data.tasks.items()}
    facts = IntermediateFacts(notes=data.facts.notes, dropped=data.facts.dropped, cards=cards)
    return IntermediateMaterial(tasks, schedule, auxiliary, facts)
