"""A miniature grid through Snakemake, papermill and the command line: killed and resumed, with failures, planned."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import toy_data

from stilts_core.runs.record import find_records
from stilts_core.storage.locks import lock_on
from stilts_core.storage.sealed import seal
from stilts_core.workflow.plan import Job
from stilts_core.workflow.sweep import _copy_encoder_records, visible_gpus

PATIENCE = 300  # seconds, for a busy machine


@pytest.fixture(scope="module")
def sweep(tmp_path_factory, tiny_xlmr):
    """Starts `stilts sweep` for two rows and two targets on the toy data; `sweep.runs` is the folder of runs."""
    # Braces are wildcards in Snakemake, blanks end a word, and the other signs are YAML.
    folder = tmp_path_factory.mktemp("sweep") / "{a} #b: c"
    folder.mkdir()
    environment = os.environ | {"STILTS_DATA": str(toy_data.write_data(folder / "data")), "CUDA_VISIBLE_DEVICES": ""}

    def sweep(*more: str, **changes: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "stilts_core.cli", "sweep", "--profile", "small", "--encoder", str(tiny_xlmr)]
        command += ["--intermediate", "none,mnli", "--target", "xnli,tatoeba", "--batch-size", "8", "--cores", "2"]
        command += ["--runs-dir", str(folder / "runs"), *more]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, env=environment | changes, cwd=folder, **pipes)

    sweep.runs = folder / "runs"
    return sweep


def wait(process: subprocess.Popen) -> tuple[int, str]:
    """The exit status of a process and all that it printed."""
    out, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, out


def outputs(runs: Path) -> dict[str, int]:
    """The files that were computed, and when they were written."""
    paths = [
        *runs.glob("small/*/record.json"),
        *runs.glob("small/*/pair.ipynb"),
        *runs.glob("checkpoints/[!.]*/state.json"),
    ]
    return {str(path): path.stat().st_mtime_ns for path in paths}


def stop(sweep, number: signal.Signals) -> tuple[int, str]:
    """Send a signal to a sweep when it has computed something; its exit status and what it printed."""
    process, before = sweep(), outputs(sweep.runs)
    give_up = time.monotonic() + PATIENCE
    while outputs(sweep.runs) == before and process.poll() is None and time.monotonic() < give_up:
        time.sleep(0.05)
    process.send_signal(number)
    return wait(process)


@pytest.fixture(scope="module")
def interrupted(sweep) -> tuple[int, str]:
    """Exit status and text of the first sweep, which a user interrupts."""
    return stop(sweep, signal.SIGINT)


@pytest.fixture(scope="module")
def killed(sweep, interrupted) -> tuple[dict[str, int], tuple[int, str]]:
    """The outputs of a sweep when it was killed; exit status and text of the next sweep, which was not killed."""
    stop(sweep, signal.SIGKILL)
    return outputs(sweep.runs), wait(sweep())


def test_interrupted_sweep_is_not_called_failed(interrupted):
    status, text = interrupted
    assert status == 130 and "Interrupted" in text and "failed" not in text


def test_killed_sweep_resumes_and_computes_nothing_twice(sweep, killed):
    before, (status, text) = killed
    after = outputs(sweep.runs)
    assert status == 0, text
    assert before and {path: after[path] for path in before} == before
    assert sorted(path.rsplit("/", 1)[1] for path in after) == ["pair.ipynb"] * 4 + ["record.json"] * 4 + ["state.json"]


def test_runs_share_one_intermediate_checkpoint(sweep, killed):
    phases = [record.phases[0] for record in find_records(sweep.runs) if record.config.intermediate == "mnli"]
    assert [phase.reused for phase in phases] == [True, True]
    assert len({phase.checkpoint for phase in phases}) == 1


def test_sweep_prints_a_line_with_the_score_for_each_run(killed):
    lines = re.findall(r"^ *\d+/\d+  (none|mnli) → (?:xnli|tatoeba) +\d+\.\d +\d+ s", killed[1][1], re.MULTILINE)
    assert lines and "Snakemake" not in killed[1][1] and "rule" not in killed[1][1]


@pytest.fixture(scope="module")
def failing(sweep, killed) -> tuple[dict[str, int], tuple[int, str]]:
    """The outputs before a sweep with a learning rate at which XNLI cannot be trained; its exit status and text."""
    return outputs(sweep.runs), wait(sweep("--target-lr", "1e30"))


def test_failed_runs_are_listed_and_do_not_stop_the_others(failing):
    status, text = failing[1]
    assert status == 1 and "2 of 4 jobs failed" in text and "Traceback" not in text
    assert len(re.findall(r"(?:none|mnli) → xnli: RunError: TrainingError: .*lower the learning rate", text)) == 2
    assert len(re.findall(r"(?:none|mnli) → tatoeba +\d+\.\d", text)) == 2


def test_failed_run_leaves_its_notebook_with_the_error(sweep, failing):
    notebooks = list(sweep.runs.glob("small/*/unfinished.ipynb"))
    assert len(notebooks) == 2
    assert all("TrainingError" in notebook.read_text() for notebook in notebooks)
    assert not any((notebook.parent / "record.json").exists() for notebook in notebooks)


def test_changed_parameter_recomputes_only_its_dependants(sweep, failing):
    before, after = failing[0], outputs(sweep.runs)
    assert {path: after[path] for path in before} == before
    new = [path.rsplit("/", 1)[1] for path in after if path not in before]
    # No state.json: the intermediate checkpoint is reused.
    assert sorted(new) == ["pair.ipynb"] * 2 + ["record.json"] * 2


def test_second_sweep_on_a_folder_waits_and_computes_nothing_that_is_finished(sweep, failing):
    before = outputs(sweep.runs)
    with lock_on(sweep.runs / "small" / ".sweep" / "sweep"):
        second = sweep()
        assert "Another sweep is running in" in second.stdout.readline()
    status, text = wait(second)
    assert status == 0 and "4 of    4 done" in text and "1 of    1 done" in text
    assert outputs(sweep.runs) == before


def test_lost_record_and_predictions_are_computed_again_though_the_notebooks_exist(sweep, failing):
    records = [record for record in find_records(sweep.runs) if record.target == "tatoeba"]
    first, second = [record for record in records if record.config.target_lr != 1e30]
    scores = [record.scores for record in records]
    os.truncate(sweep.runs / "small" / first.run_id / "record.json", 500)
    (sweep.runs / "small" / second.run_id / next(iter(second.scores.values())).predictions).unlink()
    status, text = wait(sweep())
    assert status == 0 and "2 of    4 done" in text, text
    assert [record.scores for record in find_records(sweep.runs) if record.target == "tatoeba"] == scores


def dry_run(sweep, *more: str, **changes: str) -> tuple[str, str]:
    """The text of a dry run with seed 8, and Snakemake's log."""
    before = outputs(sweep.runs)
    status, text = wait(sweep("--seeds", "8", "--dry-run", *more, **changes))
    assert status == 0, text
    assert outputs(sweep.runs) == before
    return text, (sweep.runs / "small" / ".dry-run" / "snakemake.log").read_text()


