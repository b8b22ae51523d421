"""A miniature grid through Snakemake, papermill and the command line: stopped and continued, failing, planned."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import toy_data
from filelock import FileLock

from stilts_core.records import find_records
from stilts_core.workflow.plan import Job
from stilts_core.workflow.sweep import _tell_of_encoders, visible_gpus

PATIENCE = 300  # seconds, on a machine with much else to do


@pytest.fixture(scope="module")
def sweep(tmp_path_factory, tiny_xlmr):
    """Starts `stilts sweep` for two rows and two targets on the toy data; `sweep.runs` is the folder of runs."""
    folder = tmp_path_factory.mktemp("sweep")
    environment = os.environ | {"STILTS_DATA": str(toy_data.write_data(folder / "data")), "CUDA_VISIBLE_DEVICES": ""}

    def sweep(*more: str, **changes: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "stilts_core.cli", "sweep", "--profile", "small", "--encoder", str(tiny_xlmr)]
        command += ["--intermediate", "none,mnli", "--target", "xnli,tatoeba", "--batch-size", "8", "--cores", "2"]
        command += ["--runs-dir", str(folder / "runs"), *more]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
        return subprocess.Popen(command, env=environment | changes, cwd=folder, **pipes)

    sweep.runs = folder / "runs"
    return sweep


def said(process: subprocess.Popen) -> tuple[int, str]:
    """The exit status and all that was printed."""
    out, _ = process.communicate(timeout=PATIENCE)
    return process.returncode, out


def outputs(runs: Path) -> dict[str, int]:
    """Everything that was computed, and when it was written."""
    found = [
        *runs.glob("small/*/record.json"),
        *runs.glob("small/*/pair.ipynb"),
        *runs.glob("checkpoints/*/state.json"),
    ]
    return {str(path): path.stat().st_mtime_ns for path in found}


@pytest.fixture(scope="module")
def killed(sweep) -> tuple[dict[str, int], tuple[int, str]]:
    """What a sweep had left when it was killed, and what the next one said, which went to the end."""
    process = sweep()
    give_up = time.monotonic() + PATIENCE
    while not outputs(sweep.runs) and process.poll() is None and time.monotonic() < give_up:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=PATIENCE)
    return outputs(sweep.runs), said(sweep())


def test_killed_sweep_goes_on_and_computes_nothing_twice(sweep, killed):
    before, (status, text) = killed
    after = outputs(sweep.runs)
    assert status == 0, text
    assert before and {path: after[path] for path in before} == before
    assert sorted(path.rsplit("/", 1)[1] for path in after) == ["pair.ipynb"] * 4 + ["record.json"] * 4 + ["state.json"]


def test_intermediate_phase_comes_first_and_is_shared(sweep, killed):
    phases = [record["phases"][0] for record in find_records(sweep.runs) if record["config"]["intermediate"] == "mnli"]
    assert [phase["reused"] for phase in phases] == [True, True]
    assert len({phase["checkpoint"] for phase in phases}) == 1


def test_every_run_that_ends_is_a_line_with_its_score(killed):
    lines = re.findall(r"^ *\d+/\d+  (none|mnli) → (?:xnli|tatoeba) +\d+\.\d +\d+ s", killed[1][1], re.MULTILINE)
    assert lines and "Snakemake" not in killed[1][1] and "rule" not in killed[1][1]


def test_finished_sweep_has_nothing_to_do(sweep, killed):
    before = outputs(sweep.runs)
    status, text = said(sweep())
    assert status == 0 and "4 of    4 done" in text and "1 of    1 done" in text
    assert outputs(sweep.runs) == before


@pytest.fixture(scope="module")
def failing(sweep, killed) -> tuple[dict[str, int], tuple[int, str]]:
    """What was there before a sweep with another learning rate, at which XNLI cannot be trained; and what that said."""
    return outputs(sweep.runs), said(sweep("--target-lr", "1e30"))


def test_failing_runs_stop_no_others_and_are_listed(failing):
    status, text = failing[1]
    assert status == 1 and "2 of 4 failed" in text and "Traceback" not in text
    assert len(re.findall(r"(?:none|mnli) → xnli: RunError: TrainingError: .*lower the learning rate", text)) == 2
    assert len(re.findall(r"(?:none|mnli) → tatoeba +\d+\.\d", text)) == 2


def test_failed_run_leaves_its_notebook_with_the_error_on_the_page(sweep, failing):
    notebooks = list(sweep.runs.glob("small/*/unfinished.ipynb"))
    assert len(notebooks) == 2
    assert all("TrainingError" in notebook.read_text() for notebook in notebooks)
    assert not any((notebook.parent / "record.json").exists() for notebook in notebooks)


def test_changed_parameter_recomputes_only_what_depends_on_it(sweep, failing):
    before, after = failing[0], outputs(sweep.runs)
    assert {path: after[path] for path in before} == before
    new = [path.rsplit("/", 1)[1] for path in after if path not in before]
    assert sorted(new) == ["pair.ipynb"] * 2 + ["record.json"] * 2  # no state.json: the phase before stays as it was


def test_second_sweep_on_a_folder_is_refused(sweep):
    folder = sweep.runs / "small" / ".sweep"
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / "lock"):
        status, text = said(sweep("--seeds", "7"))
    assert status == 1 and "another sweep is at work on" in text and "--runs-dir" in text


def planned(sweep, *more: str, **changes: str) -> tuple[str, str]:
    """What a dry run of seed 8 says, and what Snakemake told of it."""
    before = outputs(sweep.runs)
    status, text = said(sweep("--seeds", "8", "--dry-run", *more, **changes))
    assert status == 0, text
    assert outputs(sweep.runs) == before
    return text, (sweep.runs / "small" / ".sweep" / "snakemake.log").read_text()


def test_dry_run_counts_what_there_is_and_spreads_runs_over_pretended_gpus(sweep):
    text, told = planned(sweep, "--jobs-per-gpu", "3", CUDA_VISIBLE_DEVICES="0,1")
    assert re.search(r"intermediate checkpoints +0 of +1 done", text) and re.search(r"pairs +0 of +4 done", text)
    assert len(re.findall(r"resources: .*\bgpu=1\b", told)) == 5
    assert re.search(r"^intermediate +1$", told, re.MULTILINE) and re.search(r"^pair +4$", told, re.MULTILINE)


def test_slurm_s_profile_is_accepted_and_asks_for_a_gpu_and_memory(sweep):
    _, told = planned(sweep, "--executor", "slurm", "--", "--default-resources", "slurm_partition=gpu")
    pairs = re.findall(r"^rule pair:.*?resources: ([^\n]*)", told, re.MULTILINE | re.DOTALL)
    assert len(pairs) == 4
    for asked in ("gpu=1", "mem_mb=", "runtime=", "slurm_partition=gpu"):
        assert all(asked in pair for pair in pairs)


def test_what_an_encoder_could_do_before_any_training_is_told_among_the_runs(tmp_path):
    encoder = tmp_path / "cache" / "lab-0"
    encoder.mkdir(parents=True)
    (encoder / "pretraining.json").write_text('{"name": "lab"}')
    _tell_of_encoders([Job("pretrain", "", encoder, ())], str(tmp_path / "runs"))
    assert (tmp_path / "runs" / "lab" / "encoders" / "lab.json").read_text() == '{"name": "lab"}'


def test_gpus_are_those_that_the_environment_leaves(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "2, GPU-7f")
    assert visible_gpus() == ["2", "GPU-7f"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []
