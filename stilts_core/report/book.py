"""The book's generated pages: one for every run, and what records and reference tables say, as MyST Markdown."""

import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import nbformat

from stilts_core.records import find_records
from stilts_core.report import cost, reference
from stilts_core.report.cards import title
from stilts_core.report.markup import duration, metric_name, pipe_table

NO_RUNS = "No run has been recorded yet: `make book` makes one of each task family, `stilts run` any other.\n"


def build_pages(runs_dir: Path, book_dir: Path) -> list[Path]:
    """Write `book_dir/generated/*.md`, and `book_dir/pairs/*.ipynb` from the runs' notebooks; returns their paths.

    What an earlier call left there is removed first. Raises RecordError for a record that cannot be read.
    """
    records = find_records(runs_dir)
    generated, pairs = book_dir / "generated", book_dir / "pairs"
    for folder in (generated, pairs):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
    pages = {}
    for record, name in zip(records, _titles(records), strict=True):
        notebook = runs_dir / record["profile"] / record["run_id"] / "pair.ipynb"
        if notebook.exists():
            pages[record["run_id"]] = _publish(notebook, pairs / f"{record['run_id']}.ipynb", name)
    texts = {
        "tasks": reference.tasks(),
        "languages": reference.languages(),
        "parameters": reference.parameters(),
        "published": reference.published(),
        "runs": _runs(records, pages),
        "status": _status(records),
        "cost": cost.page(book_dir / "results" / "bench.json", generated),
    }
    for name, text in texts.items():
        (generated / f"{name}.md").write_text(text, encoding="utf-8")
    return [*pages.values(), *(generated / f"{name}.md" for name in texts)]


def _titles(records: Sequence[dict]) -> list[str]:
    """The records' titles; those that several share get the end of their run id."""
    shared = Counter(map(title, records))
    return [
        title(record) if shared[title(record)] == 1 else f"{title(record)} ({record['run_id'].rsplit('-', 1)[-1]})"
        for record in records
    ]


def _publish(notebook: Path, page: Path, name: str) -> Path:
    """Copy an executed notebook to its page, under the title of its run and with its parameters folded away."""
    content = nbformat.read(notebook, as_version=4)
    heading = next(cell for cell in content.cells if cell.cell_type == "markdown" and cell.source.startswith("# "))
    heading.source = "\n".join([f"# {name}", *heading.source.splitlines()[1:]])
    for cell in content.cells:
        if "injected-parameters" in cell.metadata.get("tags", []):
            cell.metadata.tags.append("hide-input")
            cell.metadata["mystnb"] = {"code_prompt_show": "Show the parameters that were chosen"}
    nbformat.write(content, page)
    return page


def _runs(records: Sequence[dict], pages: dict[str, Path]) -> str:
    if not records:
        return NO_RUNS
    rows = []
    for record, name in zip(records, _titles(records), strict=True):
        page = pages.get(record["run_id"])
        others = record["averages"]["non_english"]
        rows.append(
            [
                f"[{name}](pairs/{page.name})" if page else name,
                record["encoder"]["name"],
                metric_name(record["metric"]),
                f"{record['scores']['en']['score']:.1f}" if "en" in record["scores"] else "–",
                f"{others['score']:.1f} ({others['low']:.1f} – {others['high']:.1f})" if others else "–",
                others["languages"] if others else 0,
                "yes" if record["same_data"] else "no",
            ]
        )
    columns = ["run", "encoder", "metric", "English", "mean without English (95 %)", "languages", "same data"]
    return pipe_table(columns, rows) + _notes(records)


def _status(records: Sequence[dict]) -> str:
    if not records:
        return NO_RUNS
    runs = [
        [
            name,
            record["finished"],
            duration(record["cost"]["seconds"]),
            f"{record['cost']['peak_memory_bytes'] / 2**30:.2f} GiB",
            record["environment"]["device"],
        ]
        for record, name in zip(records, _titles(records), strict=True)
    ]
    machines = _distinct(
        f"{machine['cpu']}, {machine['threads']} threads, {machine['device']}, {machine['platform']}"
        for machine in (record["environment"] for record in records)
    )
    versions = _distinct(
        f"{name} {version}"
        for record in records
        for name, version in ({"Python": record["environment"]["python"]} | record["environment"]["packages"]).items()
        if version
    )
    revisions = _distinct(f"`{record['environment']['git_revision']}`" for record in records)
    parts = [
        pipe_table(["run", "finished", "time", "peak memory", "device"], runs),
        f"**Machine:** {'; '.join(machines)}.",
        f"**Versions:** {', '.join(versions)}.",
        f"**Revision of this compendium:** {', '.join(revisions)}.",
    ]
    return "\n\n".join(parts) + "\n" + _notes(records)


def _notes(records: Sequence[dict]) -> str:
    return "".join(f"\n- {note}" for note in _distinct(note for record in records for note in record["notes"])) + "\n"


def _distinct(values: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(values))
