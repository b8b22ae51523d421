"""`stilts sweep`: the grid of a profile through Snakemake."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

from stilts_core.config import RunConfig
from stilts_core.errors import ConfigError, SweepError, shown
from stilts_core.pretraining.record import copy_record
from stilts_core.storage.atomic import whole_file
from stilts_core.storage.environment import available_cores
from stilts_core.storage.locks import lock_on
from stilts_core.workflow.batches import group_runs
from stilts_core.workflow.lifeline import lifeline
from stilts_core.workflow.options import SweepOptions
from stilts_core.workflow.plan import KINDS, Job, jobs_of, write_plan
from stilts_core.workflow.resources import CLUSTER_JOBS
from stilts_core.workflow.warm_process import AVAILABLE, WarmProcess
from stilts_core.workflow.watch import Watch

HERE = Path(__file__).parent
Settings = dict[str, str | int]


def sweep(
    configs: list[RunConfig],
    *,
    cores: int | None = None,
    executor: str = "local",
    jobs_per_gpu: int = 1,
    dry_run: bool = False,
    no_page: bool = False,
    snakemake_options: tuple[str, ...] = (),
) -> None:
    """Compute all missing runs of `configs`, and what they share; a dry run only checks the plan.

    `cores` jobs run at once (default: one for each core), and `jobs_per_gpu` of them share a GPU. With `no_page` runs
    leave only record and predictions. A sweep waits until no other one uses the folder.

    Raises ConfigError, before anything is computed, for a value that an option cannot have (see `SweepOptions`), for no
    configs, and for configs of several profiles or `runs_dir`; SweepError if a job failed.
    """
    chosen = SweepOptions(cores=cores, executor=executor, jobs_per_gpu=jobs_per_gpu, dry_run=dry_run, no_page=no_page)
    _require_one_folder(configs)
    jobs = jobs_of(configs, page=not chosen.no_page)
    profile, runs_dir = configs[0].resolved().profile, Path(configs[0].runs_dir).absolute()
    plan, error = runs_dir / profile / (".dry-run" if chosen.dry_run else ".sweep") / "plan.json", None
    with _only_sweep(plan.parent):
        missing = [job for job in jobs if not job.done]  # after another sweep, which may have had the same runs
        print(_summary(jobs, missing, profile), flush=True)
        if missing:
            gpus = visible_gpus() if chosen.executor == "local" and configs[0].device != "cpu" else []
            at_once = chosen.cores or available_cores() if chosen.executor == "local" else CLUSTER_JOBS
            write_plan(plan, missing, group_runs(missing, at_once))
            options, settings = _snakemake_options(plan, chosen, profile, len(gpus))
            options += snakemake_options
            if chosen.dry_run:
                _check_plan(options, settings, plan)
            else:
                error = _compute(missing, options, settings, plan, gpus, chosen.executor)
    if not chosen.dry_run:
        _copy_encoder_records(jobs, runs_dir)
    if error:
        raise SweepError(error)


def uses_gpu(profile: str) -> bool:
    """Whether the jobs of a profile ask a cluster for a GPU: the laboratory's small encoder would gain nothing."""
    return profile != "lab"


