"""Titles of runs, rows and tasks."""

from stilts_core.config import GridRow, RunConfig
from stilts_core.tasks.catalogue import INTERMEDIATE_TASKS, get_task

TITLES = {
    "none": "No intermediate task",
    "all": f"All {len(INTERMEDIATE_TASKS)} intermediate tasks",
    "mlm": "Multilingual MLM",
}
# What stands beside the tasks of a row, in its title and in its short title.
BESIDE = {
    "mlm": ("MLM", "MLM"),
    "reversal": ("language adversary", "adversary"),
    "random_labels": ("random-label adversary", "random adversary"),
    "confusion": ("domain confusion", "confusion"),
    "mmd": ("mean matching in a step (MMD)", "MMD"),
    "means": ("mean matching", "means"),
}
SHORT_TITLES = {"none": "none", "all": "all nine", "mlm": "MLM alone"}


def run_title(config: RunConfig) -> str:
    """The title of a run: `MultiNLI → XNLI`."""
    return f"{row_title(config.row)} → {get_task(config.target).title}"


def row_title(row: str) -> str:
    """The title of a row of the grid (see `config.GridRow`)."""
    links, auxiliary, sham, mixed = GridRow.parse(row)
    names = ", then ".join(" + ".join(TITLES.get(name) or get_task(name).title for name in tasks) for tasks in links)
    beside = f" with {BESIDE[auxiliary][0]}" if auxiliary else ""
    return names + beside + ", labels shuffled" * sham + ", jointly with the target" * mixed


def short_title(row: str) -> str:
    """The title of a row or a task where there is little room."""
    links, auxiliary, sham, mixed = GridRow.parse(row)
    phases = (" + ".join(SHORT_TITLES.get(name) or get_task(name).short_title for name in tasks) for tasks in links)
    beside = f" + {BESIDE[auxiliary][1]}" if auxiliary else ""
    return ", then ".join(phases) + beside + ", shuffled" * sham + ", jointly" * mixed
