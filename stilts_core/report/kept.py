"""Records that a book keeps: what a run measured, without any text of a data set."""

import json
from pathlib import Path

from stilts_core.records import find_records, read_record

# All that a report reads, and nothing that quotes data: no cards and no errors. Nor does the folder say anything here.
FIELDS = (
    "schema", "run_id", "profile", "started", "finished", "config", "notes", "same_data", "encoder", "phases", "metric",
    "metrics", "scores", "averages", "layers", "data", "cost", "environment",
)  # fmt: skip


def keep(profile: str, runs: Path, book_dir: Path) -> list[Path]:
    """Copy every record of `runs` to `book_dir/results/PROFILE/RUN-ID.json`, reduced to FIELDS, and return the paths.

    What pretrained encoders could do goes whole to `encoders/NAME.json` beside them: it holds no text.
    """
    folder, records = book_dir / "results" / profile, find_records(runs, profile)
    files = {
        f"{record['run_id']}.json": {name: record[name] for name in FIELDS if name in record} for record in records
    }
    files |= {f"encoders/{encoder['name']}.json": encoder for encoder in encoders_of(profile, runs)}
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(json.dumps(content, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    return [folder / name for name in files]


def records_of(profile: str, runs: Path, book_dir: Path) -> list[dict]:
    """The records of a profile, those of `runs` before those kept of the same runs, in the order of their run ids.

    Raises RecordError for a record that cannot be read.
    """
    kept = [read_record(path) for path in sorted((book_dir / "results" / profile).glob("*.json"))]
    found = {record["run_id"]: record for record in kept}
    found |= {record["run_id"]: record for record in find_records(runs, profile)}
    return [found[run] for run in sorted(found)]


def encoders_of(profile: str, *folders: Path) -> list[dict]:
    """What the profile's pretrained encoders could do before any fine-tuning; of equal names the first folder's."""
    found = {
        path.name: path
        for folder in reversed(folders)
        for path in sorted((folder / profile / "encoders").glob("*.json"))
    }
    return [json.loads(path.read_text(encoding="utf-8")) for _, path in sorted(found.items())]
