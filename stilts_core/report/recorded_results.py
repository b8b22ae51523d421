"""Recorded results: the records in the book's folder, which hold what runs measured but no text of a data set."""

import json
import sys
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import TypeVar

from stilts_core.errors import RecordError
from stilts_core.report.page_writer import place_in
from stilts_core.report.readable_records import read_encoder, read_known
from stilts_core.runs.record import RECORD, Record
from stilts_core.storage.atomic import write_whole

Content = TypeVar("Content")


def copy_records(profile: str, runs: Path, book_dir: Path) -> list[Path]:
    """Copy all records of a profile to `book_dir/results/PROFILE/RUN-ID.json`, without text, and return the paths.

    The records of pretrained encoders go to `encoders/NAME.json` beside them. They hold no text and are copied whole.
    A record that cannot be read is left out, with a line on standard error; an earlier copy of it then stays. Raises
    ConfigError if a symbolic link leads out of the book.
    """
    records = _read_all(sorted((runs / profile).glob(f"*/{RECORD}")), read_known, runs)
    contents = {f"{record.run_id}.json": record.without_text().to_json(None) for record in records}
    contents |= {
        f"encoders/{encoder['name']}.json": json.dumps(encoder, ensure_ascii=False, allow_nan=False)
        for encoder in read_encoders(profile, runs)
    }
    paths = {place_in(book_dir / "results", f"{profile}/{name}"): content for name, content in contents.items()}
    return [write_whole(path, content + "\n") for path, content in paths.items()]


def read_records(profile: str, runs: Path, book_dir: Path) -> list[Record]:
    """The records of a profile from `runs` and from the book's folder, ordered by run id.

    A run in both places is read from `runs`. A record that cannot be read is left out, with a line on standard error.
    """
    results = book_dir / "results"
    found = _read_all(sorted((results / profile).glob("*.json")), read_known, results)
    found += _read_all(sorted((runs / profile).glob(f"*/{RECORD}")), read_known, runs)
    records = {record.run_id: record for record in found if record.profile == profile}
    return [records[run_id] for run_id in sorted(records)]


def read_encoders(profile: str, *folders: Path) -> list[dict]:
    """The records of a profile's pretrained encoders, ordered by file name.

    An encoder in several folders is read from the first of them. A record that cannot be read is left out, with a line
    on standard error.
    """
    places = {
        path.name: (path, folder)
        for folder in reversed(folders)
        for path in sorted((folder / profile / "encoders").glob("*.json"))
    }
    return [
        content for _, (path, folder) in sorted(places.items()) for content in _read_all([path], read_encoder, folder)
    ]


def _read_all(paths: Sequence[Path], read: Callable[[Path], Content], folder: Path) -> list[Content]:
    """The contents of all files inside `folder` that can be read; one line on standard error for each of the others."""
    contents, real = [], folder.resolve()
    for path in paths:
        try:
            if not path.resolve().is_relative_to(real):
                raise RecordError(f"{path} is a link to {path.resolve()}, outside {real}; copy what it links to there")
            contents.append(read(path))
        except (RecordError, OSError) as error:
            _tell_once(f"Skipped: {error}")
    return contents


@cache
def _tell_once(message: str) -> None:
    """Print a message on standard error, once in a process: a report reads some files twice."""
    sys.stderr.write(f"{message}\n")
