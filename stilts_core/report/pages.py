"""The files that a report writes: only those that changed, so that a build reads no page again for nothing."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

FOLDERS = ("generated", "lessons", "pairs")  # of the book, which hold what reports write and nothing else


class Pages:
    """Writes files below a book's folder; `finish` removes what earlier reports left there and this one did not."""

    def __init__(self, book_dir: Path):
        self.folder = book_dir
        self.written: dict[Path, None] = {}

    def write(self, name: str, content: str | bytes) -> None:
        """Write one file, named from the book's folder, unless it holds that already."""
        path = self.folder / name
        data = content.encode() if isinstance(content, str) else content
        if not path.exists() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        self.written[path] = None

    def table(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
        """Write `generated/NAME.csv` and return its name from the book's folder."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([columns, *rows])
        self.write(f"generated/{name}.csv", text.getvalue())
        return f"generated/{name}.csv"

    def finish(self) -> list[Path]:
        """Remove what was not written, and return what was."""
        for folder in FOLDERS:
            for path in sorted((self.folder / folder).rglob("*"), reverse=True):
                if path.is_dir():
                    if not any(path.iterdir()):
                        path.rmdir()
                elif path not in self.written:
                    path.unlink()
        return list(self.written)
