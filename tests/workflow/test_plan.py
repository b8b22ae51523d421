"""The plan of a sweep: its runs, what they share, and what is missing."""

import json
import os
import shlex
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import toy_data
from click.testing import CliRunner
from record_fixture import synthetic_record, with_values

from stilts_core import cli
from stilts_core.config import RunConfig
from stilts_core.errors import ConfigError
from stilts_core.runs.inputs import checkpoint_folder
from stilts_core.runs.record import RECORD, read_record, write_record
from stilts_core.storage.atomic import write_whole
from stilts_core.workflow.plan import (
    ROWS,
    TARGETS,
    Job,
    add_variants,
    grid,
    jobs_of,
    options_of,
    read_seeds,
    write_plan,
)  # fmt: skip
from stilts_core.workflow.sweep import sweep


@pytest.fixture
def base(tmp_path, monkeypatch, tiny_xlmr) -> RunConfig:
    monkeypatch.setenv("STILTS_DATA", str(toy_data.write_data(tmp_path / "data")))
    return RunConfig(profile="small", encoder=str(tiny_xlmr), runs_dir=str(tmp_path / "runs"))


def test_default_grid_has_the_twelve_rows_and_nine_targets_of_the_paper():
    configs = grid(RunConfig(), ROWS, TARGETS, [0])
    assert len(configs) == 108 and len({(config.row, config.target) for config in configs}) == 108
    assert "xcopa" not in TARGETS and {"bucc2018", "tatoeba"} <= set(TARGETS)


def test_grid_of_the_laboratory_shares_its_encoder_and_its_checkpoints(tmp_path):
    jobs = jobs_of(grid(RunConfig(runs_dir=str(tmp_path)), ROWS, TARGETS, [0]))
    kinds = [job.kind for job in jobs]
    assert {kind: kinds.count(kind) for kind in kinds} == {"pretrain": 1, "intermediate": 11, "pair": 108}
    encoder = jobs[0].output
    assert all(encoder in job.needs for job in jobs[1:])
    assert {need for job in jobs for need in job.needs} <= {job.output for job in jobs}


def test_config_of_a_row_has_the_name_of_the_row():
    rows = [*ROWS, "mnli+squad", "mnli+mlm", "all+mlm", "mnli+sham", "mnli+squad+mlm+sham"]
    assert [config.row for config in grid(RunConfig(), rows, ["xnli"], [0])] == rows


def test_row_has_the_settings_of_what_stands_beside_its_tasks_and_no_others():
    base = RunConfig(auxiliary_weight=0.3, text_languages="en,qlu")
    beside, alone, text = grid(base, ["all+mlm", "all", "mlm"], ["xnli"], [0])
    assert (beside.auxiliary, beside.auxiliary_weight, beside.text_languages) == ("mlm", 0.3, "en,qlu")
    assert alone == RunConfig(intermediate="all") and text == RunConfig(intermediate="mlm", text_languages="en,qlu")


def test_rows_that_name_nothing_beside_their_tasks_keep_that_of_the_sweep():
    rows = grid(RunConfig(auxiliary="reversal", auxiliary_weight=0.1), ["none", "qqp", "qqp+mlm"], ["xnli"], [0])
    assert [config.row for config in rows] == ["none", "qqp+reversal", "qqp+mlm"]
    assert [config.resolved().auxiliary_weight for config in rows] == [1.0, 0.1, 0.1]


def test_every_row_with_labels_gets_a_variant_with_masked_lm_and_one_with_sham_labels():
    assert add_variants(["none", "mnli", "all", "mlm"], mlm=True, sham=True) == [
        "none", "mnli", "all", "mlm", "mnli+mlm", "all+mlm", "mnli+sham", "all+sham",
    ]  # fmt: skip


def test_variant_of_a_variant_is_not_added():
    rows = ["mnli+mlm", "mnli+squad+sham"]
    assert add_variants(rows, mlm=True, sham=True) == rows


def test_seeds_are_whole_numbers_joined_by_commas():
    assert read_seeds("0,1,20") == [0, 1, 20]


@pytest.mark.parametrize(
    "seeds, named",
    [
        ("0,-1", "it must be whole numbers joined by commas"),
        ("²", "it must be whole numbers joined by commas"),
        ("٣", "it must be whole numbers joined by commas"),
        ("0,0", "'0' is there twice"),
        ("1,01", "1 is there twice"),
        ("0,", "is empty"),
        (str(2**63), "it must be at most"),
    ],
)
def test_seeds_that_are_no_seeds_are_an_error(seeds, named):
    with pytest.raises(ConfigError, match=f"seeds? is .*{seeds}.*; .*{named}"):
        read_seeds(seeds)


