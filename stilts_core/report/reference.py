"""Reference tables of the book, as MyST Markdown: tasks, languages, parameters, published results."""

import csv
from dataclasses import fields
from importlib.resources import files

from stilts_core.catalogue import TASKS, Task
from stilts_core.config import PROFILES, RunConfig
from stilts_core.languages import languages as all_languages
from stilts_core.report.markup import metric_name, pipe_table

# Keys of book/references.bib.
CITED = {
    "anli": "nie2020anli,williams2018mnli,bowman2015snli",
    "mnli": "williams2018mnli",
    "qqp": "iyer2017qqp",
    "squad_v2": "rajpurkar2018squad2",
    "squad": "rajpurkar2016squad",
    "hellaswag": "zellers2019hellaswag",
    "ccg": "hockenmaier2007ccgbank",
    "cosmosqa": "huang2019cosmosqa",
    "commonsenseqa": "talmor2019commonsenseqa",
    "socialiqa": "sap2019socialiqa",
    "copa": "roemmele2011copa",
    "xnli": "conneau2018xnli",
    "pawsx": "yang2019pawsx",
    "udpos": "nivre2020ud",
    "panx": "pan2017panx",
    "xquad": "artetxe2020xquad",
    "mlqa": "lewis2020mlqa",
    "tydiqa": "clark2020tydiqa",
    "bucc2018": "zweigenbaum2018bucc",
    "tatoeba": "artetxe2019massively",
    "xcopa": "ponti2020xcopa",
    "lareqa": "roy2020lareqa",
    "mewslix": "ruder2021xtremer,botha2020mewsli",
}


def tasks() -> str:
    """Every task of the catalogue by role, with its citation, and the stand-ins."""
    english = [row for row in TASKS.values() if "intermediate" in row.roles]
    targets = [row for row in TASKS.values() if "target" in row.roles]
    stand_ins = [f"- {row.stand_in}" for row in TASKS.values() if row.stand_in]
    parts = [
        "## Intermediate tasks, all English",
        pipe_table(["task", "name", "family", "metric"], [_task_cells(row) for row in english]),
        "## Target tasks",
        "The training set is English; the last two columns count the languages of the benchmark's version.",
        pipe_table(
            ["task", "name", "family", "metric", "training set", "XTREME", "XTREME-R"],
            [
                [
                    *_task_cells(row),
                    f"`{row.trained_on}`" if row.trained_on else "–",
                    *(len(row.languages.get(benchmark, ())) or "–" for benchmark in ("xtreme", "xtreme-r")),
                ]
                for row in targets
            ],
        ),
        "## Stand-ins",
        "Not every set can be had freely everywhere. Where the real one is not at hand, these are read instead, and "
        "every table that shows their numbers says so:",
        "\n".join(stand_ins),
    ]
    return "\n\n".join(parts) + "\n"


def _task_cells(row: Task) -> list[str]:
    cited = f" {{cite}}`{CITED[row.name]}`" if row.name in CITED else ""
    return [row.title + cited, f"`{row.name}`", row.family, metric_name(row.metric)]


def languages() -> str:
    """The languages of the benchmarks, nearest to English first."""
    rows = [
        [
            language.name,
            f"`{language.code}`",
            language.family,
            language.script,
            f"{language.cc100_gib:g}",
            f"{language.syntax_distance_en:.2f}",
            f"{language.attested} of 103",
        ]
        for language in all_languages().values()
    ]
    columns = ["language", "code", "family", "script", "pretraining text, GiB", "distance to English", "attested"]
    return pipe_table(columns, rows)


def parameters() -> str:
    """The fields of RunConfig with each profile's values."""
    rows = [
        [
            f"`{field.name}`",
            field.metadata["help"],
            *(_value(profile.get(field.name, field.default)) for profile in PROFILES.values()),
        ]
        for field in fields(RunConfig)
        if field.name != "profile"
    ]
    return pipe_table(["parameter", "meaning", *(f"profile `{name}`" for name in PROFILES)], rows)


def _value(value: object) -> str:
    return "–" if value in (None, "") else f"`{value}`"


def published() -> str:
    """The published numbers that were verified, each with its source."""
    claims = [[row["claim"], row["value"], row["unit"], row["source"]] for row in facts("published_claims")]
    scores = [
        [row["system"], TASKS[row["task"]].title, metric_name(row["metric"]), row["score"], row["source"]]
        for row in facts("published_scores")
    ]
    retrieval = [
        [row["task"], row["lang"], f"{100 * float(row['score']):.1f}", row["metric"]]
        for row in facts("published_retrieval_xlmr_large")
    ]
    parts = [
        "## What the paper claims",
        pipe_table(["claim", "value", "unit", "source"], claims),
        "## XTREME scores, means over all languages",
        pipe_table(["system", "task", "metric", "score", "source"], scores),
        "## Retrieval with XLM-R Large as it is",
        "Nothing is trained: mean pool of layer 14. Source: pull request 128 of jiant-dev, by the paper's authors "
        "(2020-07-29); the values there are shares, here times 100.",
        pipe_table(["task", "language", "score", "metric"], retrieval),
    ]
    return "\n\n".join(parts) + "\n"


def facts(name: str) -> list[dict[str, str]]:
    text = (files("stilts_core") / "facts" / f"{name}.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(line for line in text.splitlines() if not line.startswith("#")))
