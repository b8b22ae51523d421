"""What a sweep has to do: the runs of a grid, the checkpoints that they share, and which of them are there already."""

import json
import shlex
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path

from stilts_core.cache import written_whole
from stilts_core.catalogue import INTERMEDIATE_TASKS, TARGET_TASKS, task
from stilts_core.config import RunConfig
from stilts_core.gathering import checkpoint_folder, files_of, run_folder
from stilts_core.notebook_run import NOTEBOOK
from stilts_core.pretraining import lab_place, pretraining_seed

KINDS = {"pretrain": "encoders to pretrain", "intermediate": "intermediate checkpoints", "pair": "pairs"}
ROWS = ("none", *INTERMEDIATE_TASKS, "all", "mlm")
TARGETS = tuple(name for name in TARGET_TASKS if "xtreme" in task(name).languages)
MLM_WEIGHT = 1.0  # of a row with +mlm, where the config gives none: both losses count the same


@dataclass(frozen=True)
class Job:
    """One thing to be computed, by one command, which leaves `output` and nothing else that others need."""

    kind: str
    title: str
    output: Path
    options: tuple[str, ...]
    needs: tuple[Path, ...] = ()

    @property
    def name(self) -> str:
        return self.output.parent.name if self.kind == "pair" else self.output.name

    @property
    def done(self) -> bool:
        return self.output.exists()

    @property
    def log(self) -> Path:
        """Where the command's output goes; that of one that failed is in `failed_log` in the end."""
        return self.output.with_name("run.log" if self.kind == "pair" else f"{self.name}.log")

    @property
    def failed_log(self) -> Path:
        return self.log.with_name(f"{self.log.name}.failed")


def grid(base: RunConfig, rows: Sequence[str], targets: Sequence[str], seeds: Sequence[int]) -> list[RunConfig]:
    """The configs of all runs, row by row; raises ConfigError for one that cannot be.

    A row is named as `RunConfig.row` does: none, a task, all, mlm, tasks joined by "+", and with "+mlm" or "+sham".
    """
    return [
        replace(base, target=target, seed=seed, **_fields_of(row, base))
        for row in dict.fromkeys(rows)
        for target in dict.fromkeys(targets)
        for seed in dict.fromkeys(seeds)
    ]


def rows_of(rows: Sequence[str], mlm: bool, sham: bool) -> list[str]:
    """The rows; as asked for, each that has labels also with masked LM beside it, and with sham labels."""
    labelled = [row for row in rows if row not in ("none", "mlm") and not row.endswith(("+mlm", "+sham"))]
    added = [addition for addition, wanted in (("mlm", mlm), ("sham", sham)) if wanted]
    return [*rows, *(f"{row}+{addition}" for addition in added for row in labelled)]


def _fields_of(row: str, base: RunConfig) -> dict:
    tasks, *additions = row.split("+")
    sham, mlm = "sham" in additions, "mlm" in additions
    tasks = [tasks, *(name for name in additions if name not in ("sham", "mlm"))]
    weight = (base.mlm_weight or MLM_WEIGHT) if mlm else 0.0
    return {"intermediate": ",".join(tasks), "sham_labels": sham, "mlm_weight": weight}


def jobs_of(configs: Iterable[RunConfig]) -> list[Job]:
    """Everything that the configs' runs are made by, done or not, in the order of computation."""
    jobs: dict[Path, Job] = {}

    def add(kind: str, title: str, output: Path, options: Iterable[str], needs: tuple[Path, ...] = ()) -> Path:
        return jobs.setdefault(output, Job(kind, title, output.absolute(), tuple(options), needs)).output

    for config in configs:
        resolved, options, needs = config.resolved(), options_of(config), ()
        if (seed := pretraining_seed(resolved.encoder)) is not None:
            asked = ("--seed", str(seed), "--runs-dir", config.runs_dir)
            needs += (add("pretrain", f"pretraining of {resolved.encoder}", lab_place(seed), asked),)
        row = f"{config.row}{f', seed {config.seed}' * bool(config.seed)}"
        if config.intermediate != "none":
            shared = checkpoint_folder(resolved)
            needs += (add("intermediate", f"{row} (intermediate phase)", shared, options, needs),)
        notebook = run_folder(resolved, files_of(resolved)) / NOTEBOOK.name  # which is there when all else is
        add("pair", f"{row} → {config.target}", notebook, options, needs)
    return sorted(jobs.values(), key=lambda job: list(KINDS).index(job.kind))


def options_of(config: RunConfig) -> list[str]:
    """The command line's options for what is not RunConfig's default."""
    options = []
    for field in fields(config):
        if (value := getattr(config, field.name)) != field.default:
            flag = f"--{field.name.replace('_', '-')}"
            options += [flag] if value is True else [flag, str(value)]
    return options


def write_plan(path: Path, jobs: Iterable[Job]) -> None:
    """Write what the Snakefile is to do: these jobs, and of what they need what is not there."""
    found = {kind: {} for kind in KINDS}
    for job in jobs:
        needs = [str(need) for need in job.needs if not need.exists()]
        found[job.kind][job.name] = {"output": str(job.output), "needs": needs, "options": shlex.join(job.options)}
    folders = {job.kind: str(job.output.parents[job.kind == "pair"]) for job in jobs}
    plan = {
        "jobs": found,
        "folders": {kind: folders.get(kind, "none") for kind in KINDS},
        "cwd": shlex.quote(str(Path.cwd())),
        "stilts": shlex.join([sys.executable, "-m", "stilts_core.cli"]),
    }
    with written_whole(path) as part:
        part.write_text(json.dumps(plan, indent=1), encoding="utf-8")
