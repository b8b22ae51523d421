"""A new task is one row of the catalogue: an invented one is read, trained and scored without any other code."""

import numpy as np
import pytest

from stilts_core.config import RunConfig
from stilts_core.runs.pipeline import run
from stilts_core.tasks import catalogue
from stilts_core.tasks.catalogue import Task
from stilts_core.tasks.layouts import Layout
from stilts_core.tasks.recipes import PublishedRecipe

WEATHER = Task(
    name="weather",
    title="Weather pairs",
    family="pair",
    roles=("intermediate", "target"),
    metric="accuracy",
    metrics=("accuracy",),
    trained_on="weather",
    labels=("dry", "wet"),
    parallel=True,
    published=PublishedRecipe(1e-3, 8, 1, 64, 0.1, "this test", ""),
    files=(
        Layout(
            train=("mine/weather/train-en.tsv",),
            dev=("mine/weather/dev-en.tsv",),
            test=("mine/weather/test-{language}.tsv",),
            format="xtreme/xnli",
        ),
    ),
    benchmarks={"mine": ("en", "de")},
)


@pytest.fixture
def data(tmp_path, monkeypatch):
    folder = tmp_path / "data" / "mine" / "weather"
    folder.mkdir(parents=True)
    for name, count in (("train-en", 40), ("dev-en", 8), ("test-en", 12), ("test-de", 12)):
        labels = np.random.default_rng(len(name)).choice(WEATHER.labels, count)
        lines = [f"the river {number}\t{name}: {label}\t{label}\n" for number, label in enumerate(labels)]
        (folder / f"{name}.tsv").write_text("".join(lines))
    monkeypatch.setenv("STILTS_DATA", str(tmp_path / "data"))


@pytest.mark.usefixtures("data", "one_thread")
def test_task_of_one_row_is_trained_and_scored(tmp_path, monkeypatch, tiny_xlmr):
    monkeypatch.setitem(catalogue.TASKS, "weather", WEATHER)
    fields = {"profile": "small", "encoder": str(tiny_xlmr), "runs_dir": str(tmp_path / "runs"), "quiet": True}
    record = run(RunConfig(intermediate="weather", target="weather", batch_size=8, **fields))
    assert {code: score.n for code, score in record.scores.items()} == {"en": 12, "de": 12}
    assert [phase.tasks for phase in record.phases] == [["weather"], ["weather"]]
    assert (record.folder and record.cards["weather"][0].label) in WEATHER.labels
