"""What no run needs any more: temporary leftovers, state of finished trainings, checkpoints and old cache entries."""

import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from stilts_core.errors import RecordError
from stilts_core.runs.record import RECORD, read_record
from stilts_core.storage.atomic import find_unfinished
from stilts_core.storage.cache import cache_folder
from stilts_core.storage.leftovers import find_temporary_folders, remove
from stilts_core.storage.locks import Locked, lock_on

RUN_NAME = re.compile(r"-s\d+-[0-9a-f]{10}$")  # of the folder of a run, as `RunConfig.run_id` ends
UNUSED_DAYS = 30  # after which a cache entry counts as no longer needed
CHECKPOINTS = "checkpoints"


@dataclass(frozen=True)
class Superfluous:
    """A file or folder that can be removed, the reason in words, and its size in bytes.

    `locked` is the path whose lock a process holds while it uses this, None for something that nothing uses.
    """

    path: Path
    reason: str
    size: int
    locked: Path | None = None


def find_superfluous(runs_dir: Path) -> list[Superfluous]:
    """What can be removed from a folder of runs, the cache folder, and the folder for temporary files."""
    return [*_in_runs(runs_dir), *_in_cache(cache_folder()), *_in_temporary()]


def describe(items: Sequence[Superfluous], *, removed: bool) -> str:
    """Return a line for each item, with its size and reason, and one for all."""
    lines = [f"{item.size / 2**20:10.1f} MiB  {item.path}  ({item.reason})" for item in items]
    total = f"{sum(item.size for item in items) / 2**20:.1f} MiB in {len(items)} files and folders"
    end = f"Removed: {total}" if removed else f"Not needed: {total}; `stilts clean --yes` removes them"
    return "\n".join([*lines, end])


def remove_superfluous(items: list[Superfluous]) -> list[Superfluous]:
    """Remove the items, except those that another process uses, and return what was removed."""
    removed = []
    for item in items:
        try:
            if item.locked:
                with lock_on(item.locked, wait=False):
                    remove(item.path)
            else:
                remove(item.path)
        except (Locked, OSError):
            continue
        if not item.path.exists():
            removed.append(item)
    return removed


def _in_runs(runs_dir: Path) -> Iterator[Superfluous]:
    folders = sorted(path for path in runs_dir.glob("*/*") if path.is_dir() and path.parent.name != CHECKPOINTS)
    used, is_known = set(), True
    for folder in folders:
        if (folder / RECORD).exists():
            if (folder / "checkpoint").exists():
                yield _item(folder / "checkpoint", "state of a finished training", folder)
            try:
                used |= {phase.checkpoint for phase in read_record(folder / RECORD).phases}
            except RecordError:
                is_known = False  # its checkpoint is unknown, so no checkpoint may be removed
        elif RUN_NAME.search(folder.name):
            is_known = False  # an unfinished run may need any checkpoint
    for folder in (runs_dir, runs_dir / CHECKPOINTS, *folders):
        for path in find_unfinished(folder):
            yield _item(path, "left by a process that was killed")
    for checkpoint in sorted((runs_dir / CHECKPOINTS).glob("[!.]*")):
        if checkpoint.is_dir():
            unfinished = checkpoint.with_name(f".{checkpoint.name}")
            if unfinished.exists():
                yield _item(unfinished, "state of a finished training", checkpoint)
            if is_known and checkpoint.name not in used:
                yield _item(checkpoint, "checkpoint that no run used", checkpoint)


def _in_cache(cache: Path) -> Iterator[Superfluous]:
    for folder in (cache, *sorted(path for path in cache.glob("*") if path.is_dir())):
        for path in find_unfinished(folder):
            yield _item(path, "left by a process that was killed")
    oldest = time.time() - UNUSED_DAYS * 24 * 3600
    for path in sorted(cache.glob("*/*")):
        if path.name.startswith(".") or path.suffix == ".lock":
            continue
        if path.parent.name in ("laboratory", "checksums") and path.suffix != ".json":
            yield _item(path, "cache entry of an earlier version")
        elif _last_use(path) < oldest:
            yield _item(path, f"cache entry not used for {UNUSED_DAYS} days", path if path.is_dir() else None)


def _in_temporary() -> Iterator[Superfluous]:
    for root in {tempfile.gettempdir(), "/tmp"}:
        for path in find_temporary_folders(Path(root)):
            yield _item(path, "left by a process that was killed")


def _item(path: Path, reason: str, locked: Path | None = None) -> Superfluous:
    return Superfluous(path, reason, sum(file.lstat().st_size for file in _files(path)), locked)


def _last_use(path: Path) -> float:
    """When a file, or any file of a folder, was last read or changed, in seconds since 1970."""
    statuses = [file.lstat() for file in _files(path)] or [path.lstat()]
    return max(max(status.st_atime, status.st_mtime) for status in statuses)


def _files(path: Path) -> list[Path]:
    if path.is_dir() and not path.is_symlink():
        return [file for file in path.rglob("*") if file.is_symlink() or file.is_file()]
    return [path]
