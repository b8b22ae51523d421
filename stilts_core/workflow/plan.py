"""The plan of a sweep: the runs of a grid, the checkpoints that they share, and which of both are missing."""

import hashlib
import json
import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import cast

from stilts_core.config import GridRow, RunConfig
from stilts_core.errors import ConfigError
from stilts_core.notebooks.pair import EXECUTED
from stilts_core.parameters import read_names
from stilts_core.pretraining.recipe import locate_lab_encoder, parse_lab_encoder
from stilts_core.pretraining.train import find_encoder_damage
from stilts_core.runs.encoders import check_encoder
from stilts_core.runs.inputs import checkpoint_folder, run_checksums, run_folder
from stilts_core.runs.record import RECORD, finished_record
from stilts_core.storage.atomic import write_whole
from stilts_core.tasks.catalogue import INTERMEDIATE_TASKS, TARGET_TASKS, get_task
from stilts_core.workflow.resources import REQUESTS

KINDS = {"pretrain": "encoders to pretrain", "intermediate": "intermediate checkpoints", "pair": "pairs"}
ROWS = ("none", *INTERMEDIATE_TASKS, "all", "mlm")  # the rows of the paper's grid
TARGETS = tuple(name for name in TARGET_TASKS if "xtreme" in get_task(name).languages)
FINISHED = "finished"  # the folder of marks beside the plan


@dataclass(frozen=True)
class Job:
    """One command of a sweep. Other jobs need nothing of it but `output`; it needs the outputs in `needs`.

    `kind` is one of KINDS, `title` what the user sees, and `options` are the command's. `config` is that of a run.
    """

    kind: str
    title: str
    output: Path
    options: tuple[str, ...]
    needs: tuple[Path, ...] = ()
    config: RunConfig | None = None

    @property
    def page(self) -> bool:
        """Whether a run has to have an executed notebook."""
        return self.output.name == EXECUTED

    @property
    def name(self) -> str:
        """The name that the Snakefile knows the job by."""
        return self.output.parent.name if self.kind == "pair" else self.output.name

    @property
    def done(self) -> bool:
        """Whether the output exists; also whether a run's record shows that it is finished, and an encoder is whole."""
        if self.kind == "pair":
            with_model = self.config is not None and self.config.keep_checkpoint
            return self.output.exists() and finished_record(self.output.parent, with_model=with_model) is not None
        if self.kind == "pretrain":
            return self.output.exists() and find_encoder_damage(self.output) is None
        return self.output.exists()

    @property
    def log(self) -> Path:
        """The file of the command's output; a failed command leaves it as `failed_log`."""
        return self.output.with_name("run.log" if self.kind == "pair" else f"{self.name}.log")

    @property
    def failed_log(self) -> Path:
        """The log of a command that failed."""
        return failed_log_of(self.log)


def failed_log_of(log: Path) -> Path:
    """The name that the log of a command has after the command failed."""
    return log.with_name(f"{log.name}.failed")


@dataclass(frozen=True)
class RunBatch:
    """Short runs for one job of the plan; all of them need the same outputs of other jobs."""

    jobs: tuple[Job, ...]

    @property
    def name(self) -> str:
        """The name that the Snakefile knows the batch by."""
        return hashlib.sha256("\n".join(job.name for job in self.jobs).encode()).hexdigest()[:16]

    @property
    def needs(self) -> tuple[Path, ...]:
        """The outputs of other jobs that its runs need."""
        return self.jobs[0].needs

    def write(self, path: Path) -> None:
        """Write what `batches.run_batch` reads."""
        runs = [{"config": job.config.to_dict(), "log": str(job.log)} for job in self.jobs if job.config]
        write_whole(path, json.dumps(runs, indent=1, allow_nan=False), durable=False)


def grid(base: RunConfig, rows: Sequence[str], targets: Sequence[str], seeds: Sequence[int]) -> list[RunConfig]:
    """Return the configs of a grid: every row with every target and seed, in this order.

    See `config.GridRow` for the names of rows. Raises ConfigError for a side of the grid that is empty.
    """
    for name, side in (("rows", rows), ("targets", targets), ("seeds", seeds)):
        if not len(side):
            raise ConfigError(f"the grid has no {name}; name at least one")
    return [
        replace(base.in_row(row), target=target, seed=seed)
        for row in dict.fromkeys(rows)
        for target in dict.fromkeys(targets)
        for seed in dict.fromkeys(seeds)
    ]


def read_grid(base: RunConfig, intermediate: str, target: str, seeds: str, *, mlm: bool, sham: bool) -> list[RunConfig]:
    """Return the configs of the grid that the options of the command name; no names stand for the paper's grid."""
    rows = read_names("intermediate", intermediate) if intermediate else ROWS
    targets = read_names("target", target) if target else TARGETS
    return grid(base, add_variants(rows, mlm=mlm, sham=sham), targets, read_seeds(seeds))


def add_variants(rows: Sequence[str], *, mlm: bool, sham: bool) -> list[str]:
    """Return the rows, and those with labels once more: with masked LM (`mlm`), with permuted labels (`sham`)."""
    parsed = [GridRow.parse(row) for row in rows]
    labelled = [row for row in parsed if row.has_labels and not (row.auxiliary or row.sham)]
    with_mlm = [row._replace(auxiliary="mlm") for row in labelled if mlm]
    with_sham = [row._replace(sham=True) for row in labelled if sham]
    return [*rows, *map(str, with_mlm), *map(str, with_sham)]


