"""Every intermediate task with every target on the real data and the packaged encoder, 32 examples each.

`pytest -m slow -s tests/workflow/test_grid.py` prints the table; it takes some 20 minutes on two cores.
"""

from pathlib import Path

import pytest

from stilts_core.config import RunConfig
from stilts_core.runs.pipeline import run
from stilts_core.tasks.catalogue import INTERMEDIATE_TASKS, TARGET_TASKS, get_task

MEWSLIX = Path(__file__).parents[1] / "fixtures" / "mewslix" / "xtreme" / "mewslix"
SIZES = {
    "intermediate_examples": 32,
    "target_examples": 32,
    "dev_examples": 16,
    "test_examples": 8,
    "profile": "small",
    "intermediate_epochs": 1.0,
    "target_epochs": 1.0,
    "max_length": 128,
}


@pytest.fixture(scope="module")
def root(tmp_path_factory, stilts_data) -> Path:
    """The real data, and a small Mewsli-X that was written for the tests."""
    root = tmp_path_factory.mktemp("data")
    (root / "xtreme").mkdir()
    (root / "english").symlink_to(stilts_data / "english")
    for folder in [*(stilts_data / "xtreme").iterdir(), MEWSLIX]:
        (root / "xtreme" / folder.name).symlink_to(folder)
    return root


@pytest.fixture(scope="module")
def runs(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.mark.slow
@pytest.mark.parametrize("target", TARGET_TASKS)
def test_every_intermediate_task_runs_with_every_target(target, root, runs, monkeypatch, capsys):
    monkeypatch.setenv("STILTS_DATA", str(root))
    for intermediate in ("none", *INTERMEDIATE_TASKS, "socialiqa", "all"):
        record = run(RunConfig(intermediate=intermediate, target=target, runs_dir=str(runs), quiet=True, **SIZES))
        mean, seconds = record.averages.non_english, record.cost.seconds
        with capsys.disabled():
            figures = f"{len(record.scores):3} languages  {record.metric:8} {mean.score:5.1f}  {seconds:6.1f} s"
            print(f"\n{intermediate:14} {target:9} {figures}", end="", flush=True)
        names = [phase.name for phase in record.phases]
        assert names == ["intermediate"] * (intermediate != "none") + ["target"] * bool(get_task(target).trained_on)
        assert all(0 <= score.low <= score.high <= 100 for score in record.scores.values())