def test_dry_run_counts_jobs_and_spreads_them_over_the_gpus(sweep):
    text, log = dry_run(sweep, "--jobs-per-gpu", "3", CUDA_VISIBLE_DEVICES="0,1")
    assert re.search(r"intermediate checkpoints +0 of +1 done", text) and re.search(r"pairs +0 of +4 done", text)
    assert len(re.findall(r"resources: .*\bgpu=1\b", log)) == 5
    assert re.search(r"^intermediate +1$", log, re.MULTILINE) and re.search(r"^pair +4$", log, re.MULTILINE)


def test_slurm_profile_requests_a_gpu_memory_and_time_for_each_run(sweep):
    _, log = dry_run(sweep, "--executor", "slurm", "--", "--default-resources", "slurm_partition=gpu")
    pairs = re.findall(r"^rule pair:.*?resources: ([^\n]*)", log, re.MULTILINE | re.DOTALL)
    assert len(pairs) == 4
    for resource in ("gpu=1", "mem_mb=", "runtime=", "slurm_partition=gpu"):
        assert all(resource in pair for pair in pairs)


def test_record_of_a_pretrained_encoder_is_copied_to_the_runs(tmp_path):
    encoder = tmp_path / "cache" / "lab-0"
    encoder.mkdir(parents=True)
    (encoder / "pretraining.json").write_text('{"name": "lab"}')
    seal(encoder)
    _copy_encoder_records([Job("pretrain", "", encoder, ())], tmp_path / "runs")
    assert (tmp_path / "runs" / "lab" / "encoders" / "lab.json").read_text() == '{"name": "lab"}'


def test_visible_gpus_are_those_of_the_environment_variable(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, GPU-7f")
    assert visible_gpus() == ["2", "GPU-7f"]
    for hidden in ("", "-1", "-1,0"):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", hidden)
        assert visible_gpus() == []


def test_failing_nvidia_smi_shows_no_gpus(monkeypatch, tmp_path):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    program = tmp_path / "nvidia-smi"
    program.write_text("#!/bin/sh\necho NVIDIA-SMI has failed\nexit 9\n")
    program.chmod(0o755)
    assert visible_gpus() == []
    program.write_text("#!/bin/sh\necho 0\necho 1\n")
    assert visible_gpus() == ["0", "1"]
