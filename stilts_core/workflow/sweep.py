"""`stilts sweep`: the grid of a profile, through Snakemake, with a line for each run that ends."""

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import click
from filelock import FileLock, Timeout

from stilts_core.config import RunConfig
from stilts_core.pretraining import copy_record
from stilts_core.workflow import warm
from stilts_core.workflow.plan import KINDS, Job, jobs_of, write_plan
from stilts_core.workflow.watch import Watch

HERE = Path(__file__).parent


class SweepError(RuntimeError):
    """A sweep that cannot begin, or some of whose runs failed; the message says which, and why."""


def sweep(
    configs: list[RunConfig],
    *,
    cores: int,
    executor: str = "local",
    jobs_per_gpu: int = 1,
    dry_run: bool = False,
    more: tuple[str, ...] = (),
) -> None:
    """Do all runs that `configs` describe and that are not done, `cores` of them at once.

    All configs are of one profile and one `runs_dir`. `jobs_per_gpu` runs share a GPU where there are any; `more` are
    further arguments for Snakemake. Raises SweepError if another sweep is at work on the folder, or when runs failed:
    those that could be done are done then.
    """
    jobs = jobs_of(configs)
    profile, runs = configs[0].resolved().profile, Path(configs[0].runs_dir).absolute()
    click.echo(_summary(jobs, profile))
    left = [job for job in jobs if not job.done]
    if not left:
        _tell_of_encoders(jobs, configs[0].runs_dir)
        return
    gpus = visible_gpus() if executor == "local" and configs[0].device != "cpu" else []
    slots = len(gpus) * jobs_per_gpu
    with _alone(runs / profile):
        plan = runs / profile / ".sweep" / "plan.json"
        write_plan(plan, left)
        arguments = [
            *("--snakefile", str(HERE / "Snakefile"), "--workflow-profile", str(HERE / "profiles" / executor)),
            *("--directory", str(plan.parent)),
        ]
        settings = [f"plan={plan}"]
        if executor == "local":
            arguments += ["--cores", str(max(cores, slots)), "--resources", f"gpu={slots}"]
            settings += [f"gpu={int(slots > 0)}"]
        elif profile != "lab":  # whose encoders are too small for a GPU to pay
            settings += ["gpu=1"]
        said = plan.with_name("snakemake.log")
        if dry_run:
            if _snakemake([*arguments, "--dry-run", *more, "--config", *settings], said):
                raise SweepError(f"Snakemake does not accept the plan:\n{said.read_text()}")
            return
        with Watch(left) as watch, _command(gpus, executor) as stilts:
            settings += [f"stilts={stilts}"] if stilts else []
            status = _snakemake([*arguments, *more, "--config", *settings], said)
        _tell_of_encoders(jobs, configs[0].runs_dir)
    if watch.failed:
        raise SweepError(watch.verdict())
    if status:
        raise SweepError(f"The sweep was stopped with {len(watch.open)} left to do. {said} tells:\n{_tail(said)}")


def _tell_of_encoders(jobs: list[Job], runs_dir: str) -> None:
    """Leave what is known of the encoders that were pretrained, here or for other runs, among the runs."""
    for job in jobs:
        if job.kind == "pretrain" and job.done:
            copy_record(job.output, Path(runs_dir))


@contextmanager
def _command(gpus: list[str], executor: str) -> Iterator[str | None]:
    """What stands for the command `stilts`: one that asks a warm process, where there can be one."""
    if executor == "local" and warm.AVAILABLE:
        with warm.WarmProcess(gpus) as process:
            yield shlex.join(process.command())
    else:
        yield None


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The lock on a profile's folder; it ends with the process that holds it, however that ends."""
    folder.joinpath(".sweep").mkdir(parents=True, exist_ok=True)
    try:
        with FileLock(folder / ".sweep" / "lock", timeout=0):
            yield
    except Timeout:
        raise SweepError(
            f"another sweep is at work on {folder}; wait for it to end, or name another folder with --runs-dir"
        ) from None


def _snakemake(arguments: list[str], said: Path) -> int:
    """Snakemake's exit status; its words go to `said`. It runs in this process, so nothing of it outlives this one."""
    from snakemake.cli import main

    with said.open("w", encoding="utf-8") as file, redirect_stderr(file), redirect_stdout(file):
        try:
            main(arguments)
        except SystemExit as end:
            return int(end.code or 0)
    return 0


def _tail(log: Path) -> str:
    return "\n".join(log.read_text(encoding="utf-8").splitlines()[-5:])


def visible_gpus() -> list[str]:
    """The GPUs that PyTorch would see, by the names that CUDA_VISIBLE_DEVICES gives them, without starting CUDA."""
    if (named := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
        return [name.strip() for name in named.split(",") if name.strip()]
    if not shutil.which("nvidia-smi"):
        return []
    query = ["nvidia-smi", "--query-gpu=index", "--format=csv,noheader"]
    return subprocess.run(query, capture_output=True, text=True).stdout.split()


def _summary(jobs: list[Job], profile: str) -> str:
    """How many there are of what, and how many of them are done."""
    lines = [f"Profile {profile}:"]
    for kind, name in KINDS.items():
        if chosen := [job for job in jobs if job.kind == kind]:
            lines.append(f"  {name:<25} {sum(job.done for job in chosen):>4} of {len(chosen):>4} done")
    return "\n".join(lines)
