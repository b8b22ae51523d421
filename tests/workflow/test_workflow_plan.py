"""The plan of a sweep: which runs there are, what they share, and what is left to do."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import toy_data
from click.testing import CliRunner

from stilts_core import cli
from stilts_core.config import ConfigError, RunConfig
from stilts_core.workflow.plan import ROWS, TARGETS, grid, jobs_of, options_of, rows_of, write_plan


@pytest.fixture
def base(tmp_path, monkeypatch, tiny_xlmr) -> RunConfig:
    monkeypatch.setenv("STILTS_DATA", str(toy_data.write_data(tmp_path / "data")))
    return RunConfig(profile="small", encoder=str(tiny_xlmr), runs_dir=str(tmp_path / "runs"))


def test_default_grid_is_the_paper_s_twelve_rows_by_nine_targets():
    configs = grid(RunConfig(), ROWS, TARGETS, [0])
    assert len(configs) == 108 and len({(config.row, config.target) for config in configs}) == 108
    assert "xcopa" not in TARGETS and {"bucc2018", "tatoeba"} <= set(TARGETS)


def test_laboratory_s_grid_shares_its_encoder_and_its_checkpoints(tmp_path):
    jobs = jobs_of(grid(RunConfig(runs_dir=str(tmp_path)), ROWS, TARGETS, [0]))
    kinds = [job.kind for job in jobs]
    assert {kind: kinds.count(kind) for kind in kinds} == {"pretrain": 1, "intermediate": 11, "pair": 108}
    encoder = jobs[0].output
    assert all(encoder in job.needs for job in jobs[1:])
    assert {need for job in jobs for need in job.needs} <= {job.output for job in jobs}


def test_row_by_its_name_is_the_row_of_its_config():
    rows = [*ROWS, "mnli+squad", "mnli+mlm", "all+mlm", "mnli+sham", "mnli+squad+mlm+sham"]
    assert [config.row for config in grid(RunConfig(), rows, ["xnli"], [0])] == rows
    assert grid(RunConfig(mlm_weight=0.3), ["all+mlm", "all"], ["xnli"], [0])[0].mlm_weight == 0.3


def test_masked_lm_and_sham_stand_beside_every_labelled_row():
    assert rows_of(["none", "mnli", "all", "mlm"], mlm=True, sham=True) == [
        "none", "mnli", "all", "mlm", "mnli+mlm", "all+mlm", "mnli+sham", "all+sham",
    ]  # fmt: skip


def test_seeds_have_checkpoints_of_their_own(base):
    jobs = jobs_of(grid(base, ["none", "mnli"], ["xnli", "tatoeba"], [0, 1]))
    assert [job.kind for job in jobs] == ["intermediate"] * 2 + ["pair"] * 8
    assert len({job.name for job in jobs}) == 10


def test_options_on_the_command_line_give_the_config_again(monkeypatch):
    config = RunConfig(intermediate="mnli", sham_labels=True, target_lr=3e-5, dropout=0.0, seed=2, languages="de,en")
    found = []
    monkeypatch.setattr("stilts_core.notebook_run.run_notebook", lambda config: found.append(config))
    monkeypatch.setattr(cli, "_show", lambda record: None)
    done = CliRunner().invoke(cli.main, ["run", *options_of(config)])
    assert done.exit_code == 0 and found == [config]


def test_plan_holds_what_is_missing_and_needs_only_that(base, tmp_path):
    jobs = jobs_of(grid(base, ["mnli"], ["xnli", "tatoeba"], [0]))
    shared, first, second = jobs
    shared.output.mkdir(parents=True)
    write_plan(tmp_path / "plan.json", [job for job in jobs if not job.done and job != first])
    plan = json.loads((tmp_path / "plan.json").read_text())["jobs"]
    assert plan["intermediate"] == {} and list(plan["pair"]) == [second.name]
    assert plan["pair"][second.name]["needs"] == [] and plan["pair"][second.name]["output"] == str(second.output)


def test_page_without_its_notebook_is_not_done(base):
    (job,) = jobs_of(grid(base, ["none"], ["xnli"], [0]))
    job.output.parent.mkdir(parents=True)
    (job.output.parent / "record.json").touch()
    (job.output.parent / "unfinished.ipynb").touch()
    assert not job.done
    job.output.touch()
    assert job.done


@pytest.mark.parametrize("row, target, named", [("mnl", "xnli", "mnli"), ("none", "mnli", "no target task")])
def test_wrong_name_is_an_error_that_names_what_is_right(base, row, target, named):
    with pytest.raises(ConfigError, match=named):
        jobs_of(grid(base, [row], [target], [0]))


def test_paths_do_not_depend_on_how_the_folder_is_named(base, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [[job.output for job in jobs_of([replace(base, runs_dir=runs)])] for runs in ("runs", str(Path("runs")))]
    assert names[0] == names[1] == [job.output for job in jobs_of([base])]
