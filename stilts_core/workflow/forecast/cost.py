"""The cost of a grid: its jobs with what they share counted once, their longest chain, and bounds of wall time."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

from stilts_core.config import ResolvedConfig, RunConfig
from stilts_core.encoders.sizes import EncoderSizes
from stilts_core.laboratory import generator
from stilts_core.pretraining.recipe import PretrainingRecipe, parse_lab_encoder
from stilts_core.runs.encoders import read_sizes
from stilts_core.tasks.part_facts import TEXT, input_lengths
from stilts_core.workflow.forecast.rates import Rate
from stilts_core.workflow.forecast.work import PhaseForecast, Work, evaluation_work
from stilts_core.workflow.plan import KINDS


@dataclass(frozen=True)
class PlannedJob:
    """One job of a grid before it runs: its kind (of plan.KINDS), what a reader sees, its work, and what it needs.

    `needs` are the names of other jobs.
    """

    name: str
    kind: str
    title: str
    work: Work
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class GridCost:
    """The jobs of a grid by name, each of them once, after those that they need."""

    jobs: dict[str, PlannedJob]
    sizes: EncoderSizes

    def count(self, kind: str) -> int:
        """The number of jobs of a kind (of plan.KINDS)."""
        return sum(job.kind == kind for job in self.jobs.values())

    @cached_property
    def work(self) -> Work:
        """The work of all jobs; each sentence about what is not known appears once."""
        parts = [job.work for job in self.jobs.values()]
        return Work(
            sum(part.steps for part in parts),
            sum(part.tokens for part in parts),
            sum(part.flops for part in parts),
            sum(part.items for part in parts),
            tuple(dict.fromkeys(text for part in parts for text in part.unknown)),
            tuple(dict.fromkeys(text for part in parts for text in part.assumed)),
        )

    def longest_chain(self, rate: Rate) -> tuple[PlannedJob, ...]:
        """The jobs, one after the other, that take the most time: no number of workers makes a grid faster."""
        ends: dict[str, tuple[float, str | None]] = {}
        for job in self.jobs.values():
            before = max(job.needs, key=lambda name: ends[name][0], default=None)
            ends[job.name] = ((ends[before][0] if before else 0.0) + rate.seconds(job.work), before)
        name: str | None = max(ends, key=lambda name: ends[name][0], default=None)
        chain: list[PlannedJob] = []
        while name is not None:
            chain.append(self.jobs[name])
            name = ends[name][1]
        return tuple(reversed(chain))

    def longest_job(self, kind: str, rate: Rate) -> PlannedJob | None:
        """The job of a kind that takes the most time; None where the grid has no such job."""
        jobs = (job for job in self.jobs.values() if job.kind == kind)
        return max(jobs, key=lambda job: rate.seconds(job.work), default=None)

    def wall_seconds(self, rate: Rate, workers: int) -> tuple[float, float]:
        """The least and the most seconds until several equal workers have done the grid.

        The least is perfect packing: an equal share, or the longest chain if this is more. The most is Graham's bound
        for any order that leaves no worker idle while a job is ready (1969, "Bounds on multiprocessing timing
        anomalies"): the rest of the work in equal shares, and the longest chain after it.
        """
        total = rate.seconds(self.work)
        chain = sum(rate.seconds(job.work) for job in self.longest_chain(rate))
        return max(total / workers, chain), (total - chain) / workers + chain


def forecast_grid(configs: Sequence[RunConfig]) -> GridCost:
    """The cost of runs of one encoder; no data and no weights are read.

    Raises ConfigError for a configuration that cannot run, and EncoderError if the sizes of its encoder are not known.
    """
    resolved = [config.resolved() for config in configs]
    jobs: dict[str, PlannedJob] = {}
    for config in resolved:
        for job in _jobs_of(config, read_sizes(config.encoder)):
            jobs.setdefault(job.name, job)
    return GridCost(jobs, read_sizes(resolved[0].encoder))


def _jobs_of(config: ResolvedConfig, sizes: EncoderSizes) -> Iterable[PlannedJob]:
    """The jobs of one run; the last one is the run, the others are what it shares with other runs."""
    needs: tuple[str, ...] = ()
    if generated := parse_lab_encoder(config.encoder):
        title = f"pretraining of {config.encoder}"
        yield PlannedJob(config.encoder, "pretrain", title, _pretraining_work(generated[1], sizes))
        needs = (config.encoder,)
    for phase in config.shared_phases:
        link, name = phase.resolved(), phase.resolved().checkpoint_id()
        work = PhaseForecast(link, "intermediate", sizes).work()
        yield PlannedJob(name, "intermediate", f"{phase.row}, seed {phase.seed} (intermediate phase)", work, needs)
        needs = (name,)
    work = PhaseForecast(config, "target", sizes).work() + evaluation_work(config, sizes)
    if config.mixed:
        work += PhaseForecast(config, "intermediate", sizes).work()
    yield PlannedJob(config.run_id(), "pair", f"{config.row} → {config.target}, seed {config.seed}", work, needs)


def _pretraining_work(recipe: PretrainingRecipe, sizes: EncoderSizes) -> Work:
    """Masked LM on the texts of all languages."""
    lengths = input_lengths(recipe.family, TEXT, "train", recipe.positions)
    if lengths is None:
        return Work(unknown=(f"pretraining of {recipe.family}: its texts were not measured, so it is not counted",))
    texts = recipe.epochs * sum(recipe.count_texts(code) for code in generator.LANGUAGES if code in recipe.languages)
    tokens = texts * lengths.sub_words
    forward = sizes.count_flops(tokens, texts * lengths.squares) + sizes.count_decoder_flops(recipe.masked * tokens)
    return Work(round(texts / recipe.batch_size), tokens, 3 * forward)


def describe_kinds(cost: GridCost) -> str:
    """How many jobs of each kind a grid has, in words."""
    return ", ".join(f"{cost.count(kind)} {title}" for kind, title in KINDS.items() if cost.count(kind))
