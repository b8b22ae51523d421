"""The page of each run: its executed notebook or its record's tables, with links to neighbouring runs of the grid."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from stilts_core.notebooks.pair import EXECUTED
from stilts_core.report.analysis.grid import row_sort_key
from stilts_core.report.escape import markdown_text
from stilts_core.report.executed_notebook import INJECTED, Notebook, UnreadableNotebook, build_notebook, read_executed
from stilts_core.report.failed_runs import Failure
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.tables import run as run_tables
from stilts_core.report.tables.cards import summary
from stilts_core.report.tables.titles import run_title, short_title
from stilts_core.runs.record import Record
from stilts_core.tasks.catalogue import TARGET_TASKS

WITHOUT_NOTEBOOK = (
    "The notebook of this run is not available here. This page shows the run's record, which holds no text of the data."
)
UNREADABLE = "The notebook of this run cannot be read: {reason}. This page shows the run's record, without its figures."
UNREADABLE_FAILURE = "The notebook of this run cannot be read: {reason}. Run it again to see the error."
FIXED_LINKS = "[Results](../results.md) · [Runs](../runs.md)"


def write_pages(
    records: Sequence[Record], runs: Path, writer: PageWriter, target_pages: Mapping[str, str] | None = None
) -> None:
    """Write a page for every record: from the notebook under `runs` where there is one, else from the record.

    `target_pages` has the page of a run's target by run id, where it is not in `generated/targets`.
    """
    notebooks: dict[str, Notebook] = {}
    reasons: dict[str, str] = {}
    for record in records:
        path = runs / record.profile / record.run_id / EXECUTED
        if path.exists():
            try:
                notebooks[record.run_id] = build_notebook(read_executed(path, runs), "pair")
            except UnreadableNotebook as error:
                reasons[record.run_id] = UNREADABLE.format(reason=error)
    files = {record.run_id: f"{record.run_id}.{'ipynb' if record.run_id in notebooks else 'md'}" for record in records}
    titles, neighbours = unique_titles(records), Neighbours(records, files, target_pages)
    for record in records:
        run_id, title, links = record.run_id, titles[record.run_id], neighbours.format_links(record)
        if run_id in notebooks:
            page = _from_notebook(notebooks.pop(run_id), title, links)
        else:
            page = _from_record(record, title, links, reasons.get(run_id, WITHOUT_NOTEBOOK))
        writer.write(f"pairs/{files[run_id]}", page)


def write_failure_pages(failures: Sequence[Failure], writer: PageWriter) -> None:
    """Write a page for every failed run: its notebook up to the error."""
    for failure in failures:
        try:
            page = _from_notebook(build_notebook(failure.notebook, "pair"), failure.title, FIXED_LINKS)
            writer.write(f"pairs/{failure.run_id}.ipynb", page)
        except UnreadableNotebook as error:
            parts = [_heading(failure.title), UNREADABLE_FAILURE.format(reason=error), _navigation(FIXED_LINKS)]
            writer.write(f"pairs/{failure.run_id}.md", "\n\n".join(parts) + "\n")


def unique_titles(records: Sequence[Record]) -> dict[str, str]:
    """A different title for each record, by run id; what distinguishes runs of one title is in brackets."""
    groups = defaultdict(list)
    for record in records:
        groups[run_title(record.config)].append(record)
    return {
        run_id: f"{title} ({label})" if label else title
        for title, runs in groups.items()
        for run_id, label in _distinguish(runs).items()
    }


def _distinguish(runs: Sequence[Record]) -> dict[str, str]:
    """What the runs differ in, by run id: seeds, encoders, and only if needed the hashes that end their ids."""
    labels: dict[str, tuple[str, ...]] = {run.run_id: () for run in runs}
    for detail in (_name_seed, _name_encoder, _hash_of):
        alike = defaultdict(list)
        for run in runs:
            alike[labels[run.run_id]].append(run)
        for label, group in alike.items():
            if len({detail(run) for run in group}) > 1:
                labels |= {run.run_id: (*label, detail(run)) for run in group}
    return {run_id: ", ".join(label) for run_id, label in labels.items()}


def _name_seed(record: Record) -> str:
    return f"seed {record.seed}"


def _name_encoder(record: Record) -> str:
    return f"encoder {record.encoder_name}"


def _hash_of(record: Record) -> str:
    return record.run_id.rsplit("-", 1)[-1]


class Neighbours:
    """The neighbours of each run: other rows on its target, other targets of its row, other seeds of its cell."""

    def __init__(
        self, records: Sequence[Record], files: Mapping[str, str], target_pages: Mapping[str, str] | None = None
    ):
        """`files` has the name of each record's page by run id; for `target_pages`, see `write_pages`."""
        self.files = files
        self.target_pages = target_pages or {}
        self.cells: dict[tuple[str, str], list[Record]] = defaultdict(list)
        for record in records:
            self.cells[record.row, record.target].append(record)
        self.order = sorted(self.cells, key=lambda cell: (row_sort_key(cell[0]), TARGET_TASKS.index(cell[1])))

    def format_links(self, record: Record) -> str:
        """The links from a run to its neighbours, as Markdown."""
        row, target = record.row, record.target
        groups = {
            f"{short_title(target)} after": [
                (short_title(cell[0]), self._nearest(record, cell))
                for cell in self.order
                if cell[1] == target and cell[0] != row
            ],
            f"{short_title(row)}, then": [
                (short_title(cell[1]), self._nearest(record, cell))
                for cell in self.order
                if cell[0] == row and cell[1] != target
            ],
            "Same pair": self._other_seeds(record),
        }
        page = self.target_pages.get(record.run_id, f"generated/targets/{target}")
        lines = [f"[Results](../results.md) · [{short_title(target)}](../{page}.md) · [Runs](../runs.md)"]
        for heading, runs in groups.items():
            if runs:
                links = (f"[{markdown_text(label)}]({self.files[run.run_id]})" for label, run in runs)
                lines.append(f"{heading}: " + " · ".join(links))
        return "\n\n".join(lines)

    def _nearest(self, record: Record, cell: tuple[str, str]) -> Record:
        """The run of another cell with the same encoder and the same seed, or the most similar one."""
        return min(
            self.cells[cell],
            key=lambda other: (other.encoder.name != record.encoder.name, abs(other.seed - record.seed), other.run_id),
        )

    def _other_seeds(self, record: Record) -> list[tuple[str, Record]]:
        """The other runs of the same row and target, with what distinguishes them."""
        runs = self.cells[record.row, record.target]
        labels = _distinguish(runs)
        return [(labels[run.run_id], run) for run in runs if run is not record]


