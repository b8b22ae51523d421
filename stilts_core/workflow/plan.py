"""The plan of a sweep: the runs of a grid, the checkpoints that they share, and which of both are missing."""

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
from stilts_core.runs.inputs import checkpoint_folder, run_checksums, run_folder
from stilts_core.runs.record import finished_record
from stilts_core.storage.atomic import write_whole
from stilts_core.tasks.catalogue import INTERMEDIATE_TASKS, TARGET_TASKS, get_task

KINDS = {"pretrain": "encoders to pretrain", "intermediate": "intermediate checkpoints", "pair": "pairs"}
ROWS = ("none", *INTERMEDIATE_TASKS, "all", "mlm")  # the rows of the paper's grid
TARGETS = tuple(name for name in TARGET_TASKS if "xtreme" in get_task(name).languages)
MLM_WEIGHT = 1.0  # of a row with +mlm, unless the config sets another: both losses count the same


@dataclass(frozen=True)
class Job:
    """One command of a sweep. Other jobs need nothing of it but `output`; it needs the outputs in `needs`.

    `kind` is one of KINDS, `title` what the user sees, and `options` are the command's.
    """

    kind: str
    title: str
    output: Path
    options: tuple[str, ...]
    needs: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        """The name that the Snakefile knows the job by."""
        return self.output.parent.name if self.kind == "pair" else self.output.name

    @property
    def done(self) -> bool:
        """Whether the output exists; of a run, whether its record shows, too, that the run is finished."""
        if self.kind == "pair":
            return self.output.exists() and finished_record(self.output.parent) is not None
        return self.output.exists()

    @property
    def log(self) -> Path:
        """The file of the command's output; a failed command leaves it as `failed_log`."""
        return self.output.with_name("run.log" if self.kind == "pair" else f"{self.name}.log")

    @property
    def failed_log(self) -> Path:
        """The log of a command that failed."""
        return self.log.with_name(f"{self.log.name}.failed")


def grid(base: RunConfig, rows: Sequence[str], targets: Sequence[str], seeds: Sequence[int]) -> list[RunConfig]:
    """Return the configs of a grid: every row with every target and seed, in this order.

    See `config.GridRow` for the names of rows.
    """
    return [
        replace(base.in_row(row, MLM_WEIGHT), target=target, seed=seed)
        for row in dict.fromkeys(rows)
        for target in dict.fromkeys(targets)
        for seed in dict.fromkeys(seeds)
    ]


def add_variants(rows: Sequence[str], *, mlm: bool, sham: bool) -> list[str]:
    """Return the rows, and those with labels once more: with masked LM (`mlm`), with permuted labels (`sham`)."""
    parsed = [GridRow.parse(row) for row in rows]
    labelled = [row for row in parsed if row.has_labels and not (row.mlm or row.sham)]
    with_mlm = [row._replace(mlm=True) for row in labelled if mlm]
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


def jobs_of(configs: Iterable[RunConfig]) -> list[Job]:
    """Return every job of the configs' runs, finished or not, in the order of computation.

    Raises ConfigError for a config that cannot run.
    """
    configs = list(configs)
    for config in configs:
        config.resolved()  # a wrong name is found at once, and not after the checksums of the rows before it
    jobs = {job.output: job for config in configs for job in _jobs_of_run(config)}
    return sorted(jobs.values(), key=lambda job: list(KINDS).index(job.kind))


def _jobs_of_run(config: RunConfig) -> list[Job]:
    """The jobs of one run: the last one is the run, the others are what it shares with other runs."""
    resolved, options = config.resolved(), options_of(config)
    row = f"{config.row}{f', seed {config.seed}' * bool(config.seed)}"
    jobs: list[Job] = []

    def add(kind: str, title: str, output: Path, options: Sequence[str]) -> None:
        needs = tuple(job.output for job in jobs)
        jobs.append(Job(kind, title, output.absolute(), tuple(options), needs))

    if generated := parse_lab_encoder(resolved.encoder):
        seed, recipe = generated
        pretrain_options = ("--seed", str(seed), "--family", recipe.family, "--runs-dir", config.runs_dir)
        add("pretrain", f"pretraining of {resolved.encoder}", locate_lab_encoder(*generated), pretrain_options)
    if config.intermediate != "none":
        add("intermediate", f"{row} (intermediate phase)", checkpoint_folder(resolved), options)
    # The executed notebook is what a run writes last.
    add("pair", f"{row} → {config.target}", run_folder(resolved, run_checksums(resolved)) / EXECUTED, options)
    return jobs


def options_of(config: RunConfig) -> list[str]:
    """Return the command line's options for all fields that differ from RunConfig's defaults."""
    options = []
    for field in fields(config):
        if (value := getattr(config, field.name)) != field.default:
            flag = f"--{field.name.replace('_', '-')}"
            options += [flag] if value is True else [flag, str(value)]
    return options


def write_plan(path: Path, jobs: Sequence[Job]) -> None:
    """Write the plan that the Snakefile reads: the jobs, and what each of them needs of the others.

    Snakemake knows a finished job by an empty file, its mark, in the folder `finished` beside the plan. The marks of
    earlier sweeps are removed: which jobs are missing is decided here, and Snakemake never deletes a result.
    """
    entries: dict[str, dict[str, dict]] = {kind: {} for kind in KINDS}
    logs = dict.fromkeys(KINDS, "none")
    finished = path.absolute().with_name("finished")
    shutil.rmtree(finished, ignore_errors=True)
    marks = {job.output: str(finished / job.kind / job.name) for job in jobs}
    for job in jobs:
        needs = [marks[need] for need in job.needs if need in marks]
        entries[job.kind][job.name] = {"mark": marks[job.output], "needs": needs, "options": shlex.join(job.options)}
        logs[job.kind] = str(job.output.parents[job.kind == "pair"])
    plan = {
        "jobs": entries,
        "finished": str(finished),
        "logs": logs,
        "cwd": shlex.quote(str(Path.cwd())),
        "stilts": shlex.join([sys.executable, "-m", "stilts_core.cli"]),
    }
    write_whole(path, json.dumps(plan, indent=1))