@pytest.mark.parametrize(
    "option, message",
    [
        ({"cores": -3}, "cores is -3; it must be above 0"),
        ({"cores": 0}, "cores is 0; it must be above 0"),
        ({"cores": True}, "cores is True; it must be a whole number"),
        ({"jobs_per_gpu": 0.5}, "jobs_per_gpu is 0.5; it must be a whole number"),
        ({"executor": "cloud"}, "executor is 'cloud'; choose one of local, slurm"),
        ({"dry_run": 2}, "dry_run is 2; it must be true or false"),
        ({"configs": []}, "configs is empty"),
        ({"configs": [RunConfig(), RunConfig(profile="small")]}, "profile is 'lab' and 'small' in one sweep"),
        ({"configs": [RunConfig(), RunConfig(runs_dir="other")]}, "runs_dir is 'runs' and 'other' in one sweep"),
    ],
    ids=str,
)
def test_python_gets_the_errors_of_the_command_before_any_job_is_planned(option, message, monkeypatch):
    monkeypatch.setattr("stilts_core.workflow.sweep.jobs_of", lambda configs: pytest.fail("jobs were planned"))
    with pytest.raises(ConfigError, match=message):
        sweep(**{"configs": [RunConfig()]} | option)


@pytest.mark.parametrize("rows, targets, seeds", [([], ["xnli"], [0]), (["none"], [], [0]), (["none"], ["xnli"], [])])
def test_grid_with_an_empty_side_is_an_error(rows, targets, seeds):
    with pytest.raises(ConfigError, match=r"the grid has no (rows|targets|seeds)"):
        grid(RunConfig(), rows, targets, seeds)


def test_wrong_name_is_found_before_any_file_is_read(base, monkeypatch):
    monkeypatch.setattr("stilts_core.workflow.plan.run_checksums", lambda config: pytest.fail("files were read"))
    with pytest.raises(ConfigError, match="no task 'nil'"):
        jobs_of(grid(base, ["none", "mnli"], ["xnli", "nil"], [0]))


def test_each_seed_has_its_own_checkpoints(base):
    jobs = jobs_of(grid(base, ["none", "mnli"], ["xnli", "tatoeba"], [0, 1]))
    assert [job.kind for job in jobs] == ["intermediate"] * 2 + ["pair"] * 8
    assert len({job.name for job in jobs}) == 10


def test_command_line_reads_the_options_of_a_config_as_the_same_config(monkeypatch):
    config = RunConfig(
        intermediate="mnli>qqp", mixed=True, sham_labels=True, target_lr=3e-5, dropout=0.0, seed=2, languages="de,en",
        target_steps=5, order_seed=0,
    )  # fmt: skip
    configs = []
    monkeypatch.setattr("stilts_core.notebooks.pair.run_pair", configs.append)
    done = CliRunner().invoke(cli.main, ["run", *options_of(config)])
    assert done.exit_code == 0 and configs == [config]


def test_each_beginning_of_a_chain_is_a_job_that_the_next_needs(base):
    rows = ["qqp>mlm>mnli", "qqp>mlm", "qqp", "qqp>mnli+mixed"]
    jobs = jobs_of(grid(replace(base, source="laboratory"), rows, ["panx"], [0]))
    shared = {job.title: job for job in jobs if job.kind == "intermediate"}
    names = [f"{row} (intermediate phase)" for row in ("qqp", "qqp>mlm", "qqp>mlm>mnli")]
    assert list(shared) == names
    outputs = [shared[name].output for name in names]
    assert [shared[name].needs for name in names] == [(), tuple(outputs[:1]), tuple(outputs[:2])]
    needs = [list(job.needs) for job in jobs if job.kind == "pair"]
    assert needs == [outputs, outputs[:2], outputs[:1], outputs[:1]]


@pytest.mark.parametrize("chain", ["mlm", "mlm>mnli", "mnli>mlm"])
def test_planned_checkpoints_are_those_of_the_run_and_of_their_command_where_text_has_its_own_steps(
    base, chain, monkeypatch
):
    config = replace(base, intermediate=chain, target="xnli", text_steps=3, text_lr=1e-4, intermediate_steps=5)
    planned = [job.output for job in jobs_of([config]) if job.kind == "intermediate"]
    assert planned == [checkpoint_folder(phase).absolute() for phase in config.resolved().shared_phases]
    trained, phase = [], SimpleNamespace(dev={}, reused=False, checkpoint="")
    monkeypatch.setattr("stilts_core.runs.pipeline.intermediate", lambda asked: trained.append(asked) or phase)
    for job in jobs_of([config]):
        if job.kind == "intermediate":
            assert CliRunner().invoke(cli.main, ["intermediate", *job.options]).exit_code == 0
    assert [checkpoint_folder(asked.resolved().shared_phases[-1]).absolute() for asked in trained] == planned


