"""Writing the pages of one profile, unless they are up to date."""

from pathlib import Path

from stilts_core.errors import ConfigError
from stilts_core.report import stamp


def update_pages(profile: str, runs_dir: Path, book_dir: Path, *, keep: bool) -> list[str]:
    """Write the book's generated pages of one profile; returns the lines that say what was written.

    With `keep`, records are first copied to the book's own. Raises ConfigError if there is no book in `book_dir`.
    """
    if not book_dir.is_dir():
        raise ConfigError(
            f"folder {book_dir} not found; the pages belong to the book, whose sources are in a checkout of the "
            "repository: run `stilts report` there, or name the book's folder with --book-dir"
        )
    if not keep and stamp.is_up_to_date(profile, runs_dir, book_dir):
        return [f"The pages of profile {profile} in {book_dir} are up to date"]
    from stilts_core.report import book, recorded_results  # seconds, most of them for matplotlib

    lines = []
    if keep:
        files = recorded_results.copy_records(profile, runs_dir, book_dir)
        lines.append(f"{len(files)} records copied to {book_dir / 'results' / profile}")
    pages = book.build_pages(runs_dir, book_dir, profile)
    stamp.write_stamp(profile, runs_dir, book_dir)
    return [*lines, f"{len(pages)} files of profile {profile} in {book_dir}"]
