"""Writing the book's pages: only changed files, so that the next build reads only changed pages."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from stilts_core.errors import ConfigError
from stilts_core.storage.atomic import write_whole

FOLDERS = ("generated", "lessons", "pairs")  # in the book's folder; they hold only what reports write


def place_in(folder: Path, name: str) -> Path:
    """The path of a file in a folder of the book.

    Raises ConfigError if the name, or a symbolic link on the way, leads to another place than inside this folder.
    """
    real, path = folder.parent.resolve() / folder.name, folder / name
    if not path.resolve().is_relative_to(real):
        raise ConfigError(
            f"{path} leads to {path.resolve()}, outside {real}; a report writes only there: remove the symbolic link"
        )
    return path


class PageWriter:
    """Writes files into a book's folder; `finish` removes the files of earlier reports that this one did not write."""

    def __init__(self, book_dir: Path):
        self.folder = book_dir
        for folder in FOLDERS:
            place_in(book_dir / folder, ".")
        self.written: dict[Path, None] = {}

    def write(self, name: str, content: str | bytes) -> None:
        """Write one file, unless it already has this content; `name` is its path in the book's folder.

        Raises ConfigError for a name that leads out of the folders of generated pages.
        """
        folder, _, rest = name.partition("/")
        if folder not in FOLDERS or not rest:
            raise ConfigError(f"{name!r} is in none of the folders of generated pages: {', '.join(FOLDERS)}")
        path = place_in(self.folder / folder, rest)
        data = content.encode() if isinstance(content, str) else content
        if not path.exists() or path.read_bytes() != data:
            # Waiting for the disk takes 1.6 s for 400 pages; the next report would replace a lost page anyway.
            write_whole(path, data, durable=False)
        self.written[path] = None

    def write_csv(self, name: str, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
        """Write `generated/NAME.csv` and return its path in the book's folder."""
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([columns, *rows])
        self.write(f"generated/{name}.csv", text.getvalue())
        return f"generated/{name}.csv"

    def finish(self) -> list[Path]:
        """Remove the files that this report did not write, and return the paths of those that it did."""
        for folder in FOLDERS:
            for path in sorted((self.folder / folder).rglob("*"), reverse=True):
                if path.is_dir() and not path.is_symlink():
                    if not any(path.iterdir()):
                        path.rmdir()
                elif path not in self.written:
                    path.unlink()
        return list(self.written)
