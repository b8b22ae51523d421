"""Publishers' data: from the rows of their files to examples, without text that would leak from a test part.

Files under the data root (`STILTS_DATA`) come first; a task that has none there is taken from the hub.
"""

from collections import Counter
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from hashlib import sha256
from pathlib import Path

from stilts_core.errors import DataError, DataNotFound
from stilts_core.sources import unlabelled as text_files
from stilts_core.sources import xtreme
from stilts_core.sources.file_examples import forget_files, read_examples
from stilts_core.sources.locations import SourceFile, find_languages, find_layout
from stilts_core.sources.plausible_parts import (
    note_equal_content,
    note_equal_sides,
    note_one_label,
    require_entities,
)
from stilts_core.sources.retrieval_sets import POOL, mewslix_languages, read_retrieval_sets
from stilts_core.sources.rows import checksum, percentile, read_text
from stilts_core.sources.scored_sentences import comparable, scored_sentences
from stilts_core.tasks.catalogue import HeldOut, Task, get_task
from stilts_core.tasks.examples import Example, ExampleSet, TaggingExample, has_label, texts_of_inputs
from stilts_core.tasks.layouts import Layout
from stilts_core.tasks.retrieval_sets import sentence_of_answer
from stilts_core.tasks.selection import select

__all__ = [  # the interface of a source (see `sources.parts.Source`)
    "available_languages", "checksums", "forget_files", "further_text_languages", "load", "read", "text_checksums",
    "text_languages", "text_size", "unlabelled",
]  # fmt: skip

SPLITS = ("train", "dev", "test")
INPUTS = "inputs"  # the part that holds the dev part of a target in every language, whose labels nobody reads


def load(name: str, split: str, language: str = "en", *, data: Path | str | None = None) -> ExampleSet:
    """The examples of one part ('train', 'dev' or 'test') of a task in one language.

    The train and dev parts of a target are English and come from the task that it is trained on; BUCC's dev part, which
    sets its threshold, is in the language itself. LAReQA's test part accepts 'mul' for the multilingual pool: one set
    per language, all with the candidates of every language. `data` is the data root, else `STILTS_DATA`, else the hub.

    Raises DataNotFound where files are missing, which lists the expected files, and DataError where they are faulty.
    """
    task = get_task(name)
    if split not in SPLITS:
        raise DataError(f"no part '{split}' of {name}; choose one of {', '.join(SPLITS)}")
    if split != "test" and task.trained_on and language != "en":
        raise DataError(f"the {split} part of {name} is English; there is none in '{language}'")
    if split != "test" and task.trained_on not in (None, name):
        examples = load(task.trained_on, split, data=data)
        if task.family == "retrieval":
            return replace(examples, items=[sentence_of_answer(example) for example in examples.items])
        return examples
    layout, root = find_layout(task, data)
    if split not in layout.splits:
        raise DataError(f"{name} has no {split} part; it has {', '.join(layout.splits)}")
    if task.family == "retrieval" and (split == "test" or task.trained_on is None):
        return _read_sets(task, layout, split, language, root)
    items, files, dropped = _read_files(task, layout, split, language, root)
    names = ", ".join(files)
    if split == "test":
        require_entities(task, names, items)
        note = note_equal_content(layout, layout.splits[split][0], language, root) if root else None
    else:
        files |= _held_out_checksums(task, data)
        items = _trainable(task, split, items, dropped, data)
        note = note_one_label(name, split, names, items)
    if not items:
        raise DataError(_nothing_remains(name, split, names, dropped))
    return ExampleSet(items, files, dict(dropped), _join_notes(layout.stand_in, note))


def _read_sets(task: Task, layout: Layout, split: str, language: str, root: Path | None) -> ExampleSet:
    sets, files = read_retrieval_sets(task, layout, split, language, root)
    for part in sets:
        if not part.queries or not part.candidates:
            raise DataError(f"{', '.join(files)}: no queries or no candidates; is a file empty? download it again")
        if split != "test" and not has_label(part):
            raise DataError(f"{', '.join(files)}: no right candidates, and the {split} part needs them; restore them")
    stand_in = _join_notes(layout.stand_in, None if task.mined else note_equal_sides(sets[0], files))
    if task.mined and root is None and all(query.id in sets[0].gold for query in sets[0].queries):
        pairs_only = "The hub's set has only sentences with a translation, so scores are higher than on the whole set."
        stand_in = _join_notes(stand_in, pairs_only)
    return ExampleSet(sets, files, {}, stand_in)


