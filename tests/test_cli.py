"""The `stilts` command: its options, its errors, and what a run leaves."""

import json
import os
import subprocess
import sys

import pytest
import toy_data
from click.testing import CliRunner

from stilts_core.cli import entry, main
from stilts_core.config import RunConfig

COMMAND = [sys.executable, "-m", "stilts_core.cli"]
SMALL = ["--profile", "small"]


def test_every_field_of_run_config_is_an_option():
    text = CliRunner().invoke(main, ["run", "--help"], terminal_width=200).output
    for name in RunConfig.__dataclass_fields__:
        assert f"--{name.replace('_', '-')} " in text


def test_tasks_command_lists_all_tasks_and_shows_one_with_its_available_data(tmp_path, monkeypatch):
    monkeypatch.setenv("STILTS_DATA", str(toy_data.write_data(tmp_path)))
    assert "commonsenseqa" in CliRunner().invoke(main, ["tasks"]).output
    card = CliRunner().invoke(main, ["tasks", "xnli"]).output
    assert "3 languages" in card and "30" in card


def test_score_command_prints_one_json_or_lists_all_missing_files(tmp_path):
    for folder in ("predictions", "gold"):
        for language in ("de", "en"):
            path = tmp_path / folder / "xnli" / f"test-{language}.tsv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("neutral\nneutral\n" if folder == "gold" else "neutral\nentailment\n")
    arguments = [f"--predictions={tmp_path / 'predictions'}", f"--gold={tmp_path / 'gold'}"]
    done = subprocess.run([*COMMAND, "score", *arguments, "--partial"], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["tasks"]["xnli"]["languages"]["de"]["score"] == 50.0
    failed = subprocess.run([*COMMAND, "score", *arguments], capture_output=True, text=True, check=False)
    assert failed.returncode == 1 and "Traceback" not in failed.stderr
    assert all(f"test-{language}.tsv" in failed.stderr for language in ("ar", "sw", "zh"))


@pytest.mark.parametrize(
    "options, named, status",
    [
        ("run --target nli", "no task 'nli'", 1),
        ("run --profile huge", "unknown profile 'huge'", 1),
        ("tasks xquod", "xquad", 1),
        ("run --batch-size 16.5", "batch_size is '16.5'; it must be a whole number", 1),
        ("run --target-lr nan", "target_lr is 'nan'; it must be a finite number", 1),
        ("run --seed -1", "seed is '-1'; it must be 0 or more", 1),
        ("run --languages en,en", "'en' is there twice", 1),
        ("run --intermediate mnli,mnli", "'mnli' is there twice", 1),
        ("run --encoder=", "encoder is ''; it must not be empty", 1),
        ("run --encoder lab-99999999999999999999", "its seed must have fewer digits", 1),
        ("intermediate --clip inf", "clip is 'inf'", 1),
        ("sweep --cores -3", "cores is '-3'; it must be above 0", 1),
        ("sweep --jobs-per-gpu 0", "jobs_per_gpu is '0'; it must be above 0", 1),
        ("sweep --executor slrum", "executor is 'slrum'; choose one of local, slurm", 1),
        ("sweep --seeds ²", "seeds is '²'; it must be whole numbers", 1),
        ("sweep --seeds 0,0", "'0' is there twice", 1),
        ("sweep --target xnli,xnli", "target is 'xnli,xnli'; 'xnli' is there twice", 1),
        ("sweep --target xnli,nil", "no task 'nil'", 1),
        ("sweep --intermediate none,nil", "no task 'nil'", 1),
        (
            "sweep --intermediate mlm --text-languages xx",
            "text_languages is 'xx'; there is no unlabelled text in xx",
            1,
        ),
        ("pretrain --seed -1", "-1 is not in the range", 2),
        ("bench --repetitions 0", "0 is not in the range", 2),
    ],
)
def test_wrong_option_is_an_error_before_anything_is_done(options, named, status, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["stilts", *options.split(" ")])
    with pytest.raises(SystemExit) as end:
        entry()
    text = capsys.readouterr().err
    assert end.value.code == status and named in text and "Traceback" not in text
    assert list(tmp_path.iterdir()) == []


def test_option_is_read_as_papermill_and_python_values_are(monkeypatch):
    configs = []
    monkeypatch.setattr("stilts_core.notebooks.pair.run_pair", configs.append)
    done = CliRunner().invoke(main, ["run", "--batch-size", "16.0", "--target-examples", "1e1", "--target-lr", "None"])
    assert done.exit_code == 0 and configs == [RunConfig(batch_size=16, target_examples=10)]


def test_report_needs_the_folder_of_the_book(tmp_path):
    failed = subprocess.run([*COMMAND, "report"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert failed.returncode == 1 and "Traceback" not in failed.stderr
    assert "folder book not found" in failed.stderr and "--book-dir" in failed.stderr
    assert list(tmp_path.iterdir()) == []


def test_help_imports_no_large_library():
    code = (
        "import sys; import stilts_core.cli; print({'torch', 'transformers', 'datasets', 'pandas'} & set(sys.modules))"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "set()"


def test_failed_run_names_its_error_and_the_notebook_that_shows_it(tmp_path, monkeypatch, tiny_xlmr, capsys):
    monkeypatch.setenv("STILTS_DATA", str(toy_data.write_data(tmp_path / "data")))
    options = [*SMALL, "--encoder", str(tiny_xlmr), "--runs-dir", str(tmp_path / "runs"), "--target-lr", "1e30"]
    monkeypatch.setattr("sys.argv", ["stilts", "run", *options])
    with pytest.raises(SystemExit) as end:
        entry()
    text = capsys.readouterr().err
    assert end.value.code == 1 and "Traceback" not in text and "STILTS_PROGRESS" not in os.environ
    assert "TrainingError" in text and "lower the learning rate" in text
    (notebook,) = tmp_path.glob("runs/small/*/unfinished.ipynb")
    assert str(notebook) in text and "TrainingError" in notebook.read_text()


def test_run_leaves_its_executed_notebook_beside_its_record_and_logs_progress_and_scores(
    tmp_path, monkeypatch, tiny_xlmr
):
    monkeypatch.setenv("STILTS_DATA", str(toy_data.write_data(tmp_path / "data")))
    options = [*SMALL, "--encoder", str(tiny_xlmr), "--runs-dir", str(tmp_path / "runs"), "--batch-size", "8"]
    log = tmp_path / "log"
    with log.open("w") as file:  # as in a shell: stilts run … > log 2>&1
        command = [*COMMAND, "run", "--intermediate", "mnli", *options]
        subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, check=True)
    progress, _, scores = log.read_text().partition("accuracy")
    assert "intermediate phase" in progress and "target phase (xnli)" in progress and "Record: " in scores
    (notebook,) = tmp_path.glob("runs/small/*/pair.ipynb")
    assert (notebook.parent / "record.json").exists()
    outputs = [out for cell in json.loads(notebook.read_text())["cells"] for out in cell.get("outputs", [])]
    assert outputs and not [out for out in outputs if out["output_type"] in ("error", "stream")]
