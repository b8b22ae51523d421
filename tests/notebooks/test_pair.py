"""The pair notebook as papermill's users execute it, and the runs that execute it with our engine."""

import json
import os
import subprocess
import sys
import time
import venv
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ipykernel
import pytest
import toy_data
from click.testing import CliRunner
from papermill.cli import papermill as papermill_command
from record_fixture import synthetic_record, with_values
from toy_data import scores_of

from stilts_core.config import RunConfig
from stilts_core.errors import ConfigError
from stilts_core.notebooks import pair
from stilts_core.notebooks.injected import injected_names
from stilts_core.notebooks.paths import notebook_path
from stilts_core.runs.record import RECORD, write_record
from stilts_core.storage.atomic import write_whole

PAPERMILL = str(Path(sys.executable).with_name("papermill"))


def test_pair_notebook_runs_through_the_papermill_command_without_our_engine(tmp_path, monkeypatch, tiny_xlmr):
    monkeypatch.setenv("STILTS_KERNELS", "off")  # compiling them would take most of the time
    monkeypatch.setenv("STILTS_DATA", str(toy_data.write_data(tmp_path / "data")))
    output = tmp_path / "out.ipynb"
    parameters = {
        "profile": "small", "encoder": tiny_xlmr, "intermediate": "mnli", "target": "xnli", "languages": "en,sw",
        "intermediate_examples": 8, "target_examples": 8, "intermediate_epochs": 1, "target_epochs": 1,
        "runs_dir": tmp_path / "runs",
    }  # fmt: skip
    arguments = [part for name, value in parameters.items() for part in ("-p", name, str(value))]
    command = [PAPERMILL, str(notebook_path("pair")), str(output), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    outputs = [out for cell in json.loads(output.read_text())["cells"] for out in cell.get("outputs", [])]
    assert outputs and not [out for out in outputs if out["output_type"] in ("error", "stream")]
    (record,) = tmp_path.glob("runs/small/*/record.json")
    assert json.loads(record.read_text())["scores"].keys() == {"en", "sw"}


def test_progress_goes_to_standard_error_where_the_system_gives_it_a_path(monkeypatch):
    monkeypatch.setattr("os.path.exists", lambda path: False)
    assert pair._progress_file() is None


@pytest.mark.parametrize(
    "arguments, right",
    [
        (["-p", "keep_checkpoint", "false"], {"keep_checkpoint": False}),
        (["-p", "batch_size", "16.0"], {"batch_size": 16}),
        (["-p", "target_examples", "1e1"], {"target_examples": 10}),
        (["-r", "seed", "1"], {"seed": 1}),
        (["-y", "target_lr: 1e-4"], {"target_lr": 1e-4}),
        (["-y", "languages: [en, de]"], {"languages": "en,de"}),
        (["-p", "intermediate", "None"], {"intermediate": "none"}),
        (["-p", "seed", "-1"], "seed is -1; it must be 0 or more"),
        (["-y", "languages: [en, no]"], "languages is .*False.*; it must be names joined by commas"),
        (["-p", "target_lr", "inf"], "target_lr is inf; it must be a finite number"),
        (["-p", "runs_dir", "2024"], "runs_dir is 2024; it must be text .*-r runs_dir"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_papermill_makes_of_a_parameter_is_converted_or_an_error(arguments, right, monkeypatch):
    passed = {}
    monkeypatch.setattr("papermill.cli.execute_notebook", lambda **options: passed.update(options["parameters"]))
    done = CliRunner().invoke(papermill_command, [*arguments, "in.ipynb", "out.ipynb"])
    assert done.exit_code == 0, done.output
    if isinstance(right, dict):
        assert RunConfig(**passed) == RunConfig(**right)
    else:
        with pytest.raises(ConfigError, match=right):
            RunConfig(**passed)


def test_parameter_that_is_no_field_of_a_run_is_an_error_that_names_it(tmp_path):
    command = [PAPERMILL, "--engine", "stilts", str(notebook_path("pair")), str(tmp_path / "out.ipynb")]
    done = subprocess.run([*command, "-p", "target_exampels", "8"], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "unknown configuration field 'target_exampels' (did you mean 'target_examples'?)" in done.stderr
    assert not (tmp_path / "runs").exists()


def test_names_of_injected_parameters_are_those_that_papermills_cell_assigns():
    cells = [
        "",
        "seed = 0",
        "# Parameters\nseed = 1\ntypo = [2, 3]\n",
        "other = 4",
        "# Parameters of mine\n%time x = 1",
    ]
    assert injected_names(cells) == ["seed", "typo"]


def test_plain_papermill_with_the_kernel_of_another_environment_is_one_clear_error(tmp_path):
    venv.create(tmp_path / "other", symlinks=True)
    python = str(tmp_path / "other" / "bin" / "python")
    kernel = tmp_path / "jupyter" / "kernels" / "python3" / "kernel.json"
    kernel.parent.mkdir(parents=True)
    argv = [python, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
    kernel.write_text(json.dumps({
        "argv": argv, "display_name": "other", "language": "python",
        "env": {"PYTHONPATH": str(Path(ipykernel.__file__).parents[1])},
    }))  # fmt: skip
    environment = os.environ | {"JUPYTER_PATH": str(tmp_path / "jupyter")}
    command = [PAPERMILL, str(notebook_path("pair")), str(tmp_path / "out.ipynb")]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert f"RuntimeError: this notebook's kernel runs {python}, and papermill runs in {sys.prefix}" in done.stderr
    assert "papermill --engine stilts" in done.stderr


@pytest.fixture
def executions(monkeypatch, tmp_path) -> list[Path]:
    """The notebooks that were executed; an execution takes a moment and leaves what a finished run leaves."""
    executed: list[Path] = []

    def execute(config: RunConfig, output: Path) -> None:
        executed.append(output)
        time.sleep(0.2)
        record = with_values(synthetic_record(), {"run_id": output.parent.name})
        write_record(output.parent, record)
        for score in record.scores.values():
            write_whole(output.parent / score.predictions, "0\n")
        write_whole(output, "{}")

    monkeypatch.setattr(pair, "_execute", execute)
    monkeypatch.setattr(pair, "run_folder", lambda *_: tmp_path / "runs" / "lab" / "xnli-0")
    return executed


def test_two_runs_of_one_pair_at_once_execute_one_notebook(executions):
    with ThreadPoolExecutor(2) as pool:
        records = list(pool.map(pair.run_notebook, [RunConfig(), RunConfig()]))
    assert records[0] == records[1] and len(executions) == 1
    assert (executions[0].parent / pair.EXECUTED).exists() and not executions[0].exists()


def test_damaged_record_is_computed_again_though_the_notebook_exists(executions, capsys):
    record = pair.run_notebook(RunConfig())
    path = executions[0].parent / RECORD
    path.write_text(path.read_text()[:1000])
    assert pair.run_notebook(RunConfig()) == record and len(executions) == 2
    assert f"The run is done again: {path} is not a readable record" in capsys.readouterr().err
    (path.parent / record.scores["de"].predictions).unlink()
    assert pair.run_notebook(RunConfig()) == record and len(executions) == 3
    assert "which does not exist" in capsys.readouterr().err


def test_run_without_a_page_leaves_no_notebook_and_a_later_page_trains_nothing(tmp_path, tiny_xlmr, monkeypatch):
    monkeypatch.setenv("STILTS_KERNELS", "off")
    sizes = {"target_examples": 8, "dev_examples": 4, "test_examples": 4, "target_epochs": 1}
    config = RunConfig(
        profile="small", encoder=str(tiny_xlmr), source="laboratory", languages="en,qbe", quiet=True,
        runs_dir=str(tmp_path), **sizes,
    )  # fmt: skip
    record = pair.run_without_page(config)
    assert record
    (path,) = tmp_path.glob("small/*/record.json")
    written = path.stat().st_mtime_ns
    assert not list(tmp_path.rglob("*.ipynb"))
    monkeypatch.setattr("stilts_core.runs.pipeline.run", lambda config: pytest.fail("done again"))
    for run in (pair.run_without_page, pair.run_pair):
        again = run(config)
        assert again and scores_of(again) == scores_of(record)
    assert (path.parent / pair.EXECUTED).exists() and path.stat().st_mtime_ns == written
