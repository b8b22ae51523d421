"""The examples of one file or hub split, with what is wrong in it."""

from collections import Counter
from dataclasses import dataclass, field, replace
from functools import lru_cache

from stilts_core.errors import DataError, shown
from stilts_core.sources.known_faults import KNOWN_DEFECTS, UNDECIDED, UNDECIDED_LABELS
from stilts_core.sources.locations import SourceFile
from stilts_core.sources.rows import Defect, LeftOut, lines, read_text
from stilts_core.tasks.catalogue import Task
from stilts_core.tasks.examples import Example, has_label


@dataclass
class FileExamples:
    """All examples of a file, its checksum, and its defects by reason.

    `unlabelled` and `repeated` say where labels are missing and where an id is used again, by id.
    """

    checksum: str
    items: list[Example] = field(default_factory=list)
    defects: Counter[str] = field(default_factory=Counter)
    unlabelled: dict[str, str] = field(default_factory=dict)
    repeated: dict[str, str] = field(default_factory=dict)

    def check_unique(self, items: list[Example]) -> None:
        """Raises DataError for an id that two items of a test part have: their predictions could not be told apart."""
        seen: set[str] = set()
        for id in [item.id for item in items if item.id in self.repeated]:
            if id in seen:
                raise DataError(f"{self.repeated[id]}: the id {shown(id)} is duplicated; give each item its own id")
            seen.add(id)


def read_examples(file: SourceFile, task: Task, language: str, prefix: str) -> FileExamples:
    """The examples of all groups of a file; `prefix` goes before their ids.

    The train and dev parts of a task are often shares of the same files, which are read once while their checksum stays
    the same.
    """
    return _read_once(replace(file, low=0, high=100), task, language, prefix, file.checksum(language))


@lru_cache(maxsize=8)
def _read_once(file: SourceFile, task: Task, language: str, prefix: str, version: str) -> FileExamples:
    rows, digest = file.rows(language)
    make_example = file.example
    found = FileExamples(digest)
    ids: set[str] = set()
    faults = 0
    for row in rows:
        row.prefix = prefix
        try:
            example = make_example(row, task, language)
        except Defect as defect:
            found.defects[defect.reason] += 1
            faults += not isinstance(defect, LeftOut)
            if faults > KNOWN_DEFECTS.get(file.address, 0):
                raise
            continue
        found.items.append(example)
        if example.id in ids:
            found.repeated.setdefault(example.id, row.where)
        ids.add(example.id)
        if not has_label(example) and not (file.folder in UNDECIDED and row.get("gold_label") in UNDECIDED_LABELS):
            found.unlabelled[example.id] = row.where
    if task.parallel and file.root:
        _check_parallel(file, len(found.items) + found.defects.total(), language)
    return found


def forget_files() -> None:
    """Free the memory of the files that were read last."""
    _read_once.cache_clear()


def _check_parallel(file: SourceFile, count: int, language: str) -> None:
    """Raises DataError where a parallel file has more or fewer lines than the English file beside it."""
    english = file.path.with_name(file.path.name.replace(f"-{language}.tsv", "-en.tsv"))
    if english == file.path or not english.is_file():
        return
    expected = len(lines(read_text(english, english.name)))
    if expected != count:
        raise DataError(
            f"{file.address} has {count} items and {english.name} has {expected}; the languages are parallel, so one "
            "of the files is cut off: download both again"
        )
