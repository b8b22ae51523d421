"""The stamp of a report: it shows whether a new report would differ from the last one.

Importing and running a report takes seconds; comparing the stamp takes milliseconds.
"""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from stilts_core.report.page_writer import FOLDERS
from stilts_core.storage.atomic import write_whole

PACKAGE = Path(__file__).resolve().parents[1]
FACTS = PACKAGE / "tasks" / "facts"
# Where `studies.protocol.locate_protocol` looks; importing it would take longer than the comparison.
PROTOCOLS = (Path("protocols"), PACKAGE / "studies" / "files", PACKAGE.parent / "protocols")
NOTEBOOKS = (Path("notebooks"), PACKAGE / "notebooks" / "files", PACKAGE.parent / "notebooks")
NAME = "generated/.stamp"  # in the book's folder


def is_up_to_date(profile: str, runs: Path, book_dir: Path) -> bool:
    """Whether neither the files that the last report read nor the pages that it wrote have changed since."""
    path = book_dir / NAME
    return path.is_file() and path.read_bytes() == _stamp(profile, runs, book_dir).encode()


def write_stamp(profile: str, runs: Path, book_dir: Path) -> None:
    """Write the stamp of a report that has just finished."""
    write_whole(book_dir / NAME, _stamp(profile, runs, book_dir))


def _stamp(profile: str, runs: Path, book_dir: Path) -> str:
    """The profile's name, and a hash of path, size and time of all files that a report reads or writes."""
    inputs = [
        *(runs / profile).glob("*/*.json"),
        *(runs / profile).glob("*/*.ipynb"),
        *(runs / "lab" / "lessons").glob("*.ipynb"),
        *(runs / "lab" / "encoders").glob("*.json"),
        *(path for folder in NOTEBOOKS for path in folder.glob("*.ipynb")),
        book_dir / "results" / "bench.json",
        *(book_dir / "results" / profile).rglob("*.json"),
        *PACKAGE.rglob("*.py"),
        *(PACKAGE / "report" / "static").glob("*"),
        *FACTS.glob("*.csv"),
        *(book_dir / "results" / "studies").glob("*.parquet"),
        *(path for folder in PROTOCOLS for pattern in ("*.toml", "registered/*") for path in folder.glob(pattern)),
    ]
    outputs = [path for folder in FOLDERS for path in (book_dir / folder).rglob("*") if path != book_dir / NAME]
    return f"{profile} {_hash([*inputs, *outputs])}\n"


def _hash(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in paths if path.is_file()):
        status = path.stat()
        digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