def _join_notes(*sentences: str | None) -> str | None:
    """The sentences that every table of a part must print, in one text; None without any."""
    return " ".join(filter(None, sentences)) or None


def read(name: str, split: str, language: str = "en", *, limit: int = 0, seed: int = 0) -> ExampleSet:
    """At most `limit` examples of a part (0 = all), chosen by `tasks.selection.select`."""
    examples = load(name, split, language)
    return replace(examples, items=select(examples.items, limit, seed))


def checksums(name: str, split: str, language: str = "en", *, data: Path | str | None = None) -> dict[str, str]:
    """The `files` that `load` returns for the same arguments, without making examples."""
    task = get_task(name)
    if split != "test" and task.trained_on not in (None, name):
        return checksums(task.trained_on, split, data=data)
    layout, root = find_layout(task, data)
    codes = available_languages(name, split, data) if language == POOL else (language,)
    files = {file.address: file.checksum(code) for code in codes for file in _files_of(layout, split, code, root)}
    if layout.groups and root:
        files[layout.groups] = checksum(root / layout.groups, layout.groups)
    if split != "test" and (task.family != "retrieval" or task.trained_on):
        files |= _held_out_checksums(task, data)
    return files


def _held_out_checksums(task: Task, data: Path | str | None) -> dict[str, str]:
    """The files that decide which items are left out of a task's training and dev parts, but for its own dev part.

    Files that are not found are left out. They are part of the name of what is trained. The many files of a test part
    in every language have one entry.
    """
    files: dict[str, str] = {}
    for held_out in task.held_out:
        with suppress(DataNotFound):
            if held_out.every_language:
                digests = [file.checksum(code) for code, file in _scored_files(held_out, data)]
                files[f"test files of {held_out.task}"] = sha256(" ".join(digests).encode()).hexdigest()
            elif (held_out.task, held_out.split) != (task.name, "dev"):
                files |= checksums(held_out.task, held_out.split, data=data)
    return files


def _scored_files(held_out: HeldOut, data: Path | str | None) -> list[tuple[str, SourceFile]]:
    """The files of a test part by language; of a set on the hub only the English one, which need not be asked for."""
    layout, root = find_layout(get_task(held_out.task), data)
    codes = available_languages(held_out.task, held_out.split, data)
    codes = codes if root else tuple(code for code in codes if code == "en")
    return [(code, file) for code in codes for file in _files_of(layout, held_out.split, code, root)]


def _scored_texts(held_out: HeldOut, data: Path | str | None) -> set[str]:
    """The normalised texts of a held-out part. Raises DataNotFound where it is not there."""
    if not held_out.every_language:
        return {comparable(_text(item)) for item in load(held_out.task, held_out.split, data=data).items}
    texts: set[str] = set()
    for code, file in _scored_files(held_out, data):
        if file.root and (file.is_whole or code != "en"):  # a share is taken in English alone
            texts |= scored_sentences(file, code)
        else:
            texts |= {comparable(_text(item)) for item in load(held_out.task, held_out.split, code, data=data).items}
    return texts


def _files_of(layout: Layout, split: str, language: str, root: Path | None) -> list[SourceFile]:
    templates = layout.inputs if split == INPUTS else layout.splits[split]
    return [SourceFile.of(template, language, root, layout) for template in templates]


