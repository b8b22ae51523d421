"""Training: our loop and transformers' Trainer in turns, on the same examples and for the same number of updates."""

import gc
import tempfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch

from stilts_core.batching import Features, used_ids
from stilts_core.bench import trainer
from stilts_core.bench.measuring import Options, compared, fastest, in_turns, matmul_rate, peak_memory, spread
from stilts_core.bench.workloads import BEST, DEFAULT, Workload
from stilts_core.compute import Compute
from stilts_core.encoder import Encoder, load_encoder
from stilts_core.evaluation import predict
from stilts_core.families.head import Head
from stilts_core.families.setting import Setting
from stilts_core.gathering import select
from stilts_core.pipeline import task_data
from stilts_core.sources.load import load
from stilts_core.training import Phase, Schedule, TrainingTask, train

TRIED = 3  # updates that decide which attention suits the peer
POOL = 50  # batches sorted together, by our loop always and by Trainer on large data
LEARNING_EPOCHS = 3.0  # passes over the examples from which a dev score is compared


@dataclass(frozen=True)
class Job:
    """One training: the encoder's name, what it learns, and how. Everything but the seed is the same for all peers."""

    encoder: str
    setting: Setting
    features: Features
    schedule: Schedule
    compute: Compute

    def seeded(self, seed: int) -> "Job":
        return replace(self, schedule=replace(self.schedule, seed=seed))


def job(workload: Workload, options: Options) -> tuple[Job, list, Features]:
    """The job of a workload, and the English dev examples with their features."""
    config = workload.config(options.encoder)
    encoder = load_encoder(config.encoder, dropout=config.dropout)
    train_part = select(load(workload.target, "train").items, config.target_examples, 0)
    dev_part = select(load(workload.target, "dev").items, config.dev_examples, 0)
    data = task_data(workload.target, (train_part, dev_part), config, encoder)
    schedule = Schedule(epochs=1.0, lr=config.target_lr, batch_size=config.batch_size, seed=0)
    return Job(config.encoder, data.setting, data.train, schedule, options.compute), dev_part, data.dev


def start(job: Job) -> tuple[Encoder, Head]:
    """The encoder as it was pretrained, and the head that the job's seed gives."""
    encoder = load_encoder(job.encoder, dropout=job.setting.dropout)
    torch.manual_seed(job.schedule.seed)
    return encoder, job.setting.family.head(encoder, job.setting)


def ours(job: Job, also: tuple[Features, ...] = ()) -> tuple[Phase, Encoder, Head]:
    """Train with our loop; the vocabulary is trimmed to the features of the job and those that are needed `also`."""
    encoder, head = start(job)
    encoder.trim_vocabulary(used_ids(job.features, *also))
    tasks = [TrainingTask(job.setting.task.name, job.features, head)]
    with tempfile.TemporaryDirectory() as folder:
        phase = train(encoder, tasks, job.schedule, title="bench", checkpoints=Path(folder), compute=job.compute)
    return phase, encoder, head


def theirs(job: Job, configuration: trainer.Configuration, steps: int = -1):
    """Train with Trainer, from the same weights; returns the phase, the model and the encoder's padding id."""
    gc.collect()  # a Trainer that is done lives in a circle of references, with its weights and moments
    encoder, head = start(job)
    model = trainer.model_of(encoder.folder, job.setting, head, configuration.attention)
    pad = encoder.tokens.pad
    del encoder, head
    phase = trainer.train(
        model, job.features, job.setting, job.schedule, configuration, job.compute, pad=pad, steps=steps
    )
    return phase, model, pad


def configurations(job: Job) -> dict[str, trainer.Configuration]:
    """Trainer as it comes, and at its best: with the attention that does a few updates of this job faster.

    The job is short, but the peer shall have no more padding from that than it has in a long one.
    """
    best = trainer.Configuration(bf16=job.compute.precision == "bf16", by_length=True)
    tried = {
        attention: lambda _, attention=attention: theirs(job, replace(best, attention=attention), TRIED)[0].seconds
        for attention in trainer.ATTENTIONS
    }
    attention = fastest("attention of Trainer", tried)
    return {BEST: replace(best, attention=attention, pool=POOL), DEFAULT: trainer.Configuration()}


