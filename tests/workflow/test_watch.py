"""The report of a sweep: a line for each job, what failed and why."""

import pytest
from record_fixture import synthetic_record, with_values

from stilts_core.runs.record import write_record
from stilts_core.storage.atomic import write_whole
from stilts_core.workflow.plan import Job
from stilts_core.workflow.watch import Watch


@pytest.fixture
def jobs(tmp_path) -> list[Job]:
    shared = Job("intermediate", "mnli (intermediate phase)", tmp_path / "checkpoints" / "mnli", ())
    pairs = [Job("pair", f"mnli → {name}", tmp_path / name / "pair.ipynb", ()) for name in ("xnli", "panx")]
    for job in (shared, *pairs):
        job.log.parent.mkdir()
    return [shared, *pairs]


def finish(job: Job, mean: float) -> None:
    """Leave what a finished run leaves: a record with this mean of the other languages, and a notebook."""
    record = with_values(synthetic_record(), {"averages.non_english.score": mean, "run_id": job.name})
    write_record(job.output.parent, record)
    for score in record.scores.values():
        write_whole(job.output.parent / score.predictions, "")
    job.output.touch()


def test_line_has_number_title_score_and_remaining_time(jobs, capsys):
    watch = Watch(jobs)
    jobs[0].log.touch()
    jobs[0].output.mkdir()
    watch.report()
    assert capsys.readouterr().out.split()[:2] == ["1/3", "mnli"]
    finish(jobs[1], 54.321)
    watch.report()
    line = capsys.readouterr().out
    assert "2/3  mnli → xnli" in line and "54.3" in line and "left" in line
    finish(jobs[2], 1.0)
    watch.report()
    assert "left" not in capsys.readouterr().out and not watch.remaining and not watch.failed


def test_summary_names_the_failed_job_its_error_and_its_log(jobs, capsys):
    watch = Watch(jobs)
    jobs[1].failed_log.write_text("Traceback\nRunError: TrainingError: the loss is nan\nThe notebook shows where: x\n")
    watch.report()
    assert "failed" in capsys.readouterr().out
    summary = watch.summary()
    assert "1 of 3 jobs failed" in summary and "mnli → xnli: RunError: TrainingError: the loss is nan" in summary
    assert str(jobs[1].failed_log) in summary
    assert "2 jobs were skipped because a job they depend on failed" in summary


def test_failed_log_of_an_earlier_sweep_is_not_a_failure(jobs):
    jobs[1].failed_log.write_text("ValueError: long ago")
    watch = Watch(jobs)
    watch.report()
    assert watch.failed == [] and len(watch.remaining) == 3


def test_command_that_was_killed_counts_as_failed(jobs):
    with Watch(jobs) as watch:
        jobs[1].log.write_text("Loading\n")
    assert watch.failed == [jobs[1]] and "Loading" in watch.summary()
    assert not jobs[1].log.exists()


def test_interrupted_sweep_leaves_the_logs_as_they_are(jobs):
    with pytest.raises(KeyboardInterrupt), Watch(jobs) as watch:
        jobs[1].log.touch()
        raise KeyboardInterrupt
    assert watch.failed == [] and jobs[1].log.exists()
