"""Small notebooks for the tests of papermill's engine."""

from pathlib import Path

import nbformat
from nbformat.v4 import new_code_cell, new_notebook

# A cell that prints the transport of its kernel's sockets: tcp or ipc.
TRANSPORT = "import json, ipykernel.connect as c; print(json.loads(c.get_connection_info())['transport'])"


def write_notebook(path: Path, *sources: str) -> Path:
    """Write a notebook whose first cell is the parameters cell `number = 1`, followed by `sources`."""
    cells = [new_code_cell("number = 1", metadata={"tags": ["parameters"]}), *map(new_code_cell, sources)]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(new_notebook(cells=cells, metadata={"kernelspec": kernel}), path)
    return path


def printed_text(path: Path) -> str:
    """All that the cells of an executed notebook printed."""
    cells = nbformat.read(path, as_version=4).cells
    return "".join(output.get("text", "") for cell in cells if cell.cell_type == "code" for output in cell.outputs)