def test_shell_reads_the_options_of_a_chain_as_one_word(base):
    *_, job = jobs_of(grid(replace(base, source="laboratory"), ["qqp>mlm"], ["panx"], [0]))
    assert "qqp>mlm" in shlex.split(shlex.join(job.options))
    assert "'qqp>mlm'" in shlex.join(job.options) and ">" not in job.name


def test_option_no_page_does_the_run_without_its_notebook(monkeypatch):
    configs = []
    monkeypatch.setattr("stilts_core.notebooks.pair.run_without_page", configs.append)
    monkeypatch.setattr("stilts_core.notebooks.pair.run_pair", lambda config: pytest.fail("with a notebook"))
    done = CliRunner().invoke(cli.main, ["run", "--no-page", "--seed", "3"])
    assert done.exit_code == 0 and configs == [RunConfig(seed=3)]


def test_run_without_a_page_needs_only_its_record(base):
    (page,), (plain,) = (jobs_of(grid(base, ["none"], ["xnli"], [0]), page=page) for page in (True, False))
    assert (page.output.name, plain.output.name) == ("pair.ipynb", RECORD)
    assert page.name == plain.name and plain.options == (*page.options, "--no-page")


def test_plan_has_only_missing_jobs_which_need_only_missing_outputs(base, tmp_path):
    jobs = jobs_of(grid(base, ["mnli"], ["xnli", "tatoeba"], [0]))
    shared, first, second = jobs
    shared.output.mkdir(parents=True)
    write_plan(tmp_path / "plan.json", [job for job in jobs if not job.done and job != first])
    plan = json.loads((tmp_path / "plan.json").read_text())["jobs"]
    assert plan["intermediate"] == {} and list(plan["pair"]) == [second.name]
    assert plan["pair"][second.name]["needs"] == []


def test_plan_removes_the_marks_of_an_earlier_sweep(base, tmp_path):
    """Snakemake would not do a job again whose mark exists, though its record is lost."""
    shared, pair = jobs = jobs_of(grid(base, ["mnli"], ["xnli"], [0]))
    write_plan(tmp_path / "plan.json", jobs)
    plan = json.loads((tmp_path / "plan.json").read_text())["jobs"]
    mark = tmp_path / plan["intermediate"][shared.name]["mark"]  # relative to Snakemake's folder
    assert plan["pair"][pair.name]["needs"] == [plan["intermediate"][shared.name]["mark"]]
    mark.parent.mkdir(parents=True)
    mark.touch()
    write_plan(tmp_path / "plan.json", jobs)
    assert not mark.exists()


@pytest.fixture
def finished(base) -> Job:
    """A job that left what a finished run leaves."""
    (job,) = jobs_of(grid(base, ["none"], ["xnli"], [0]))
    folder = job.output.parent
    record = with_values(synthetic_record(), {"run_id": folder.name})
    write_record(folder, record)
    for score in record.scores.values():
        write_whole(folder / score.predictions, "0\n")
    job.output.touch()
    return job


def test_run_with_record_predictions_and_notebook_is_done(finished):
    assert finished.done


def remove_the_notebook(job: Job) -> None:
    job.output.rename(job.output.with_name("unfinished.ipynb"))


def remove_a_prediction_file(job: Job) -> None:
    record = read_record(job.output.with_name(RECORD))
    (job.output.parent / record.scores["de"].predictions).unlink()


def truncate_the_record(job: Job) -> None:
    os.truncate(job.output.with_name(RECORD), 1000)


def remove_the_record(job: Job) -> None:
    job.output.with_name(RECORD).unlink()


def empty_the_record(job: Job) -> None:
    os.truncate(job.output.with_name(RECORD), 0)


def put_the_record_of_another_run(job: Job) -> None:
    write_record(job.output.parent, with_values(read_record(job.output.with_name(RECORD)), {"run_id": "another"}))


@pytest.mark.parametrize("damage", [
    remove_the_notebook, remove_a_prediction_file, truncate_the_record, remove_the_record, empty_the_record,
    put_the_record_of_another_run,
])  # fmt: skip
def test_run_that_lost_a_part_is_not_done(finished, damage):
    damage(finished)
    assert not finished.done


@pytest.mark.parametrize("row, target, named", [("mnl", "xnli", "mnli"), ("none", "mnli", "not a target task")])
def test_wrong_name_is_an_error_that_names_the_right_ones(base, row, target, named):
    with pytest.raises(ConfigError, match=named):
        jobs_of(grid(base, [row], [target], [0]))


def test_outputs_do_not_depend_on_how_the_folder_is_written(base, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = [[job.output for job in jobs_of([replace(base, runs_dir=runs)])] for runs in ("runs", str(Path("runs")))]
    assert names[0] == names[1] == [job.output for job in jobs_of([base])]
