"""What data of a task are available on this machine, in a sentence for a reader."""

from pathlib import Path

from stilts_core.errors import DataNotFound
from stilts_core.sources.locations import find_layout, find_unlisted
from stilts_core.sources.publishers import available_languages, load
from stilts_core.tasks.catalogue import get_task
from stilts_core.tasks.examples import Item


def data_status(name: str, data: Path | str | None = None) -> str:
    """The available parts of a task: 'found: 12 languages, 1,190 items each', and the stand-in, if one is used."""
    task = get_task(name)
    try:
        _, root = find_layout(task, data)
        if root is None:
            return "not among the files under the data root; it is read from the hub"
        if task.is_target:
            loaded = {code: load(name, "test", code, data=data) for code in available_languages(name, data=data)}
            sizes = sorted({sum(map(_size, examples.items)) for examples in loaded.values()})
            each = " to ".join(f"{size:,}" for size in dict.fromkeys((sizes[0], sizes[-1])))
            plural = "s" if len(loaded) > 1 else ""
            status = f"found: {len(loaded)} language{plural}, {each} items each ({' '.join(loaded)})"
        else:
            loaded = {split: load(name, split, data=data) for split in ("train", "dev")}
            status = "found: " + ", ".join(f"{len(part.items):,} {split} items" for split, part in loaded.items())
    except DataNotFound as error:
        return str(error)
    return "\n".join(filter(None, [status, next(iter(loaded.values())).stand_in, describe_unlisted(name, data)]))


def describe_unlisted(name: str, data: Path | str | None = None) -> str | None:
    """The files of a test part that nothing reads, because their languages are not listed; None if there are none."""
    layout, root = find_layout(get_task(name), data)
    files = find_unlisted(root, layout.test[0], layout) if root and layout.test else []
    if not files:
        return None
    return f"not read, as languages.csv lists no such language: {', '.join(files)} (CONTRIBUTING.md: add a language)"


def _size(item: Item) -> int:
    return len(item.queries) if hasattr(item, "queries") else 1
