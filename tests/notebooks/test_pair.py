"""The pair notebook as papermill's users execute it, with and without our engine."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import toy_data

from stilts_core.notebooks import pair
from stilts_core.notebooks.paths import notebook_path

PAPERMILL = str(Path(sys.executable).with_name("papermill"))


@pytest.mark.parametrize("options", [[], ["--engine", "stilts"]], ids=["plain", "stilts"])
def test_pair_notebook_runs_through_the_papermill_command(options, tmp_path, monkeypatch, tiny_xlmr):
    monkeypatch.setenv("STILTS_KERNELS", "off")  # compiling them would take most of the time
    monkeypatch.setenv("STILTS_DATA", str(toy_data.write_data(tmp_path / "data")))
    output = tmp_path / "out.ipynb"
    parameters = {
        "profile": "small", "encoder": tiny_xlmr, "intermediate": "mnli", "target": "xnli", "languages": "en,sw",
        "intermediate_examples": 8, "target_examples": 8, "intermediate_epochs": 1, "target_epochs": 1,
        "runs_dir": tmp_path / "runs",
    }  # fmt: skip
    arguments = [part for name, value in parameters.items() for part in ("-p", name, str(value))]
    command = [PAPERMILL, *options, str(notebook_path("pair")), str(output), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    outputs = [out for cell in json.loads(output.read_text())["cells"] for out in cell.get("outputs", [])]
    assert outputs and not [out for out in outputs if out["output_type"] in ("error", "stream")]
    (record,) = tmp_path.glob("runs/small/*/record.json")
    assert json.loads(record.read_text())["scores"].keys() == {"en", "sw"}


def test_progress_goes_to_standard_error_where_the_system_gives_it_a_path(monkeypatch):
    monkeypatch.setattr("os.path.exists", lambda path: False)
    assert pair._progress_file() is None
