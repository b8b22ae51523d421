"""What no publisher's part is, although each of its items can be read: one language twice, or one label alone."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from stilts_core.errors import DataError, shown
from stilts_core.sources.locations import SourceFile, find_languages
from stilts_core.sources.rows import checksum
from stilts_core.tasks.catalogue import Task
from stilts_core.tasks.examples import ChoiceExample, PairExample, RetrievalSet, SpanExample, TaggingExample
from stilts_core.tasks.layouts import Layout

FEW = 20  # items: fewer may all have one label
UNANSWERABLE = "unanswerable"


def note_equal_content(layout: Layout, template: str, language: str, root: Path) -> str | None:
    """A sentence that names a file with the same content as that of `language`, in another's name; None without one."""
    own = SourceFile.of(template, language, root, layout)
    for code in find_languages(root, template, layout):
        other = SourceFile.of(template, code, root, layout)
        if other.address == own.address or other.path.stat().st_size != own.path.stat().st_size:
            continue
        if checksum(other.path, other.address) == checksum(own.path, own.address):
            return _same_content(*sorted([own.address, other.address]))
    return None


def note_equal_sides(items: RetrievalSet, files: Iterable[str]) -> str | None:
    """The same for the two sides of a retrieval set, each of which is a file."""
    sides = ([passage.text for passage in side] for side in (items.queries, items.candidates))
    queries, candidates = map(sorted, sides)
    return _same_content(*sorted(files)[:2]) if queries == candidates and len(queries) > 1 else None


def _same_content(one: str, other: str) -> str:
    return f"{one} and {other} have the same content, so one of them may not be in the language of its name."


def require_entities(task: Task, files: str, items: Sequence) -> None:
    """Raises DataError where the gold tags of many sentences, of a task that is scored by F1, name nothing."""
    if len(items) >= FEW and task.family == "tagging" and task.metric == "f1" and _labels(items) == {"O"}:
        raise DataError(f"{files}: every tag is O, so there is no entity to find; put the gold tags there")


def note_one_label(name: str, split: str, files: str, items: Sequence) -> str | None:
    """A sentence on a part for training whose many items all have one label, from which nothing can be learnt."""
    if len(items) >= FEW and len(labels := _labels(items)) == 1:
        return (
            f"All {len(items)} labelled items of the {split} part of {name} have the label {shown(*labels)} ({files})."
        )
    return None


def _labels(items: Sequence) -> set:
    """The distinct labels of items, or the distinct tags of their words; of questions, UNANSWERABLE or each answer."""
    labels: set = set()
    for item in items:
        match item:
            case TaggingExample():
                labels.update(item.tags or ())
            case PairExample() | ChoiceExample():
                labels.add(item.label)
            case SpanExample():
                labels.update(item.answers or (UNANSWERABLE,))
    return labels - {None}
