"""Tables that the `stilts` command prints."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from stilts_core.tasks.catalogue import TASKS, get_task

if TYPE_CHECKING:
    from rich.table import Table

    from stilts_core.runs.record import Record

WIDE = 160  # columns of a table that is not printed on a terminal


def catalogue_table() -> "Table":
    """Return a table of all tasks; languages are counted by benchmark version (XTREME / XTREME-R)."""
    from rich.table import Table

    table = Table(box=None)
    table.add_column("task", no_wrap=True)
    for heading in ("title", "family", "role", "languages", "metric", "trained on"):
        table.add_column(heading)
    for task in TASKS.values():
        versions = [task.languages.get(version) for version in ("xtreme", "xtreme-r")]
        languages = " / ".join(str(len(codes)) if codes else "-" for codes in versions) if task.is_target else "en"
        roles, trained_on = ", ".join(task.roles), task.trained_on or "none"
        table.add_row(task.name, task.title, task.family, roles, languages, task.metric, trained_on)
    return table


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
    if task.same_data:
        card.add_row("same data", f"{', '.join(task.same_data)} (left out of means of transfer)")
    for layout in task.files:
        card.add_row("files", "\n".join(layout.paths))
    if task.hub:
        card.add_row("hub", "\n".join(task.hub.paths))
    recipe = task.paper
    training = f"learning rate {recipe.learning_rate}, batch {recipe.batch_size}, {recipe.epochs} epochs, "
    card.add_row("recipe", f"{training if recipe.epochs else ''}length {recipe.max_length} ({recipe.source})")
    if task.stand_in:
        card.add_row("stand-in", task.stand_in)
    card.add_row("data", data_status(name, data))
    return card


def show_record(record: "Record") -> None:
    """Print the scores of a run with their intervals, and where its record is."""
    from rich.console import Console
    from rich.table import Table

    table = Table(title=record.run_id, title_justify="left")
    table.add_column("language")
    for column in (*record.metrics, "95 % interval", "n"):
        table.add_column(column, justify="right")
    for language, score in record.scores.items():
        values = [f"{score.metrics[metric]:.1f}" for metric in record.metrics]
        table.add_row(language, *values, f"{score.low:.1f} – {score.high:.1f}", str(score.n))
    for language, blind in record.unscored.items():
        table.add_row(language, *("–" for _ in record.metrics), "–", str(blind.n))
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    console.print(table)
    for note in record.notes:
        console.print(f"Note: {note}")
    console.print(f"Record: {record.folder}")
