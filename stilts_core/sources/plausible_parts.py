"""What no publisher's part is, although each of its items can be read: one language twice, or one label alone."""

from collections.abc import Sequence
from pathlib import Path

from stilts_core.errors import DataError, shown
from stilts_core.sources.locations import SourceFile, find_languages
from stilts_core.sources.rows import checksum
from stilts_core.tasks.catalogue import Task
from stilts_core.tasks.examples import ChoiceExample, PairExample, TaggingExample
from stilts_core.tasks.layouts import Layout

FEW = 20  # labelled items that may all have one label


def require_own_content(layout: Layout, template: str, language: str, root: Path) -> None:
    """Raises DataError where the file of a language has the content of another language's file."""
    own = SourceFile.of(template, language, root, layout)
    for code in find_languages(root, template, layout):
        other = SourceFile.of(template, code, root, layout)
        if other.address == own.address or other.path.stat().st_size != own.path.stat().st_size:
            continue
        if checksum(other.path, other.address) == checksum(own.path, own.address):
            raise DataError(
                f"{own.address} and {other.address} have the same content, so one of them is not in the language of "
                "its name; download that file again"
            )


def require_entities(task: Task, files: str, items: Sequence) -> None:
    """Raises DataError where the gold tags of a task that is scored by F1 name nothing: its F1 would be 0."""
    if task.family == "tagging" and task.metric == "f1" and _labels(items) == {"O"}:
        raise DataError(f"{files}: every tag is O, so there is no entity to find; put the gold tags there")


def require_several_labels(name: str, split: str, files: str, items: Sequence) -> None:
    """Raises DataError where many items of a part for training have one label: nothing can be learnt from them."""
    if len(items) >= FEW and len(labels := _labels(items)) == 1:
        raise DataError(
            f"{files}: all {len(items)} labelled items of the {split} part of {name} have the label "
            f"{shown(*labels)}; restore the other labels"
        )


def _labels(items: Sequence) -> set:
    """The distinct labels of items, or the distinct tags of their words; empty for other items."""
    labels: set = set()
    for item in items:
        if isinstance(item, TaggingExample):
            labels.update(item.tags or ())
        elif isinstance(item, PairExample | ChoiceExample):
            labels.add(item.label)
    return labels - {None}
