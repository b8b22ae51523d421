"""The wheel: all that a run needs is in it, and a run works in an empty folder without the checkout."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PIP = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run([*PIP, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT], check=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory) -> Path:
    """A folder with the installed wheel; its dependencies come from this environment."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([*PIP, "install", "--no-deps", "--target", folder, wheel], check=True)
    return folder


def run_stilts(installed: Path, cwd: Path, *arguments: object) -> str:
    """The output of a `stilts` command of the installed package, executed in `cwd`."""
    environment = os.environ | {"PYTHONPATH": str(installed), "STILTS_KERNELS": "off"}
    command = [str(installed / "bin" / "stilts"), *map(str, arguments)]
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_wheel_has_every_file_of_the_package_every_notebook_every_protocol_and_every_recorded_table(wheel):
    package = [path for path in (ROOT / "stilts_core").rglob("*") if path.is_file() and path.suffix != ".pyc"]
    expected = {str(path.relative_to(ROOT)) for path in package}
    expected |= {f"stilts_core/notebooks/files/{path.name}" for path in (ROOT / "notebooks").glob("*.ipynb")}
    expected |= {f"stilts_core/studies/files/{path.name}" for path in (ROOT / "protocols").glob("*.toml")}
    tables = ROOT / "book" / "results" / "studies"
    expected |= {f"stilts_core/studies/tables/{path.name}" for path in tables.glob("*.parquet")}
    names = [name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name]
    assert sorted(names) == sorted(expected)


def test_installed_package_finds_its_own_notebooks(installed, tmp_path):
    code = "import stilts_core.notebooks.paths as paths; print(paths.__file__, paths.notebook_path('pair'))"
    environment = os.environ | {"PYTHONPATH": str(installed)}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    module, notebook = map(Path, done.stdout.split())
    assert module == installed / "stilts_core" / "notebooks" / "paths.py"
    assert notebook == module.parent / "files" / "pair.ipynb" and notebook.exists()


def test_installed_commands_work_in_an_empty_folder(installed, tmp_path, tiny_xlmr):
    assert "commonsenseqa" in run_stilts(installed, tmp_path, "tasks")
    assert "core-hours" in run_stilts(installed, tmp_path, "study", "adversary", "--dry-run")
    sizes = {"target": 16, "dev": 4, "test": 4}
    options = [option for part, size in sizes.items() for option in (f"--{part}-examples", size)]
    options += ["--encoder", tiny_xlmr, "--languages", "en,qal", "--target-epochs", 1, "--quiet"]
    assert "accuracy" in run_stilts(installed, tmp_path, "run", "--target", "xnli", *options)
    (record,) = tmp_path.glob("runs/lab/*/record.json")
    assert json.loads(record.read_text())["scores"].keys() == {"en", "qal"}
    cells = json.loads(record.with_name("pair.ipynb").read_text())["cells"]
    types = {output["output_type"] for cell in cells for output in cell.get("outputs", [])}
    assert types and not types & {"error", "stream"}
    plan = run_stilts(
        installed, tmp_path, "sweep", "--dry-run", "--intermediate", "none", "--target", "xnli", *options[:-1]
    )
    assert "0 of    1 done" in plan or "1 of    1 done" in plan
