"""Titles of runs, rows and tasks."""

from stilts_core.config import GridRow, RunConfig
from stilts_core.tasks.catalogue import INTERMEDIATE_TASKS, get_task

TITLES = {
    "none": "No intermediate task",
    "all": f"All {len(INTERMEDIATE_TASKS)} intermediate tasks",
    "mlm": "Multilingual MLM",
}
SHORT_TITLES = {"none": "none", "all": "all nine", "mlm": "MLM alone"}


def run_title(config: RunConfig) -> str:
    """The title of a run: `MultiNLI → XNLI`."""
    return f"{row_title(config.row)} → {get_task(config.target).title}"


def row_title(row: str) -> str:
    """The title of a row of the grid (see `config.GridRow`)."""
    links, mlm, sham, mixed = GridRow.parse(row)
    names = ", then ".join(" + ".join(TITLES.get(name) or get_task(name).title for name in tasks) for tasks in links)
    return names + " with MLM" * mlm + ", labels shuffled" * sham + ", jointly with the target" * mixed


def short_title(row: str) -> str:
    """The title of a row or a task where there is little room."""
    links, mlm, sham, mixed = GridRow.parse(row)
    phases = (" + ".join(SHORT_TITLES.get(name) or get_task(name).short_title for name in tasks) for tasks in links)
    return ", then ".join(phases) + " + MLM" * mlm + ", shuffled" * sham + ", jointly" * mixed
