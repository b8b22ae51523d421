"""The papermill engine: what a user of plain `papermill` can rely on."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import nbformat
import papermill
import pytest
from nbformat.v4 import new_code_cell, new_notebook
from papermill.engines import papermill_engines
from papermill.exceptions import PapermillExecutionError
from papermill.iorw import write_ipynb

from stilts_core.notebook_engine import LONGEST_FOLDER, IpcEngine

PAPERMILL = str(Path(sys.executable).with_name("papermill"))
TRANSPORT = "import json, ipykernel.connect as c; print(json.loads(c.get_connection_info())['transport'])"


def notebook(path: Path, *sources: str) -> Path:
    """A notebook whose first cell is the parameters cell `number = 1`, followed by `sources`."""
    cells = [new_code_cell("number = 1", metadata={"tags": ["parameters"]}), *map(new_code_cell, sources)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def printed(path: Path) -> str:
    cells = nbformat.read(path, as_version=4).cells
    return "".join(output.get("text", "") for cell in cells if cell.cell_type == "code" for output in cell.outputs)


@pytest.mark.parametrize("chosen", [[], ["--engine", "stilts"]], ids=["plain", "named"])
def test_papermill_command_runs_on_ipc_passes_parameters_and_prints_no_warning(tmp_path, chosen):
    source = notebook(tmp_path / "in.ipynb", "print(number + 1)", TRANSPORT)
    target = tmp_path / "out.ipynb"
    done = subprocess.run(
        [PAPERMILL, *chosen, str(source), str(target), "-p", "number", "41"], capture_output=True, text=True, check=True
    )
    assert printed(target).split() == ["42", "ipc"]
    assert "warn" not in (done.stdout + done.stderr).lower()
    assert nbformat.read(target, as_version=4).metadata.language_info.pygments_lexer


def test_engine_is_the_default_and_the_one_named_stilts():
    assert papermill_engines.get_engine(None) is IpcEngine
    assert papermill_engines.get_engine("stilts") is IpcEngine


def test_four_notebooks_at_once_all_finish(tmp_path):
    source = notebook(tmp_path / "in.ipynb", "import time; time.sleep(0.5); print(number)")
    targets = [tmp_path / f"out-{i}.ipynb" for i in range(4)]
    running = [
        subprocess.Popen([PAPERMILL, str(source), str(target), "-p", "number", str(i)], stderr=subprocess.DEVNULL)
        for i, target in enumerate(targets)
    ]
    assert [process.wait(timeout=60) for process in running] == [0] * 4
    assert [printed(target).strip() for target in targets] == ["0", "1", "2", "3"]


def test_failing_cell_leaves_the_executed_notebook_with_its_error(tmp_path):
    source = notebook(tmp_path / "in.ipynb", "print('before')", "raise ValueError('the reason')", "print('after')")
    with pytest.raises(PapermillExecutionError, match="the reason"):
        papermill.execute_notebook(source, tmp_path / "out.ipynb", progress_bar=False)
    failed = nbformat.read(tmp_path / "out.ipynb", as_version=4)
    errors = [o.evalue for c in failed.cells if c.cell_type == "code" for o in c.outputs if o.output_type == "error"]
    assert errors == ["the reason"]
    assert printed(tmp_path / "out.ipynb") == "before\n"


def test_sockets_are_cleaned_up_and_a_long_temporary_folder_is_no_obstacle(tmp_path):
    deep = tmp_path / ("deep" * 30)
    deep.mkdir()
    source = notebook(tmp_path / "in.ipynb", TRANSPORT, "print(c.get_connection_file())")
    environment = os.environ | {"TMPDIR": str(deep)}
    subprocess.run([PAPERMILL, str(source), str(tmp_path / "out.ipynb")], env=environment, check=True)
    transport, connection = printed(tmp_path / "out.ipynb").split()
    assert transport == "ipc"
    assert len(str(deep)) > LONGEST_FOLDER
    assert not Path(connection).parent.exists()


def test_notebook_killed_while_it_is_written_is_never_half_a_file(tmp_path):
    target = tmp_path / "out.ipynb"
    writer = textwrap.dedent(f"""
        from nbformat.v4 import new_markdown_cell, new_notebook
        from papermill.iorw import write_ipynb
        import papermill.engines  # loads the engine
        book = new_notebook(cells=[new_markdown_cell("x" * 2_000_000)])
        print("ready", flush=True)
        while True:
            write_ipynb(book, {str(target)!r})
    """)
    for pause in (0.0, 0.013, 0.037, 0.061, 0.083):
        process = subprocess.Popen([sys.executable, "-c", writer], stdout=subprocess.PIPE)
        process.stdout.readline()
        while not target.exists():
            time.sleep(0.005)
        time.sleep(pause)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert len(json.loads(target.read_text())["cells"][0]["source"][0]) == 2_000_000


def test_failed_write_keeps_the_old_file_and_leaves_no_other(tmp_path, monkeypatch):
    target = tmp_path / "out.ipynb"
    write_ipynb(new_notebook(), str(target))
    before = target.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_ipynb(new_notebook(cells=[new_code_cell("1")]), str(target))
    assert target.read_bytes() == before
    assert list(tmp_path.iterdir()) == [target]


def test_write_follows_links_keeps_the_mode_and_accepts_a_device(tmp_path):
    target, link = tmp_path / "real.ipynb", tmp_path / "link.ipynb"
    target.write_text("")
    target.chmod(0o640)
    link.symlink_to(target)
    write_ipynb(new_notebook(), str(link))
    assert link.is_symlink() and json.loads(target.read_text())["nbformat"] == 4
    assert target.stat().st_mode & 0o777 == 0o640
    device = tmp_path / "device.ipynb"
    device.symlink_to("/dev/null")
    write_ipynb(new_notebook(), str(device))
    assert Path("/dev/null").is_char_device()


def test_missing_output_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        write_ipynb(new_notebook(), str(tmp_path / "nowhere" / "out.ipynb"))
