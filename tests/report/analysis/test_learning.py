"""Which tasks an intermediate phase learnt: chance, constant answers, shams, and tasks without a score by chance."""

from types import SimpleNamespace

import pandas as pd
import pytest

from stilts_core.report.analysis.learning import PhaseScores, intermediate_scores, not_learnt
from stilts_core.report.pages.learning import build_section, list_not_learnt


def scores(*values, chance=25.0, items=100, row="hellaswag", task="hellaswag", sham=False):
    return PhaseScores(row, task, values, items, chance, sham)


@pytest.mark.parametrize(
    ("entry", "learnt"),
    [
        (scores(60.0, 58.0), True),
        (scores(31.0, 33.0), False),  # chance lies inside the interval over 100 items
        (scores(31.0, 33.0, items=2000), True),
        (scores(10.0, 12.0), False),
        (scores(69.0, 69.0, 69.0, chance=50.0), False),  # one answer to every item
        (scores(69.0, 69.0, chance=50.0), True),  # two phases can agree by accident
        (scores(100.0, 100.0, 100.0), True),
        (scores(2.0, 3.0, chance=None), True),
    ],
)
def test_task_is_learnt_above_chance_and_not_with_one_answer(entry, learnt):
    assert entry.learnt is learnt


def test_scores_are_those_of_the_phases_and_not_of_the_runs_that_share_them():
    runs = [
        SimpleNamespace(
            run_id=f"{row}-{target}-{seed}", row=row, encoder_name="e", seed=seed,
            config=SimpleNamespace(source="publishers"),
        )
        for row in ("none", "hellaswag", "mnli+sham") for target in ("xnli", "udpos") for seed in (0, 1)
    ]  # fmt: skip
    lines = [
        {"run": run.run_id, "metric": f"dev:intermediate:{task}", "score": 50.0 + run.seed, "n": 100}
        for run in runs
        if (task := {"hellaswag": "hellaswag", "mnli+sham": "mnli"}.get(run.row))
    ]
    table = SimpleNamespace(frame=pd.DataFrame([*lines, lines[0] | {"metric": "score", "score": 1.0}]))
    found = intermediate_scores(table, runs)
    assert [(entry.row, entry.scores, entry.chance, entry.sham) for entry in found] == [
        ("hellaswag", (50.0, 51.0), 25.0, False), ("mnli+sham", (50.0, 51.0), 35.7, True)
    ]  # fmt: skip


def test_page_names_the_tasks_that_show_no_learning_by_row():
    entries = [
        scores(61.0, 58.0, row="all"),
        scores(20.0, 21.0, chance=20.0, row="all", task="commonsenseqa"),
        scores(34.0, 35.0, chance=33.0, row="all", task="mnli"),
        scores(33.0, 34.0, chance=33.0, row="mnli+sham", task="mnli", sham=True),
        scores(25.0, 27.0),
        scores(88.0, chance=None, row="ccg", task="ccg"),
    ]
    assert not_learnt(entries) == {"all": ("commonsenseqa", "mnli"), "hellaswag": ("hellaswag",)}
    assert list_not_learnt(entries, "all") == "all nine (2 of its 3 tasks)"
    assert list_not_learnt(entries, "ccg") == ""
    page = build_section(entries)
    assert "| HellaSwag | 25.0 | *26.0 (25 to 27)* | 59.5 (58 to 61) | – |" in page
    assert "| CCG | – | 88.0 | – | – |" in page
    assert "**No learning is shown for all nine (2 of its 3 tasks) and HellaSwag.**" in page
    assert "No learning is shown" not in build_section(entries[-1:]) and build_section([]) == ""