def _from_notebook(content: Notebook, title: str, links: str) -> str:
    """The page of an executed notebook: with the run's title, its links, and its parameters folded away."""
    cells = content["cells"]
    heading = f"# {markdown_text(title)}"
    if cells and cells[0]["cell_type"] == "markdown":
        cells[0]["source"] = "\n".join([heading, *cells[0]["source"].splitlines()[1:]])
    else:
        cells.insert(0, {"cell_type": "markdown", "id": "heading", "metadata": {}, "source": heading})
    cells.insert(1, {"cell_type": "markdown", "id": "neighbours", "metadata": {}, "source": _navigation(links)})
    content["metadata"]["orphan"] = True  # the page is in no table of contents
    for cell in cells:
        if INJECTED in cell["metadata"].get("tags", []):
            cell["metadata"]["tags"].append("hide-input")
            cell["metadata"]["mystnb"] = {"code_prompt_show": "Show the parameters that were chosen"}
    return json.dumps(content, ensure_ascii=False, indent=1, allow_nan=False)


def _from_record(record: Record, title: str, links: str, explanation: str) -> str:
    """The page of a record without its notebook, as MyST. It has no figures: two of them take 1.3 s."""
    parts = [
        _heading(title),
        explanation,
        _navigation(links),
        summary(record).data,
        "## Training",
        run_tables.phases(record).data,
        "## Scores by language",
        run_tables.scores(record).data,
        *(part.data for part in (run_tables.retrieval(record), run_tables.languages(record)) if part),
        "## Cost and provenance",
        run_tables.cost(record).data,
        run_tables.provenance(record).data,
    ]
    return "\n\n".join(parts) + "\n"


def _heading(title: str) -> str:
    """The heading of a page that is in no table of contents."""
    return f"---\norphan: true\n---\n# {markdown_text(title)}"


def _navigation(links: str) -> str:
    return f":::{{div}} stilts-way\n{links}\n:::"
