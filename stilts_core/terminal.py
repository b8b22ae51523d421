"""How the `stilts` command talks: options from the fields of a class, tables, and errors as messages."""

import io
import json
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import asdict, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from stilts_core.config import RunConfig
from stilts_core.errors import StiltsError, explain
from stilts_core.parameters import value_type
from stilts_core.tasks.catalogue import TASKS, Task, get_task
from stilts_core.tasks.layouts import Layout

if TYPE_CHECKING:
    from rich.table import Table

    from stilts_core.runs.known_encoders import KnownEncoder
    from stilts_core.runs.record import Record

WIDE = 160  # columns of a table that is not printed on a terminal
INTERRUPTED = 130  # the exit status of a command that ended by an interrupt (128 + SIGINT)
MISSING = "–"  # in place of a score, where there is none
ENCODERS_CAPTION = (
    "Any other encoder of these types works, too: a name on the hub or a local folder, with model.safetensors and "
    "tokenizer.json.\nThe fast path has batches without padding and layers in C; transformers' layers give the results "
    "of transformers.\nParameters are counted from the published configuration, without pooler and heads. Tests build "
    "tiny random models of every type."
)
DEBUG_VARIABLE = "STILTS_DEBUG"  # the environment variable that shows tracebacks


Command = Callable[..., Any]


def config_options(command: Command, without: tuple[str, ...] = (), kind_of: type = RunConfig) -> Command:
    """Give `command` an option for each field of RunConfig, or of another such class, except those in `without`."""
    for field in reversed([field for field in fields(kind_of) if field.name not in without]):
        kind = value_type(field)
        command = click.option(
            f"--{field.name.replace('_', '-')}",
            type=bool if kind is bool else click.UNPROCESSED,  # RunConfig reads the text, as it reads papermill's
            is_flag=kind is bool,
            metavar={int: "INTEGER", float: "FLOAT"}.get(kind),
            default=field.default,
            show_default=field.default not in (None, "", False),
            help=field.metadata["help"],
        )(command)
    return command


class PatientFile(io.FileIO):
    """A standard output that drops what nobody reads any more: the command does its work without a reader."""

    def write(self, data: Any) -> int:
        """Write to the file; returns the number of bytes."""
        try:
            return super().write(data)
        except (BrokenPipeError, ConnectionResetError):
            return len(data)
        except OSError as error:
            error.filename = f"standard {'output' if self.fileno() == 1 else 'error'}"
            raise


def run_guarded(command: Callable[[], object]) -> int:
    """Run a command and return its exit status; an error is a message on standard error, without its traceback.

    An error that names its remedy, or that the user's machine causes, gives 1, as does an unexpected one; a wrong
    option gives 2, and an interrupt 130. STILTS_DEBUG=1 shows the traceback of all of them.
    """
    prepare_streams()
    try:
        status = command()
        sys.stdout.flush()
    except (KeyboardInterrupt, click.Abort) as error:
        return _fail(error, "Interrupted: run the same command again to resume", INTERRUPTED)
    except click.ClickException as error:
        context = f"{error.ctx.get_usage()}\n" if isinstance(error, click.UsageError) and error.ctx else ""
        return _fail(error, f"{context}Error: {error.format_message()}", error.exit_code)
    except Exception as error:
        message = explain(type(error).__name__, str(error))
        if not isinstance(error, StiltsError | OSError | MemoryError | UnicodeError):
            message += f"\nThis error is unexpected: please report it with what {DEBUG_VARIABLE}=1 shows"
        return _fail(error, message, 1)
    return status if isinstance(status, int) else 0


def _fail(error: BaseException, message: str, status: int) -> int:
    if os.environ.get(DEBUG_VARIABLE, "0") not in ("", "0"):
        traceback.print_exception(error)
    print(message, file=sys.stderr, flush=True)
    try:
        sys.stdout.flush()
    except OSError:  # the disk of the output is full: or Python would try it again at its end, and say so
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return status


def prepare_streams() -> None:
    """Let the standard streams take every text, whoever reads them.

    A closed descriptor is opened on /dev/null, so that no file of the command gets its number. A character that the
    terminal does not have is replaced, and text for a reader that ended is dropped.
    """
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)  # the lowest number that is free
    if sys.stdout is sys.__stdout__:  # not in a test or a notebook, which have streams of their own
        sys.stdout = _patient_stream(sys.stdout, 1, "replace")
    if sys.stderr is sys.__stderr__:
        sys.stderr = _patient_stream(sys.stderr, 2, "backslashreplace")


def _patient_stream(stream: TextIO | None, descriptor: int, errors: str) -> TextIO:
    """A stream like `stream`, which is None where the descriptor was closed when Python started."""
    if stream is not None:
        stream.flush()
    file = PatientFile(descriptor, "w", closefd=False)
    at_once = descriptor == 2 or file.isatty()
    encoding = stream.encoding if stream is not None else "utf-8"
    return io.TextIOWrapper(
        io.BufferedWriter(file), encoding=encoding, errors=errors, newline="\n", line_buffering=at_once
    )