def measure(workload: Workload, options: Options) -> dict:
    """Speed, padding, useful arithmetic and memory of one training workload; with seeds also the dev scores."""
    work, _, _ = job(workload, options)
    peers = configurations(work)
    few = replace(work.schedule, epochs=TRIED * work.schedule.batch_size / len(work.features))
    ours(replace(work, schedule=few))  # warms up, as the trials did
    theirs(work, peers[DEFAULT], steps=1)
    turns = {"ours": lambda seed: ours(work.seeded(seed))[0], "matrix products": lambda _: matmul_rate(work.compute)}
    for name, configuration in peers.items():
        turns[name] = lambda seed, configuration=configuration: theirs(work.seeded(seed), configuration)[0]
    phases = in_turns(workload.name, turns, options.repetitions)
    rate = max(phases.pop("matrix products"))
    figures = {name: _figures(work, found, rate) for name, found in phases.items()}
    figures["ours"]["peak_memory_bytes"] = [peak_memory(ours, work)]
    for name, configuration in peers.items():
        figures[name]["peak_memory_bytes"] = [peak_memory(theirs, work, configuration)]
    result = {
        measure: {name: compared(measure, mine, figures[name][measure]) for name in peers}
        for measure, mine in figures["ours"].items()
    }
    for name, configuration in peers.items():
        result["examples_per_second"][name]["configuration"] = asdict(configuration)
    if options.seeds:
        learning, dev_examples, dev = job(replace(workload, examples=workload.learnt_from), options)
        learning = replace(learning, schedule=replace(learning.schedule, epochs=LEARNING_EPOCHS))
        result["dev"] = {BEST: _dev(workload.name, learning, dev_examples, dev, peers[BEST], options.seeds)}
    return result


def _figures(job: Job, phases: list[Phase], rate: float) -> dict[str, list[float]]:
    """The measures of every repetition. Work is counted over real sub-words: three forward passes' worth a step."""
    lengths = np.diff(job.features.starts).astype(float)
    useful = 3 * load_encoder(job.encoder).flops(lengths.sum(), (lengths**2).sum())
    return {
        "examples_per_second": [len(job.features) / phase.seconds for phase in phases],
        "tokens_per_second": [lengths.sum() / phase.seconds for phase in phases],
        "useful_flops_share": [useful / phase.seconds / rate for phase in phases],
        "padding_share": [phase.padding_share for phase in phases],
        "updates": [phase.steps for phase in phases],
    }


def _dev(title: str, job: Job, examples: list, dev: Features, configuration: trainer.Configuration, seeds: int) -> dict:
    """The dev scores that both reach from the same weights after the same updates, seed by seed, and their difference.

    Only the order of the examples differs between the two.
    """
    setting, family = job.setting, job.setting.family

    def score(outputs: np.ndarray) -> float:
        predictions = family.decode(outputs, dev, examples, setting)
        return family.grade(examples, predictions, setting, "en").metrics[setting.task.metric]

    def our_score(seed: int) -> float:
        _, encoder, head = ours(job.seeded(seed), (dev,))
        return score(predict(encoder, head, dev, job.compute))

    def their_score(seed: int) -> float:
        _, model, pad = theirs(job.seeded(seed), configuration)
        rows = job.schedule.batch_size
        return score(trainer.predict(model, dev, setting, configuration, job.compute, pad=pad, rows=rows)[0])

    configuration = replace(configuration, pool=None)  # fully sorted data would be learnt in order of length
    scores = in_turns(f"{title} dev", {"ours": our_score, BEST: their_score}, seeds)
    differences = [mine - other for mine, other in zip(scores["ours"], scores[BEST], strict=True)]
    return compared("dev", scores["ours"], scores[BEST]) | {"difference": spread(differences)}
