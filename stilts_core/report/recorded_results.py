"""Recorded results: the records in the book's folder, which hold what runs measured but no text of a data set."""

import json
from pathlib import Path

from stilts_core.runs.record import Record, find_records, read_record
from stilts_core.storage.atomic import write_whole


def copy_records(profile: str, runs: Path, book_dir: Path) -> list[Path]:
    """Copy all records of a profile to `book_dir/results/PROFILE/RUN-ID.json`, without text, and return the paths.

    The records of pretrained encoders go to `encoders/NAME.json` beside them. They hold no text and are copied whole.
    """
    folder = book_dir / "results" / profile
    contents = {f"{record.run_id}.json": record.without_text().to_json(None) for record in find_records(runs, profile)}
    contents |= {
        f"encoders/{encoder['name']}.json": json.dumps(encoder, ensure_ascii=False, allow_nan=False)
        for encoder in read_encoders(profile, runs)
    }
    return [write_whole(folder / name, content + "\n") for name, content in contents.items()]


def read_records(profile: str, runs: Path, book_dir: Path) -> list[Record]:
    """The records of a profile from `runs` and from the book's folder, ordered by run id.

    A run in both places is read from `runs`. Raises RecordError for a record that cannot be read.
    """
    recorded = [read_record(path) for path in sorted((book_dir / "results" / profile).glob("*.json"))]
    records = {record.run_id: record for record in [*recorded, *find_records(runs, profile)]}
    return [records[run_id] for run_id in sorted(records)]


def read_encoders(profile: str, *folders: Path) -> list[dict]:
    """The records of a profile's pretrained encoders, ordered by file name.

    An encoder in several folders is read from the first of them.
    """
    paths = {
        path.name: path
        for folder in reversed(folders)
        for path in sorted((folder / profile / "encoders").glob("*.json"))
    }
    return [json.loads(path.read_text(encoding="utf-8")) for _, path in sorted(paths.items())]