def _read_files(
    task: Task, layout: Layout, split: str, language: str, root: Path | None
) -> tuple[list, dict[str, str], Counter]:
    """The examples of all files of a part, the files' checksums, and the counts of dropped items by reason."""
    items: list = []
    checksums: dict[str, str] = {}
    groups: dict[str, str] = {}
    dropped: Counter[str] = Counter()
    if layout.groups and root:
        groups = xtreme.shared_sentences(read_text(root / layout.groups, layout.groups), layout.groups)
        checksums[layout.groups] = checksum(root / layout.groups, layout.groups)
    files = _files_of(layout, split, language, root)
    unlabelled: list[str] = []
    for file in files:
        found = read_examples(file, task, language, f"{Path(file.address).stem}:" if len(files) > 1 else "")
        examples, checksums[file.address] = found.items, found.checksum
        if groups:
            examples = [replace(example, group=groups.get(example.id, example.group)) for example in examples]
        if not file.is_whole and (language == "en" or task.parallel):
            examples = [example for example in examples if file.low <= percentile(example.group) < file.high]
        if split == "test":
            found.check_unique(examples)
        if found.unlabelled:
            unlabelled += [found.unlabelled[example.id] for example in examples if example.id in found.unlabelled]
        items += _with_own_ids(examples, {item.id for item in items}, file.address)
        dropped.update(found.defects)
    if unlabelled and split != INPUTS and (split != "test" or len(unlabelled) < len(items)):
        raise DataError(_missing_labels(unlabelled, items, split))
    return items, checksums, dropped


def _with_own_ids(examples: list, used: set[str], address: str) -> list:
    """The examples of a file, those whose id an earlier file of the part has with the file's address before it.

    Rows without an id of their own are numbered in each file (MNLI and SNLI on the hub, which ANLI unites).
    """
    return [replace(e, id=f"{address}:{e.id}") if e.id in used else e for e in examples] if used else examples


def _nothing_remains(name: str, split: str, files: str, dropped: Counter) -> str:
    """The message for a part without items."""
    if not dropped:
        return f"{files}: the {split} part of {name} has no items; are the files whole? download them again"
    counts = ", ".join(f"{reason}: {count}" for reason, count in dropped.items())
    return f"{files}: no items remain for the {split} part of {name}; left out ({counts}); add items to the files"


def _missing_labels(places: list[str], items: list, split: str) -> str:
    """The message for items that must have labels."""
    count = f"{len(places)} of {len(items)} items have no label"
    if split == "test":
        return f"{places[0]}: {count}; restore the labels, or remove all of them from a part that is not to be scored"
    return f"{places[0]}: {count}, and the {split} part needs one for each item; restore it or remove the item"


def _trainable(task: Task, split: str, items: list, dropped: Counter, data: Path | str | None) -> list:
    """The items that have a gold label and no held-out text; `dropped` counts the others.

    Where the held-out set itself is not found, no run can be scored on it, and nothing has to be held out.
    """
    labelled = [item for item in items if has_label(item)]
    _count(dropped, "no gold label", items, labelled)
    compared = lru_cache(maxsize=1)(comparable)  # the questions of a paragraph follow one another
    for held_out in task.held_out:
        if (held_out.task, held_out.split) == (task.name, split):
            continue
        with suppress(DataNotFound):
            scored = _scored_texts(held_out, data)
            remaining = [item for item in labelled if compared(_text(item)) not in scored]
            _count(dropped, held_out.reason, labelled, remaining)
            labelled = remaining
    return labelled


def _count(dropped: Counter, reason: str, before: list, after: list) -> None:
    if len(after) < len(before):
        dropped[reason] = len(before) - len(after)


def _text(item: Example) -> str:
    """The text by which an item is recognised in a held-out set: the premise, the context, or the sentence."""
    if isinstance(item, TaggingExample):
        return " ".join(item.words)
    return item.text_a if hasattr(item, "text_a") else item.context  # type: ignore[union-attr]


def unlabelled(
    language: str,
    *,
    examples: int | None = None,
    origin: str = "",
    selection: int = 0,
    data: Path | str | None = None,
) -> ExampleSet:
    """The unlabelled texts of a language, without labels: running text, or the inputs of the dev part of a task.

    `origin` says which (see `parts.Source`). `examples` limits their number; `tasks.selection.select` chooses them, by
    a hash of `selection` and id. Inputs that the test part has, too, are left out and counted: the dev part of PAWS-X
    repeats some of its sentences in other languages than English. Raises DataNotFound where there are no files, and
    DataError where they have no text.
    """
    if origin in text_files.TEMPLATES:
        texts = text_files.running_text(language, data, origin)
    else:
        texts = _input_texts(get_task(origin), language, data)
    if not texts.items:
        raise DataError(f"{', '.join(texts.files)}: no text in '{language}'; add text, or leave the language out")
    return replace(texts, items=select(texts.items, examples or 0, selection))


