import csv
import subprocess
import sys
from importlib.resources import files

import pytest
from rich.console import Console

from stilts_core.tasks.catalogue import INTERMEDIATE_TASKS, TARGET_TASKS, TASKS, get_task
from stilts_core.tasks.hub_layouts import HUB
from stilts_core.tasks.languages import get_language
from stilts_core.tasks.layouts import FILES
from stilts_core.terminal import catalogue_table, print_table, task_card

FAMILIES = {"pair", "choice", "tagging", "span", "retrieval"}


def facts(name: str) -> list[dict]:
    with (files("stilts_core.tasks.facts") / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def shown(renderable) -> str:
    console = Console(width=200)
    with console.capture() as capture:
        console.print(renderable)
    return capture.get()


def test_intermediate_tasks_are_the_papers_nine():
    assert len(INTERMEDIATE_TASKS) == 9
    assert all("intermediate" in TASKS[name].roles for name in INTERMEDIATE_TASKS)


def test_target_tasks_are_xtremes_nine_and_xtreme_rs_three():
    by_version = [
        {name for name in TARGET_TASKS if version in TASKS[name].languages} for version in ("xtreme", "xtreme-r")
    ]
    assert len(by_version[0]) == 9 and by_version[1] - by_version[0] == {"xcopa", "lareqa", "mewslix"}


def test_every_row_is_complete():
    for name, row in TASKS.items():
        assert row.name == name and row.family in FAMILIES and row.metric in row.metrics
        assert row.trained_on is None or row.trained_on in TASKS
        assert all("intermediate" in TASKS[other].roles for other in row.same_data)
        assert row.licences and (row.extends is None or TASKS[row.extends].trained_on == row.trained_on)
    assert set(FILES) == set(TASKS) and set(HUB) <= set(TASKS)


def test_targets_are_trained_on_a_task_of_their_family_but_lareqa():
    for name in TARGET_TASKS:
        if TASKS[name].trained_on and name != "lareqa":
            assert TASKS[TASKS[name].trained_on].family == TASKS[name].family


@pytest.mark.parametrize("row", facts("xtreme_languages.csv"), ids=lambda row: f"{row['benchmark']}-{row['task']}")
def test_languages_are_those_of_the_benchmark(row):
    codes = TASKS[row["task"]].languages[row["benchmark"]]
    assert list(codes) == row["langs"].split() and len(codes) == int(row["n_langs"])
    assert all(get_language(code).code == code for code in codes)


def test_recipe_of_a_papers_target_is_jiants():
    for row in facts("hyperparameters.csv"):
        name = row["task"].split("(")[0]
        if row["source"].startswith("jiant") and name in TARGET_TASKS:
            recipe = TASKS[name].paper
            assert (recipe.epochs, recipe.max_length) == (int(row["epochs"]), int(row["max_seq_len"]))
            assert recipe.learning_rate == (None if row["lr"] == "-" else float(row["lr"]))
            assert recipe.batch_size == (None if row["lr"] == "-" else int(row["batch"]) * int(row["grad_accum"]))


def test_low_resource_sets_have_the_family_metric_labels_and_recipe_of_the_target_that_they_extend():
    further = [row for row in TASKS.values() if "lowres" in row.languages]
    assert len(further) == 7
    for row in further:
        target = TASKS[row.extends]
        for fact in ("family", "metric", "metrics", "labels", "same_data", "trained_on", "paper", "xtreme_metric"):
            assert getattr(row, fact) == getattr(target, fact), (row.name, fact)
        assert all(get_language(code).code == code for code in row.languages["lowres"])


def test_table_of_licences_has_every_task_once():
    names = [row["task"] for row in facts("licences.csv")]
    assert sorted(names) == sorted(TASKS)


def test_recipe_names_its_source():
    assert all(row.paper.source for row in TASKS.values())
    assert TASKS["mnli"].paper.source.startswith("jiant") and TASKS["xcopa"].paper.source == "google-research/xtreme"


def test_unknown_task_is_an_error_that_suggests_the_closest():
    with pytest.raises(ValueError, match=r"no task 'xqad' in the catalogue \(did you mean 'xquad'\?\)"):
        get_task("xqad")
    with pytest.raises(ValueError, match=r"no task 'XNLI' in the catalogue \(did you mean 'xnli'\?\)"):
        get_task("XNLI")


def test_unknown_language_is_an_error_that_lists_the_known():
    with pytest.raises(ValueError, match=r"no language 'xx' in the benchmarks; known: af am ar"):
        get_language("xx")


def test_table_has_a_line_for_every_task():
    text = shown(catalogue_table())
    assert all(any(line.split()[0] == name for line in text.splitlines() if line.strip()) for name in TASKS)


def test_card_names_missing_files_and_the_stand_in(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    text = shown(task_card("ccg", tmp_path))
    assert "not found" in text and "stands in for CCGbank" in text and "english/ccg/train.tsv" in text


def test_brackets_in_a_path_are_printed_as_they_are(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    (root := tmp_path / "t[" / "b]").mkdir(parents=True)
    print_table(task_card("ccg", root), columns=500)
    assert str(root) in capsys.readouterr().out


def test_catalogue_imports_neither_torch_nor_pandas_nor_datasets():
    heavy = {"torch", "pandas", "datasets", "rich", "numpy"}
    code = f"import sys, stilts_core.tasks.catalogue; print(*{heavy} & set(sys.modules))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == ""
