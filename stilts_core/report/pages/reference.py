"""Reference tables of the book, as MyST Markdown: tasks, languages, parameters."""

from dataclasses import fields

from stilts_core.config import PROFILES, RunConfig
from stilts_core.report.tables.html import markdown_table, metric_name
from stilts_core.tasks.catalogue import TASKS, Task
from stilts_core.tasks.languages import languages as benchmark_languages


def build_tasks() -> str:
    """Every task of the catalogue by role, with its citation, and the stand-ins."""
    english = [task for task in TASKS.values() if "intermediate" in task.roles]
    targets = [task for task in TASKS.values() if task.is_target and not task.extends]
    further = [task for task in TASKS.values() if task.extends]
    noted = [task for task in TASKS.values() if task.note]
    stand_ins = [f"- {task.stand_in}" for task in TASKS.values() if task.stand_in]
    parts = [
        "## Intermediate tasks, all English",
        markdown_table(["task", "name", "family", "metric"], [_task_cells(task) for task in english]),
        "## Target tasks",
        "The training set is English; the last two columns count the languages of the benchmark's version.",
        markdown_table(
            ["task", "name", "family", "metric", "training set", "XTREME", "XTREME-R"],
            [
                [
                    *_task_cells(task),
                    f"`{task.trained_on}`" if task.trained_on else "–",
                    *(len(task.languages.get(benchmark, ())) or "–" for benchmark in ("xtreme", "xtreme-r")),
                ]
                for task in targets
            ],
        ),
        "## Low-resource sets",
        "Each is a target of its own with further languages of one of these targets, many of which no encoder of today "
        "was pretrained on. It has that target's training set, recipe and metric.",
        markdown_table(
            ["task", "name", "further languages of", "languages"],
            [
                [*_task_cells(task)[:2], f"`{task.extends}`", " ".join(next(iter(task.languages.values())))]
                for task in further
            ],
        ),
        "## Licences",
        "The data sets keep their own licences, and none of their text is in this book's repository.",
        markdown_table(
            ["task", "licences, as the publishers state them"],
            [[f"`{task.name}`", task.licences] for task in TASKS.values()],
        ),
        *(["## Notes", "\n".join(f"- `{task.name}`: {task.note}" for task in noted)] if noted else []),
        "## Stand-ins",
        "Some data sets are not freely available everywhere. Where a data set is missing, one of these stand-ins is "
        "read instead, or less of it is scored, and every table with its numbers says so:",
        "\n".join(stand_ins),
    ]
    return "\n\n".join(parts) + "\n"


def _task_cells(task: Task) -> list[str]:
    citation = f" {{cite}}`{task.citations}`" if task.citations else ""
    return [task.title + citation, f"`{task.name}`", task.family, metric_name(task.metric)]


def build_languages() -> str:
    """The languages of the benchmarks, nearest to English first."""
    rows = [
        [
            language.name,
            f"`{language.code}`",
            language.family,
            language.script,
            f"{language.cc100_gib:g}",
            f"{language.syntax_distance_en:.2f}",
            language.attested,
        ]
        for language in benchmark_languages().values()
    ]
    columns = [
        "language",
        "code",
        "family",
        "script",
        "pretraining text, GiB",
        "distance to English",
        "attested, of 103",
    ]
    return markdown_table(columns, rows)


def build_parameters() -> str:
    """The fields of RunConfig with each profile's values."""
    rows = [
        [
            f"`{field.name}`",
            field.metadata["help"],
            *(_format_value(profile.get(field.name, field.default)) for profile in PROFILES.values()),
        ]
        for field in fields(RunConfig)
        if field.name != "profile"
    ]
    return markdown_table(["parameter", "meaning", *(f"profile `{name}`" for name in PROFILES)], rows)


def _format_value(value: str | float | None) -> str:
    return "–" if value in (None, "") else f"`{value}`"
