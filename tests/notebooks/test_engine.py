"""The papermill engine `stilts`, and what stays papermill's own for everybody else."""

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import nbformat
import papermill  # before the engine, which papermill loads itself
from small_notebook import TRANSPORT, printed_text, write_notebook

from stilts_core.notebooks.engine import LONGEST_FOLDER

PAPERMILL = [sys.executable, "-m", papermill.__name__]


def test_papermill_command_without_our_engine_stays_on_tcp(tmp_path):
    source, output = write_notebook(tmp_path / "in.ipynb", "print(number + 1)", TRANSPORT), tmp_path / "out.ipynb"
    subprocess.run([*PAPERMILL, str(source), str(output), "-p", "number", "41"], check=True)
    assert printed_text(output).split() == ["42", "tcp"]
    assert nbformat.read(output, as_version=4).metadata.language_info.pygments_lexer


def test_papermill_keeps_its_default_engine_and_its_file_handlers():
    code = """if True:
        from papermill.engines import papermill_engines
        from papermill.iorw import LocalHandler, papermill_io
        print(papermill_engines.get_engine(None), papermill_engines.get_engine("stilts"), sep="|")
        print(LocalHandler.write, papermill_io._handlers)
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    engines, handlers = done.stdout.splitlines()
    assert engines == "<class 'papermill.engines.NBClientEngine'>|<class 'stilts_core.notebooks.engine.IpcEngine'>"
    assert handlers.startswith("<function LocalHandler.write ") and "stilts" not in handlers


def test_three_notebooks_at_once_pass_their_parameters_and_run_on_ipc_without_a_warning(tmp_path):
    source = write_notebook(tmp_path / "in.ipynb", "import time; time.sleep(0.5); print(number + 1)", TRANSPORT)
    outputs = [tmp_path / f"out-{number}.ipynb" for number in range(3)]
    command = [*PAPERMILL, "--engine", "stilts", str(source)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    processes = [
        subprocess.Popen([*command, str(output), "-p", "number", str(number)], **pipes)
        for number, output in enumerate(outputs)
    ]
    logs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 3, logs
    assert [printed_text(output).split() for output in outputs] == [["1", "ipc"], ["2", "ipc"], ["3", "ipc"]]
    assert "warn" not in "".join(logs).lower()  # over TCP ipykernel warns that its connection is not encrypted
    assert nbformat.read(outputs[0], as_version=4).metadata.language_info.pygments_lexer


def test_sockets_are_removed_and_a_long_temporary_folder_is_no_obstacle(tmp_path):
    deep = tmp_path / ("deep" * 30)
    deep.mkdir()
    source = write_notebook(tmp_path / "in.ipynb", TRANSPORT, "print(c.get_connection_file())")
    command = [*PAPERMILL, "--engine", "stilts", str(source), str(tmp_path / "out.ipynb")]
    subprocess.run(command, env=os.environ | {"TMPDIR": str(deep)}, check=True)
    transport, connection = printed_text(tmp_path / "out.ipynb").split()
    assert transport == "ipc"
    assert len(str(deep)) > LONGEST_FOLDER
    assert not Path(connection).parent.exists()


def test_interrupted_kernel_logs_nothing_about_its_own_sockets(tmp_path):
    ready = tmp_path / "ready"
    cells = f"from pathlib import Path; Path({str(ready)!r}).touch()", "import time; time.sleep(60)"
    source = write_notebook(tmp_path / "in.ipynb", *cells)
    command = [*PAPERMILL, "--engine", "stilts", str(source), str(tmp_path / "out.ipynb")]
    # A shell ignores the signal in its jobs in the background, and their children inherit that.
    listen = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=listen) as process:
        give_up = time.monotonic() + 60
        while not ready.exists() and time.monotonic() < give_up:
            time.sleep(0.05)
        time.sleep(0.5)  # the second cell has begun
        process.send_signal(signal.SIGINT)
        log = process.communicate()[1]
    assert ready.exists() and process.returncode != 0 and "IPKernelApp" not in log