def read_seeds(text: str) -> list[int]:
    """Read seeds joined by commas. Raises ConfigError for anything but whole numbers, each of them once."""
    names = read_names("seeds", text)
    if not all(seed.isascii() and seed.isdigit() for seed in names):
        raise ConfigError(f"seeds is {text!r}; it must be whole numbers joined by commas, such as 0,1,2")
    seeds = [RunConfig(seed=cast(int, seed)).seed for seed in names]
    if twice := [seed for seed in seeds if seeds.count(seed) > 1]:
        raise ConfigError(f"seeds is {text!r}; {twice[0]} is there twice: name it once")
    return seeds


def jobs_of(configs: Iterable[RunConfig], *, page: bool = True) -> list[Job]:
    """Return every job of the configs' runs, finished or not, in the order of computation.

    Without `page` a run is finished when it has its record and its predictions, with or without a notebook.

    Raises ConfigError for a config that cannot run.
    """
    configs = list(configs)
    for config in configs:
        check_encoder(config.resolved())  # a wrong value is found at once, and not after the checksums of other rows
    jobs = {job.output: job for config in configs for job in _jobs_of_run(config, page)}
    return sorted(jobs.values(), key=lambda job: list(KINDS).index(job.kind))


def _jobs_of_run(config: RunConfig, page: bool) -> list[Job]:
    """The jobs of one run: the last one is the run, the others are what it shares with other runs."""
    resolved, options = config.resolved(), options_of(config)
    row = f"{config.row}{f', seed {config.seed}' * bool(config.seed)}"
    jobs: list[Job] = []

    def add(kind: str, title: str, output: Path, options: Sequence[str]) -> None:
        needs = tuple(job.output for job in jobs)
        jobs.append(Job(kind, title, output.absolute(), tuple(options), needs, config if kind == "pair" else None))

    if generated := parse_lab_encoder(resolved.encoder):
        seed, recipe = generated
        pretrain_options = ("--seed", str(seed), "--family", recipe.family, "--runs-dir", config.runs_dir)
        add("pretrain", f"pretraining of {resolved.encoder}", locate_lab_encoder(*generated), pretrain_options)
    for phase, done in zip(config.shared_phases, resolved.shared_phases, strict=True):
        title = f"{phase.row}{f', seed {config.seed}' * bool(config.seed)} (intermediate phase)"
        # Named as a run names it: with the profile's values filled in before those without effect are dropped.
        add("intermediate", title, checkpoint_folder(done), options_of(phase))
    # What a run writes last: the executed notebook, or the record.
    output = run_folder(resolved, run_checksums(resolved)) / (EXECUTED if page else RECORD)
    add("pair", f"{row} → {config.target}", output, options if page else [*options, "--no-page"])
    return jobs


def options_of(config: RunConfig) -> list[str]:
    """Return the command line's options for all fields that differ from RunConfig's defaults."""
    options = []
    for field in fields(config):
        if (value := getattr(config, field.name)) != field.default:
            flag = f"--{field.name.replace('_', '-')}"
            options += [flag] if value is True else [flag, str(value)]
    return options


def write_plan(path: Path, jobs: Sequence[Job], batches: Sequence[RunBatch] = ()) -> None:
    """Write the plan that the Snakefile reads: the jobs, and what each of them needs of the others.

    Runs that are in one of `batches` have no job of their own.

    Snakemake knows a finished job by an empty file, its mark, in the folder `finished` beside the plan. The marks of
    earlier sweeps are removed: which jobs are missing is decided here, and Snakemake never deletes a result.
    """
    entries: dict[str, dict[str, dict]] = {rule: {} for rule in (*KINDS, "batch")}
    batch_folder = path.absolute().with_name("batches")
    for folder in (path.with_name(FINISHED), batch_folder):
        shutil.rmtree(folder, ignore_errors=True)
    # Relative to Snakemake's folder: it would take braces in the path of that folder for wildcards.
    marks = {job.output: f"{FINISHED}/{job.kind}/{job.name}" for job in jobs}
    for batch in batches:
        file = batch_folder / f"{batch.name}.json"
        batch.write(file)
        entries["batch"][batch.name] = {
            "mark": f"{FINISHED}/batch/{batch.name}",
            "needs": [marks[need] for need in batch.needs if need in marks],
            "options": shlex.quote(str(file)),
            "log": str(file.with_suffix(".log")),
        }
    in_batches = {job.output for batch in batches for job in batch.jobs}
    for job in jobs:
        if job.output in in_batches:
            continue
        needs = [marks[need] for need in job.needs if need in marks]
        options, log = shlex.join(job.options), str(job.log)
        entries[job.kind][job.name] = {"mark": marks[job.output], "needs": needs, "options": options, "log": log}
    plan = {
        "jobs": entries,
        "cwd": shlex.quote(str(Path.cwd())),
        "stilts": shlex.join([sys.executable, "-m", "stilts_core.cli"]),
        "requests": {rule: request._asdict() for rule, request in REQUESTS.items()},
    }
    write_whole(path, json.dumps(plan, indent=1, allow_nan=False))
