"""Execution of our notebooks: parameters, failures, and an output that is always whole."""

import json
import subprocess
import sys
import textwrap

import nbformat
import pytest
from small_notebook import TRANSPORT, printed_text, write_notebook

from stilts_core.errors import RunError
from stilts_core.notebooks.execution import execute_notebook


def test_our_notebooks_run_on_ipc_with_their_parameters(tmp_path):
    source, output = (
        write_notebook(tmp_path / "in.ipynb", "print(number + 1)", TRANSPORT),
        tmp_path / "{a} %s" / "{.ipynb",
    )
    execute_notebook(source, output, {"number": 41})
    assert printed_text(output).split() == ["42", "ipc"]
    assert list(output.parent.iterdir()) == [output]


def test_kernel_is_the_interpreters_own_whatever_other_kernels_have_its_name(tmp_path, monkeypatch):
    other = tmp_path / "kernels" / "python3" / "kernel.json"
    other.parent.mkdir(parents=True)
    other.write_text(
        json.dumps({"argv": ["/bin/false", "{connection_file}"], "display_name": "o", "language": "python"})
    )
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    source, output = write_notebook(tmp_path / "in.ipynb", "import sys; print(sys.executable)"), tmp_path / "out.ipynb"
    execute_notebook(source, output, {})
    assert printed_text(output).strip() == sys.executable


def test_killed_kernel_is_an_error_that_says_what_to_lower(tmp_path):
    source = write_notebook(tmp_path / "in.ipynb", "import os; os.kill(os.getpid(), 9)")
    with pytest.raises(RunError, match=r"kernel was killed \(peak .* GiB\), .* Lower batch_size.*\n.*out.ipynb"):
        execute_notebook(source, tmp_path / "out.ipynb", {})


def test_failing_cell_is_an_error_that_names_the_executed_notebook_which_shows_it(tmp_path):
    source = write_notebook(
        tmp_path / "in.ipynb", "print('before')", "raise ValueError('the reason')", "print('after')"
    )
    output = tmp_path / "out.ipynb"
    with pytest.raises(RunError, match=rf"ValueError: the reason\n.*{output}"):
        execute_notebook(source, output, {})
    outputs = [out for cell in nbformat.read(output, as_version=4).cells for out in cell.get("outputs", [])]
    assert [out.get("text", out.get("evalue")) for out in outputs] == ["before\n", "the reason"]


def test_notebook_killed_while_it_is_written_is_never_half_a_file(tmp_path):
    output = tmp_path / "out.ipynb"
    script = textwrap.dedent(f"""
        import os, pathlib, signal, time
        from nbformat.v4 import new_markdown_cell, new_notebook
        from papermill.iorw import write_ipynb
        from stilts_core.notebooks.execution import SCHEME
        book, output = new_notebook(cells=[new_markdown_cell("x" * 2_000_000)]), pathlib.Path({str(output)!r})
        for pause in (0.0, 0.013, 0.037, 0.061, 0.083):
            if not (writer := os.fork()):
                while True:
                    write_ipynb(book, SCHEME + str(output))
            while not output.exists():
                time.sleep(0.005)
            time.sleep(pause)
            os.kill(writer, signal.SIGKILL)
            os.waitpid(writer, 0)
            output.rename(output.with_name(f"killed-{{pause}}.ipynb"))
    """)
    subprocess.run([sys.executable, "-c", script], check=True)
    left = [json.loads(path.read_text()) for path in tmp_path.glob("killed-*.ipynb")]
    assert [len(notebook["cells"][0]["source"][0]) for notebook in left] == [2_000_000] * 5
