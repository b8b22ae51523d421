"""What a sweep tells: a line for each run, what failed and why."""

import json

import pytest

from stilts_core.workflow.plan import Job
from stilts_core.workflow.watch import Watch


@pytest.fixture
def jobs(tmp_path) -> list[Job]:
    shared = Job("intermediate", "mnli (intermediate phase)", tmp_path / "checkpoints" / "mnli", ())
    pairs = [Job("pair", f"mnli → {name}", tmp_path / name / "pair.ipynb", ()) for name in ("xnli", "panx")]
    for job in (shared, *pairs):
        job.log.parent.mkdir()
    return [shared, *pairs]


def end(job: Job, score: float) -> None:
    means = {"all": {"score": 0.0}, "non_english": {"score": score}}
    job.output.with_name("record.json").write_text(json.dumps({"schema": 1, "averages": means}))
    job.output.touch()


def test_line_has_the_number_the_title_the_score_and_the_time_that_is_left(jobs, capsys):
    watch = Watch(jobs)
    jobs[0].log.touch()
    jobs[0].output.mkdir()
    watch.look()
    assert capsys.readouterr().out.split()[:2] == ["1/3", "mnli"]
    end(jobs[1], 54.321)
    watch.look()
    line = capsys.readouterr().out
    assert "2/3  mnli → xnli" in line and "54.3" in line and "left" in line
    end(jobs[2], 1.0)
    watch.look()
    assert "left" not in capsys.readouterr().out and not watch.open and not watch.failed


def test_failed_run_is_told_with_its_error_and_its_log(jobs, capsys):
    watch = Watch(jobs)
    jobs[1].failed_log.write_text("Traceback\nRunError: TrainingError: the loss is nan\nThe notebook shows where: x\n")
    watch.look()
    assert "failed" in capsys.readouterr().out
    said = watch.verdict()
    assert "1 of 3 failed" in said and "mnli → xnli: RunError: TrainingError: the loss is nan" in said
    assert str(jobs[1].failed_log) in said and "2 more were not done" in said


def test_log_of_an_earlier_sweep_is_no_failure_of_this_one(jobs):
    jobs[1].failed_log.write_text("ValueError: long ago")
    watch = Watch(jobs)
    watch.look()
    assert watch.failed == [] and len(watch.open) == 3