def _input_texts(task: Task, language: str, data: Path | str | None) -> ExampleSet:
    layout, root = _input_layout(task, data)
    if task.mined:
        examples = load(task.name, "dev", language, data=data)
        items, files, dropped = examples.items, examples.files, Counter(examples.dropped)
    else:
        items, files, dropped = _read_files(task, layout, INPUTS, language, root)
    texts = texts_of_inputs(items, language)
    if language in available_languages(task.name, "test", data):
        test = load(task.name, "test", language, data=data)
        scored = {text.text for text in texts_of_inputs(test.items, language)}
        remaining = [text for text in texts if text.text not in scored]
        _count(dropped, "text of the test part", texts, remaining)
        texts, files = remaining, files | test.files
    return ExampleSet(texts, files, dict(dropped), layout.stand_in)


def _input_layout(task: Task, data: Path | str | None) -> tuple[Layout, Path | None]:
    """The layout of a task, with its root. Raises DataNotFound for one without a dev part in every language."""
    layout, root = find_layout(task, data)
    if not layout.inputs and not task.mined:
        reason = f" ({layout.stand_in})" if layout.stand_in else ""
        raise DataNotFound(
            f"{task.title} has no dev part in languages other than English{reason}, and its test part is never read as "
            "unlabelled text; leave text_source out, or choose another target"
        )
    return layout, root


def text_checksums(language: str, *, origin: str = "", data: Path | str | None = None) -> dict[str, str]:
    """The `files` that `unlabelled` returns, without making texts."""
    if origin in text_files.TEMPLATES:
        return text_files.text_checksums(language, data, origin)
    row = get_task(origin)
    scored = language in available_languages(origin, "test", data)
    files = checksums(origin, "test", language, data=data) if scored else {}
    if row.mined:
        return checksums(origin, "dev", language, data=data) | files
    layout, root = _input_layout(row, data)
    if layout.groups and root:
        files[layout.groups] = checksum(root / layout.groups, layout.groups)
    return files | {file.address: file.checksum(language) for file in _files_of(layout, INPUTS, language, root)}


def text_size(language: str, *, origin: str = "") -> int:
    """0: the whole text of a language is read, whatever its size."""
    return 0


def text_languages(*, origin: str = "", data: Path | str | None = None) -> tuple[str, ...]:
    """The languages that have unlabelled text (see `unlabelled`). Raises DataNotFound where there is none."""
    if origin in text_files.TEMPLATES:
        return text_files.text_languages(data, origin)
    row = get_task(origin)
    layout, root = _input_layout(row, data)
    if row.mined:
        return available_languages(origin, "dev", data)
    known = available_languages(origin, "test", data)
    if root is None:
        return known
    found = find_languages(root, layout.inputs[0], layout)
    if not found:
        raise DataNotFound(f"no dev part of {row.title} under {root}. Expected files: {', '.join(layout.inputs)}")
    return tuple(sorted(found, key=lambda code: (known.index(code) if code in known else len(known), code)))


def further_text_languages() -> tuple[str, ...]:
    """No language: all text files are listed by `text_languages`."""
    return ()


def available_languages(name: str, split: str = "test", data: Path | str | None = None) -> tuple[str, ...]:
    """The languages that a part of a task has, in the order of the benchmark.

    For a task that is taken from the hub these are the benchmark's languages; the hub is not asked.
    """
    task = get_task(name)
    if split != "test" and task.trained_on:
        return ("en",)
    layout, root = find_layout(task, data)
    order = list(dict.fromkeys(code for codes in reversed(list(task.languages.values())) for code in codes))
    found: Iterable[str]
    if root and (languages := mewslix_languages(layout, root)):
        found = languages
    elif root:
        found = find_languages(root, layout.splits[split][0], layout)
    else:
        found = [code for code in order if code not in layout.lacks and (not layout.places or code in layout.places)]
    return tuple(sorted(found, key=lambda code: (order.index(code) if code in order else len(order), code)))
