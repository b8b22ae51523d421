"""Folders in the cache that carry the SHA-256 of each of their files, so that a damaged or changed one is noticed."""

import json
from collections.abc import Callable
from pathlib import Path

from stilts_core.storage.atomic import whole_folder
from stilts_core.storage.cache import checksum, report_damage, writable_cache_folder
from stilts_core.storage.leftovers import remove
from stilts_core.storage.locks import lock_on

DIGESTS = "digests.json"


def seal(folder: Path) -> None:
    """Write the file of digests into a folder that is complete."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    digests = {str(path.relative_to(folder)): checksum(path) for path in files}
    (folder / DIGESTS).write_text(json.dumps(digests, indent=1, allow_nan=False), encoding="utf-8")


def find_damage(folder: Path) -> str | None:
    """What is wrong with a sealed folder, in words; None if every file is the one that was sealed."""
    try:
        digests = json.loads((folder / DIGESTS).read_text(encoding="utf-8"))
        if not isinstance(digests, dict):
            return f"{DIGESTS} is damaged"
        changed = sorted(name for name, digest in digests.items() if checksum(folder / name) != digest)
    except FileNotFoundError as error:
        return f"{Path(error.filename).name} is missing"
    except (OSError, ValueError) as error:
        return f"{DIGESTS} or a file beside it cannot be read: {error}"
    return f"{changed[0]} is not the file that was written" if changed else None


def sealed_folder(folder: Path, write: Callable[[Path], object]) -> Path:
    """Return a sealed folder of the cache; `write` fills it if it does not exist or is damaged.

    If the cache cannot be written, the folder is in another place, which is returned. If several processes call at the
    same time, one of them writes.
    """
    if folder.exists() and find_damage(folder) is None:
        return folder
    folder = locate_writable(folder)
    with lock_on(folder):
        if remove_damaged(folder, find_damage):
            return folder
        with whole_folder(folder) as partial:
            write(partial)
            seal(partial)
    return folder


def locate_writable(folder: Path) -> Path:
    """The path at which a folder of the cache can be written: `folder`, or its like in `writable_cache_folder`."""
    return writable_cache_folder(folder.parents[1]) / folder.parent.name / folder.name


def remove_damaged(folder: Path, find: Callable[[Path], str | None]) -> bool:
    """Return whether a folder exists and is whole; remove and report a damaged one. Hold the folder's lock."""
    if not folder.exists():
        return False
    if (damage := find(folder)) is None:
        return True
    report_damage(folder, damage)
    remove(folder)
    return False
