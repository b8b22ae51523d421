"""What `stilts plan` prints: everything before anything runs, without data, encoder or network."""

import itertools
import re

import pytest
from click.testing import CliRunner

from stilts_core import cli
from stilts_core.config import RunConfig
from stilts_core.workflow.forecast.cost import forecast_grid
from stilts_core.workflow.forecast.description import format_bytes, format_hours, reduced_grids
from stilts_core.workflow.forecast.rates import choose_rate
from stilts_core.workflow.plan import ROWS, TARGETS, grid


@pytest.fixture
def plan(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STILTS_DATA", raising=False)
    monkeypatch.setenv("STILTS_CACHE", str(tmp_path / "cache"))

    def run(*options: str) -> str:
        done = CliRunner().invoke(cli.main, ["plan", *options], catch_exceptions=False)
        assert done.exit_code == 0
        return done.output

    return run


def test_plan_of_the_paper_names_everything_and_leaves_nothing_behind(plan, tmp_path):
    text = plan("--profile", "paper", "--seeds", "0,1")
    assert "22 intermediate checkpoints, 216 pairs" in text
    for word in ("GPU-hours", "on 64 GPUs", "longest chain", "memory", "disk", "Slurm", "assumed, not measured"):
        assert word in text
    assert "CCG supertagging: the size of the training part is not known" in text
    assert not list(tmp_path.iterdir())


def test_given_rate_halves_the_hours_of_arithmetic(plan):
    slow, fast = (plan("--profile", "paper", "--tflops", rate, "--step-ms", "0") for rate in ("50", "100"))
    hours = [float(re.search(r"GPU-hours +([\d.]+) h", text)[1]) for text in (slow, fast)]
    assert hours[0] == pytest.approx(2 * hours[1], rel=0.02)


def test_smaller_grids_are_those_of_their_options(plan):
    """Each line of the list is a plan of its own, which costs what the line says."""
    given = {"--seeds": "0,1", "--intermediate": "none,mnli,squad,qqp", "--target": "xnli,tatoeba"}
    text = plan("--profile", "paper", *itertools.chain(*given.items()))
    listed = re.findall(r"^  (--.*)\n +(\d+) runs, (.*) of a GPU", text, re.MULTILINE)
    assert len(listed) == 6
    for options, runs, spent in listed:
        words = options.split()
        changed = given | dict(zip(words[::2], words[1::2], strict=True))
        own = plan("--profile", "paper", *itertools.chain(*changed.items()))
        assert f"{runs} pairs" in own and f"GPU-hours     {spent}\n" in own


def test_grid_of_the_laboratory_without_any_record_says_how_to_give_a_rate(plan):
    text = plan("--intermediate", "none,mnli", "--target", "xnli")
    assert "1 encoders to pretrain, 1 intermediate checkpoints, 2 pairs" in text
    assert "unknown: no rate was measured" in text and "--tflops" in text and "1 GPU" not in text


def test_job_that_would_not_end_in_time_is_named_with_its_option(plan):
    text = plan("--profile", "paper", "--intermediate", "all", "--target", "xnli", "--tflops", "1")
    assert re.search(r"--set-resources intermediate:runtime=\d{5,}", text)


def test_every_reduced_grid_is_cheaper():
    configs = grid(RunConfig(profile="paper"), ROWS, TARGETS[-3:], (0, 1))
    whole, rate = forecast_grid(configs), choose_rate(configs[0].resolved())
    for options, smaller in reduced_grids(configs, whole, rate):
        assert rate.seconds(forecast_grid(smaller).work) < rate.seconds(whole.work), options


def test_figures_are_rounded_for_a_reader():
    assert [format_hours(hours) for hours in (0.05, 0.5, 12.34, 1234.5)] == ["3.0 min", "30 min", "12.3 h", "1,234 h"]
    assert [format_bytes(size) for size in (3 * 2**20, 2.5 * 2**30)] == ["3.0 MiB", "2.5 GiB"]