def visible_gpus() -> list[str]:
    """Return the GPUs that PyTorch would see, named as in CUDA_VISIBLE_DEVICES, without starting CUDA."""
    if (names := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        every = [name.strip() for name in names.split(",") if name.strip()]
        return list(takewhile(lambda name: name != "-1", every))
    if not shutil.which("nvidia-smi"):
        return []
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    answer = subprocess.run(query, capture_output=True, text=True)  # a failure is explained on stdout
    return answer.stdout.split() if answer.returncode == 0 else []


def _summary(jobs: list[Job], missing: list[Job], profile: str) -> str:
    """How many jobs of each kind the grid has, and how many of them are done."""
    lines = [f"Profile {profile}:"]
    for kind, name in KINDS.items():
        if chosen := [job for job in jobs if job.kind == kind]:
            done = len(chosen) - sum(job.kind == kind for job in missing)
            lines.append(f"  {name:<25} {done:>4} of {len(chosen):>4} done")
    return "\n".join(lines)


@contextmanager
def _only_sweep(folder: Path) -> Iterator[None]:
    """Hold the lock of the sweep whose plan is in `folder`; wait for another sweep that holds it."""
    message = f"Another sweep is running in {folder.parent}. This one begins when that one has ended.\n"
    with lock_on(folder / "sweep", message=message):
        yield


def _require_one_folder(configs: list[RunConfig]) -> None:
    """Raises ConfigError unless all configs, at least one, write their runs to one folder."""
    if not configs:
        raise ConfigError("the sweep has no runs: configs is empty; name at least one grid row, target and seed")
    for name in ("profile", "runs_dir"):
        if len(values := dict.fromkeys(getattr(config, name) for config in configs)) > 1:
            raise ConfigError(f"{name} is {' and '.join(map(shown, values))} in one sweep; make a sweep for each")


def _snakemake_options(plan: Path, chosen: SweepOptions, profile: str, gpus: int) -> tuple[list[str], Settings]:
    """The options for Snakemake's command line, and the settings that the Snakefile reads as its config."""
    options = [
        *("--snakefile", str(HERE / "Snakefile"), "--workflow-profile", str(HERE / "profiles" / chosen.executor)),
        *("--directory", str(plan.parent)),
    ]
    settings: Settings = {"plan": str(plan)}
    if chosen.executor == "local":
        gpu_slots = gpus * chosen.jobs_per_gpu
        cores = chosen.cores or max(available_cores(), gpu_slots)
        options += ["--cores", str(cores), "--resources", f"gpu={gpu_slots}"]
        settings |= {"gpu": int(gpu_slots > 0)}
    else:
        settings |= {"cluster": 1, "gpu": int(uses_gpu(profile))}
    return options, settings


def _check_plan(options: list[str], settings: Settings, plan: Path) -> None:
    log = plan.with_name("snakemake.log")
    if _snakemake([*options, "--dry-run", *_configured(plan, settings)], log):
        raise SweepError(f"Snakemake does not accept the plan:\n{log.read_text(encoding='utf-8')}")


def _compute(
    missing: list[Job], options: list[str], settings: Settings, plan: Path, gpus: list[str], executor: str
) -> str | None:
    """Compute the missing jobs; returns a message that says what failed, None if all are done."""
    log = plan.with_name("snakemake.log")
    with Watch(missing) as watch, _warm_command(gpus, executor) as command:
        status = _snakemake([*options, *_configured(plan, settings | command)], log)
    if watch.failed:
        return watch.summary()
    if status:
        lines = "\n".join(log.read_text(encoding="utf-8").splitlines()[-5:])
        return f"The sweep stopped with {len(watch.remaining)} jobs remaining. Last lines of {log}:\n{lines}"
    return None


@contextmanager
def _warm_command(gpus: list[str], executor: str) -> Iterator[Settings]:
    """The setting by which the Snakefile runs `stilts` in a warm process; none where there can be no such process.

    The commands of a sweep on this machine end with it.
    """
    if executor != "local":
        yield {}
    elif AVAILABLE:
        with WarmProcess(gpus) as process, lifeline(Path(process.folder)):
            yield {"stilts": shlex.join(process.command())}
    else:
        with TemporaryDirectory(prefix="stilts-") as folder, lifeline(Path(folder)):
            yield {}


def _configured(plan: Path, settings: Settings) -> list[str]:
    """The option for the settings, from a file: on the command line they would be YAML, where ` #` ends a path."""
    path = plan.with_name("settings.json")
    with whole_file(path) as part:
        part.write_text(json.dumps(settings, allow_nan=False), encoding="utf-8")
    return ["--configfile", str(path)]


def _snakemake(arguments: list[str], log: Path) -> int:
    """Run Snakemake in this process, so that it ends with this process, and return its exit status."""
    from snakemake.cli import main

    with log.open("w", encoding="utf-8") as file, redirect_stderr(file), redirect_stdout(file), _own_signals():
        try:
            main(arguments)
        except SystemExit as end:
            return int(end.code or 0)
    return 0


@contextmanager
def _own_signals() -> Iterator[None]:
    """Raise KeyboardInterrupt at the end if there was one, which Snakemake reports as failed jobs.

    The handler of SIGTERM, which Snakemake replaces, is restored.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    interrupted = threading.Event()

    def interrupt(number: int, frame: FrameType | None) -> None:
        interrupted.set()
        signal.default_int_handler(number, frame)

    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if interrupted.is_set():
        raise KeyboardInterrupt


def _copy_encoder_records(jobs: list[Job], runs_dir: Path) -> None:
    """Copy the records of the laboratory's encoders to `runs_dir`, where the report reads them."""
    for job in jobs:
        if job.kind == "pretrain" and job.done:
            copy_record(job.output, runs_dir)
