"""Whether a report would say anything new: a stamp of all that it reads and of all that it wrote."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

from stilts_core.report.pages import FOLDERS

PACKAGE = Path(__file__).resolve().parents[1]
NAME = "generated/.stamp"  # in the book's folder


def up_to_date(profile: str, runs: Path, book_dir: Path) -> bool:
    """Whether the book's generated files are those of the last report, and nothing that it read has changed since."""
    path = book_dir / NAME
    return path.exists() and path.read_text() == _stamp(profile, runs, book_dir)


def set_stamp(profile: str, runs: Path, book_dir: Path) -> None:
    """Remember what a report has just read and written."""
    (book_dir / NAME).write_text(_stamp(profile, runs, book_dir))


def _stamp(profile: str, runs: Path, book_dir: Path) -> str:
    """The profile's name, and a hash of every file's path, size and time: of records, of this package, of the pages."""
    read = [
        *(runs / profile).glob("*/*.json"),
        *(runs / profile).glob("*/*.ipynb"),
        book_dir / "results" / "bench.json",
    ]
    read += [*(book_dir / "results" / profile).rglob("*.json"), *PACKAGE.rglob("*.py"), *PACKAGE.glob("facts/*")]
    wrote = [path for folder in FOLDERS for path in (book_dir / folder).rglob("*") if path != book_dir / NAME]
    return f"{profile} {_hash([*read, *wrote])}\n"


def _hash(paths: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for path in sorted(path for path in paths if path.is_file()):
        status = path.stat()
        digest.update(f"{path} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