def catalogue_table() -> "Table":
    """Return a table of all tasks; languages are counted by benchmark version (XTREME / XTREME-R, or another)."""
    from rich.table import Table

    table = Table(box=None)
    table.add_column("task", no_wrap=True)
    for heading in ("title", "family", "role", "languages", "metric", "trained on"):
        table.add_column(heading)
    for task in TASKS.values():
        roles, trained_on = ", ".join(task.roles), task.trained_on or "none"
        table.add_row(task.name, task.title, task.family, roles, _count_languages(task), task.metric, trained_on)
    return table


def print_table(table: "Table", columns: int = WIDE) -> None:
    """Print a table as wide as the terminal, or with so many columns where there is none.

    Brackets in paths and names are printed as they are: rich would read them as markup.
    """
    from rich.console import Console

    Console(width=None if sys.stdout.isatty() else columns, markup=False).print(table)


def show_encoders(*, as_json: bool) -> None:
    """Print the encoders that this version knows, as a table or as a JSON list."""
    from stilts_core.runs.known_encoders import known_encoders

    if as_json:
        click.echo(json.dumps([asdict(encoder) for encoder in known_encoders()], indent=1, allow_nan=False))
    else:
        print_table(encoder_table(known_encoders()))


def encoder_table(encoders: "Iterable[KnownEncoder]") -> "Table":
    """Return a table of encoders; sizes are in millions of parameters."""
    from rich.table import Table

    table = Table(box=None, caption=ENCODERS_CAPTION, caption_justify="left")
    table.add_column("encoder", no_wrap=True)
    for heading in ("known as", "type", "path"):
        table.add_column(heading)
    for heading in ("layers × width", "parameters", "embeddings"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("tested here with")
    for row in encoders:
        sizes = [f"{count / 1e6:.1f} M" for count in (row.parameters, row.embeddings)]
        table.add_row(row.name, row.title, row.type, row.path, f"{row.layers} × {row.width}", *sizes, row.tested)
    return table


def _count_languages(task: Task) -> str:
    if not task.is_target:
        return "en"
    counts = {version: len(codes) for version, codes in task.languages.items()}
    if counts.keys() <= {"xtreme", "xtreme-r"}:
        return " / ".join(str(counts.get(version, "-")) for version in ("xtreme", "xtreme-r"))
    return ", ".join(f"{count} ({version})" for version, count in counts.items())


def task_card(name: str, data: Path | None = None) -> "Table":
    """Return a table of facts about one task, with the data that are available under the root `data` or on the hub."""
    from rich.table import Table

    from stilts_core.sources.status import data_status

    task = get_task(name)
    card = Table(title=task.title, title_justify="left", show_header=False, box=None)
    card.add_row("task", task.name)
    card.add_row("family", task.family)
    card.add_row("role", ", ".join(task.roles))
    for version, codes in task.languages.items():
        card.add_row(f"languages ({version})", f"{len(codes)}: {' '.join(codes)}")
    others = f" (also {', '.join(task.metrics[1:])})" if len(task.metrics) > 1 else ""
    card.add_row("metric", task.metric + others)
    card.add_row("English training set", task.trained_on or "none: the encoder is scored without training")
    if task.extends:
        card.add_row("further languages of", f"{task.extends}, whose training set and recipe it has")
    if task.same_data:
        card.add_row("same data", f"{', '.join(task.same_data)} (left out of means of transfer)")
    for layout in task.files:
        card.add_row("files", _show_paths(layout))
    if task.hub:
        card.add_row("hub", _show_paths(task.hub))
    if task.licences:
        card.add_row("licence", task.licences.replace("; ", "\n"))
    recipe = task.paper
    training = f"learning rate {recipe.learning_rate}, batch {recipe.batch_size}, {recipe.epochs} epochs, "
    card.add_row("recipe", f"{training if recipe.epochs else ''}length {recipe.max_length} ({recipe.source})")
    if task.note:
        card.add_row("note", task.note)
    if task.stand_in:
        card.add_row("stand-in", task.stand_in)
    card.add_row("data", data_status(name, data))
    return card


def _show_paths(layout: Layout) -> str:
    places = ", ".join(f"{language}: {place}" for language, place in layout.places.items())
    return "\n".join([*layout.paths, *([f"place: {places}"] if places else [])])


def show_record(record: "Record") -> None:
    """Print the scores of a run with their intervals, and where its record is."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=record.run_id, title_justify="left")
    table.add_column("language")
    for column in (*record.metrics, "95 % interval", "n"):
        table.add_column(column, justify="right")
    for language, score in record.scores.items():
        values = [f"{score.metrics[name]:.1f}" if name in score.metrics else MISSING for name in record.metrics]
        table.add_row(language, *values, f"{score.low:.1f} – {score.high:.1f}", str(score.n))
    for language, blind in record.unscored.items():
        table.add_row(language, *(MISSING for _ in record.metrics), MISSING, str(blind.n))
    console = Console(width=None if sys.stdout.isatty() else WIDE, markup=False)
    console.print(table)
    for note in record.notes:
        console.print(f"Note: {note}")
    console.print(f"Record: {record.folder}")
