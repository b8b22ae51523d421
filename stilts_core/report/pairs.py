"""The page of each run: its executed notebook, or what its record shows, and the way to its neighbours in the grid."""

import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from stilts_core.catalogue import TARGET_TASKS
from stilts_core.report import tables
from stilts_core.report.cards import short_title, summary, title
from stilts_core.report.failures import Failure
from stilts_core.report.grid import row_of, row_order
from stilts_core.report.pages import Pages

NOTEBOOK = "pair.ipynb"
ERROR_NOTE = "papermill-error-cell-tag"  # of papermill's own words, in red and twice as large, around an error
KEPT = (
    "This run was made elsewhere and its record was kept without any text of the data: the page shows what the record "
    "holds."
)


def publish(records: Sequence[dict], runs: Path, pages: Pages) -> None:
    """Write a page for every record: from the notebook under `runs` where there is one, else from the record."""
    notebooks = {record["run_id"]: runs / record["profile"] / record["run_id"] / NOTEBOOK for record in records}
    names = {run: f"{run}.{'ipynb' if notebook.exists() else 'md'}" for run, notebook in notebooks.items()}
    titles, neighbours = titles_of(records), Neighbours(records, names)
    for record in records:
        run = record["run_id"]
        said = titles[run], neighbours.way(record)
        made = _from_notebook(notebooks[run], *said) if notebooks[run].exists() else _from_record(record, *said)
        pages.write(f"pairs/{names[run]}", made)


def publish_failures(failures: Sequence[Failure], pages: Pages) -> None:
    """Write a page for every run that failed: its notebook up to the error."""
    for failure in failures:
        way = "[Results](../results.md) · [Runs](../runs.md)"
        pages.write(f"pairs/{failure.run_id}.ipynb", _from_notebook(failure.notebook, failure.title, way))


def titles_of(records: Sequence[dict]) -> dict[str, str]:
    """A title of its own for each record, by run id: with its seed, or the end of its run id, where it takes that."""
    named = {record["run_id"]: title(record) for record in records}
    for more in (seed_said, _ending):
        shared = Counter(named.values())
        named |= {
            record["run_id"]: f"{named[record['run_id']]} ({more(record)})"
            for record in records
            if shared[named[record["run_id"]]] > 1
        }
    return named


def seed_said(record: dict) -> str:
    """The seeds of a run in words."""
    encoder = record["config"].get("encoder") or ""
    return f"seed {record['config']['seed']}" + f", encoder {encoder}" * encoder.startswith("lab-")


def _ending(record: dict) -> str:
    return record["run_id"].rsplit("-", 1)[-1]


class Neighbours:
    """The runs beside each run: the same target after other rows, other targets after the same row, other seeds."""

    def __init__(self, records: Sequence[dict], names: dict[str, str]):
        self.names = names
        self.cells: dict[tuple[str, str], list[dict]] = defaultdict(list)
        for record in records:
            self.cells[row_of(record), record["config"]["target"]].append(record)
        self.order = sorted(self.cells, key=lambda cell: (row_order(cell[0]), TARGET_TASKS.index(cell[1])))

    def way(self, record: dict) -> str:
        """The links as Markdown."""
        row, target = row_of(record), record["config"]["target"]
        column = [(short_title(r), self._nearest(record, (r, t))) for r, t in self.order if t == target and r != row]
        line = [(short_title(t), self._nearest(record, (r, t))) for r, t in self.order if r == row and t != target]
        same = self.cells[row, target]
        often = Counter(map(seed_said, same))
        seeds = [
            (seed_said(run) + f", {_ending(run)}" * (often[seed_said(run)] > 1), run)
            for run in same
            if run is not record
        ]
        found = {f"{short_title(target)} after": column, f"{short_title(row)}, then": line, "Same pair": seeds}
        target_page = f"[{short_title(target)}](../generated/targets/{target}.md)"
        lines = [f"[Results](../results.md) · {target_page} · [Runs](../runs.md)"]
        for name, runs in found.items():
            if runs:
                lines.append(f"{name}: " + " · ".join(f"[{said}]({self.names[run['run_id']]})" for said, run in runs))
        return "\n\n".join(lines)

    def _nearest(self, record: dict, cell: tuple[str, str]) -> dict:
        """The run of another cell with the seed of this one, or the next to it."""
        seed, encoder = record["config"]["seed"], record["encoder"]["name"]
        return min(
            self.cells[cell],
            key=lambda other: (
                other["encoder"]["name"] != encoder,
                abs(other["config"]["seed"] - seed),
                other["run_id"],
            ),
        )


def _from_notebook(notebook: Path, name: str, way: str) -> str:
    """An executed notebook under the title of its run, with the way to its neighbours and its parameters folded away.

    Read as plain JSON: nbformat's validation of a hundred notebooks would take most of a report's time.
    """
    content = json.loads(notebook.read_text(encoding="utf-8"))
    cells = content["cells"] = [cell for cell in content["cells"] if ERROR_NOTE not in cell["metadata"].get("tags", [])]
    cells[0]["source"] = "\n".join([f"# {name}", *_source(cells[0]).splitlines()[1:]])
    cells.insert(1, {"cell_type": "markdown", "id": "neighbours", "metadata": {}, "source": _navigation(way)})
    content["metadata"]["orphan"] = True  # in no table of contents
    for cell in cells:
        if "injected-parameters" in cell["metadata"].get("tags", []):
            cell["metadata"]["tags"].append("hide-input")
            cell["metadata"]["mystnb"] = {"code_prompt_show": "Show the parameters that were chosen"}
    return json.dumps(content, ensure_ascii=False, indent=1)


def _source(cell: dict) -> str:
    return "".join(cell["source"])


def _from_record(record: dict, name: str, way: str) -> str:
    """What a record shows without its notebook, as MyST. No figures: those of hundreds of records take minutes."""
    parts = [
        f"---\norphan: true\n---\n# {name}",
        KEPT,
        _navigation(way),
        summary(record).data,
        "## Training",
        tables.phases(record).data,
        "## Scores by language",
        tables.scores(record).data,
        "## Cost and provenance",
        tables.cost(record).data,
        tables.provenance(record).data,
    ]
    return "\n\n".join(parts) + "\n"


def _navigation(way: str) -> str:
    return f":::{{div}} stilts-way\n{way}\n:::"
