"""The commands that the faults strike, at toy size, and what an undisturbed command leaves.

Each command has `prepare(folder)`, which fills the folder that every case starts from; `execute()`, which runs in that
folder; and `outcome()`, what must be equal after every fault.
"""

import hashlib
import json
import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ENCODER = "STILTS_TOY_ENCODER"  # the environment variables with the tiny encoder and the toy data
SIZES = {
    "profile": "small", "batch_size": 8, "runs_dir": "runs", "quiet": True, "intermediate_examples": 32,
    "target_examples": 16, "dev_examples": 8, "test_examples": 8, "intermediate_epochs": 1.0, "target_epochs": 1.0,
    "languages": "en,de",
}  # fmt: skip


@dataclass(frozen=True)
class Command:
    """One command: how a case begins, what it executes, and what must be equal afterwards."""

    prepare: Callable[[], None]
    execute: Callable[[], None]
    outcome: Callable[[], object]


def config(**more):
    """The config of the toy run; it writes a checkpoint after every step."""
    from stilts_core.config import RunConfig

    fields = SIZES | {"encoder": os.environ[ENCODER], "intermediate": "mnli", "target": "xnli"} | more
    return RunConfig(**fields, checkpoint_seconds=0.0)


def digests(paths: Iterable[Path]) -> dict[str, str]:
    """The SHA-256 of files by path."""
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(paths)}


def runs_outcome() -> object:
    """Scores, losses and mistakes of every record, and the prediction files."""
    from toy_data import scores_of

    from stilts_core.runs.record import find_records

    return [
        [[record.run_id, scores_of(record)] for record in find_records(Path("runs"))],
        digests(path for path in Path("runs").glob("*/*/predictions/*/*") if not path.name.startswith(".")),
    ]


def checkpoint_outcome() -> object:
    """The tensors of the intermediate checkpoint."""
    return digests(Path("runs").glob("checkpoints/[!.]*/tensors.safetensors"))


def run() -> None:
    """A whole run, in this process."""
    from stilts_core.runs import pipeline

    pipeline.run(config(keep_checkpoint=True))


def intermediate() -> None:
    """The intermediate phase alone."""
    from stilts_core.runs import pipeline

    pipeline.intermediate(config())


def notebook() -> None:
    """A run in its notebook, whose kernel does the work; this process writes the executed notebook."""
    from stilts_core.notebooks.pair import run_notebook

    run_notebook(config(intermediate="none", target="tatoeba", languages="de"))


def import_snakemake() -> None:
    """Import Snakemake once for all cases."""
    import snakemake.cli  # noqa: F401


def sweep() -> None:
    """A sweep of one run: this process plans and starts it, and the runner's warm process computes it."""
    from stilts_core.notebooks import warm_client
    from stilts_core.workflow import sweep as module

    client = [sys.executable, "-I", "-S", warm_client.__file__, os.environ[warm_client.ADDRESS_VARIABLE], "stilts"]

    @contextmanager
    def warm_command(*_: object) -> Iterator[list[str]]:
        yield [f"stilts={shlex.join(client)}"]

    module._warm_command = warm_command
    module.sweep([config(intermediate="none", target="tatoeba", languages="de")], cores=1)


def notebooks_outcome() -> object:
    """The outcome of all runs, and which of them have an executed notebook, with the number of its executed cells."""
    import nbformat

    cells = {}
    for path in Path("runs").glob("*/*/*.ipynb"):
        notebook = nbformat.read(path, as_version=4)
        assert not notebook.metadata.papermill.exception
        cells[str(path)] = sum(bool(cell.get("execution_count")) for cell in notebook.cells)
    return [runs_outcome(), cells]


def pretrain() -> None:
    """A laboratory encoder of a few thousand weights."""
    from stilts_core.pretraining import record, train
    from stilts_core.pretraining.recipe import PretrainingRecipe

    train.CHECKPOINT_SECONDS = 0.0
    record.PARALLEL_SENTENCES = record.FRESH_TEXTS = 8
    sizes = {"pieces": 400, "layers": 1, "hidden_size": 32, "feed_forward": 32, "heads": 2, "batch_size": 32}
    recipe = PretrainingRecipe(**sizes, epochs=1.0, texts=0.001, languages=("en", "qpa"))
    record.copy_record(train.pretrain_lab_encoder(0, recipe), Path("runs"))


def pretrain_outcome() -> object:
    """The weights of the encoder, and the losses and abilities in its record."""
    (weights,) = Path("cache").glob("encoders/lab-*/model.safetensors")
    (path,) = Path("runs").glob("lab/encoders/[!.]*.json")
    record = json.loads(path.read_text())
    return [digests([weights]), record["languages"], [[point["step"], point["loss"]] for point in record["curve"]]]


def write_records() -> None:
    """Invented records of a small grid, and an empty book."""
    from record_fixture import grid_records

    from stilts_core.runs.record import write_record

    for record in grid_records("small", ("none", "mnli"), ("xnli",), languages=("en", "de")):
        write_record(Path("runs") / "small" / record.run_id, record)
    Path("book").mkdir()


def report() -> None:
    """The pages of the invented records, by the command itself."""
    from stilts_core.cli import main

    main(["report", "--profile", "small"], standalone_mode=False)


def report_keep() -> None:
    """The pages, and copies of the records in the book."""
    from stilts_core.cli import main

    main(["report", "--profile", "small", "--keep"], standalone_mode=False)


def book_outcome() -> object:
    """Every page, figure and kept record of the book."""
    return digests(path for path in Path("book").rglob("*") if path.is_file() and not path.name.startswith("."))


def keep() -> None:
    """Only the copies of the records in the book."""
    from stilts_core.report.recorded_results import copy_records

    copy_records("small", Path("runs"), Path("book"))


def write_lesson() -> None:
    """A lesson of one line."""
    from small_notebook import write_notebook

    write_notebook(Path("lesson.ipynb"), "print(6 * 7)")


def lessons() -> None:
    """The lesson, executed in a kernel."""
    from stilts_core.notebooks import lessons

    lessons.notebook_path = lambda _: Path("lesson.ipynb")
    lessons.execute_lesson("three_phases", Path("runs"))


def lesson_outcome() -> object:
    """What the lesson printed."""
    from small_notebook import printed_text

    return printed_text(Path("runs/lab/lessons/three_phases.ipynb"))


def nothing() -> None:
    """No preparation."""


COMMANDS = {
    "run": Command(nothing, run, lambda: [runs_outcome(), checkpoint_outcome()]),
    "intermediate": Command(nothing, intermediate, checkpoint_outcome),
    "pretrain": Command(nothing, pretrain, pretrain_outcome),
    "report": Command(write_records, report, book_outcome),
    "report --keep": Command(write_records, report_keep, book_outcome),
    "keep": Command(write_records, keep, book_outcome),
    "notebook": Command(nothing, notebook, notebooks_outcome),
    "sweep": Command(import_snakemake, sweep, notebooks_outcome),
    "lessons": Command(write_lesson, lessons, lesson_outcome),
}
