"""Loading the examples of a task: from rows to examples, without what would leak from a test part into training.

Files under the data root (`STILTS_DATA`) come first; a task that has none there is taken from the hub.
"""

from collections import Counter
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from stilts_core.cache import checksum
from stilts_core.catalogue import Task, task
from stilts_core.families.examples import TextExample
from stilts_core.sources import retrieval, xtreme
from stilts_core.sources.layouts import Layout
from stilts_core.sources.parts import Part, at_hand, data_root, found_languages
from stilts_core.sources.reading import (
    DataError,
    Defect,
    Examples,
    NotAtHand,
    json_lines,
    lines,
    normalized,
    percentile,
    read_text,
)

# Faulty items that a publisher's file is known to have; one more is an error. SQuAD-shifts: counted. GLUE's QQP breaks
# some questions over two lines and leaves some empty: a bound, as readers of GLUE skip them without a count.
KNOWN_DEFECTS = {"english/squad/squadshifts_nyt_v1.0.json": 9, "english/qqp/train.tsv": 50}

# Text that a target is scored on is left out of training: task -> (target, its part, what the count is called).
HELD_OUT = {
    "squad": ("xquad", "test", "paragraph also in XQuAD"),
    "squad_v2": ("xquad", "test", "paragraph also in XQuAD"),
    "mnli": ("xnli", "test", "premise also in XNLI"),
    "anli": ("xnli", "test", "premise also in XNLI"),
    "cosmosqa": ("cosmosqa", "dev", "context also in the dev part"),
}

# XTREME-R's additions to UD are not in XTREME's set on the hub.
HUB_LACKS = {"udpos": ("lt", "pl", "uk", "wo", "ro")}

# In these languages all of XCOPA's files agree on which questions ask for the cause.
XCOPA_AGREEING = ("et", "ht", "qu", "ta", "vi", "zh")


def load(name: str, split: str, language: str = "en", *, data: Path | str | None = None) -> Examples:
    """The examples of one part ('train', 'dev' or 'test') of a task in one language.

    The train and dev parts of a target are English and come from the task it is trained on; BUCC's dev part, which
    sets its threshold, is the language's own. LAReQA's test part takes 'mul' for the multilingual pool: one set per
    language, all with the candidates of every language. `data` is the data root, else `STILTS_DATA`, else the hub.

    Raises NotAtHand where the files are missing, listing what was looked for, and DataError where they are faulty.
    """
    row = task(name)
    if split not in ("train", "dev", "test"):
        raise DataError(f"no part '{split}' of {name}; expected train, dev or test")
    if split != "test" and row.trained_on and language != "en":
        raise DataError(f"the {split} part of {name} is English; there is none in '{language}'")
    if split != "test" and row.trained_on not in (None, name):
        examples = load(row.trained_on, split, data=data)
        if row.family == "retrieval":
            return replace(examples, items=[retrieval.sentence_of_answer(example) for example in examples.items])
        return examples
    layout, root = at_hand(row, data)
    if split not in layout.parts():
        raise DataError(f"{name} has no {split} part; it has {', '.join(layout.parts())}")
    if row.family == "retrieval" and (split == "test" or row.trained_on is None):
        sets, files = _retrieval_sets(row, layout.parts()[split], language, root)
        return Examples(sets, files, {}, layout.stand_in)
    items, files, dropped = _read(row, layout, split, language, root)
    if split != "test":
        items = _trainable(name, split, items, dropped, data)
    if not items:
        raise DataError(f"{', '.join(files)}: nothing is left for the {split} part of {name}; dropped: {dict(dropped)}")
    return Examples(items, files, dict(dropped), layout.stand_in)


def checksums(name: str, split: str, language: str = "en", *, data: Path | str | None = None) -> dict[str, str]:
    """The `files` of what `load` gives for the same arguments, without making examples of them."""
    row = task(name)
    if split != "test" and row.trained_on not in (None, name):
        return checksums(row.trained_on, split, data=data)
    layout, root = at_hand(row, data)
    parts = [Part.of(template, language, root) for template in layout.parts()[split]]
    files = {part.address: part.checksum(language) for part in parts}
    return files | ({layout.groups: checksum(root / layout.groups)} if layout.groups else {})


def _read(row: Task, layout: Layout, split: str, language: str, root: Path | None) -> tuple[list, dict, Counter]:
    """The examples of all files of a part, the checksums, and what was dropped."""
    items, files, dropped, groups = [], {}, Counter(), {}
    if layout.groups:
        groups = xtreme.shared_sentences(read_text(root / layout.groups, layout.groups), layout.groups)
        files[layout.groups] = checksum(root / layout.groups)
    parts = [Part.of(template, language, root) for template in layout.parts()[split]]
    for part in parts:
        whole, prefix = replace(part, low=0, high=100), f"{Path(part.address).stem}:" if len(parts) > 1 else ""
        version = part.checksum(language) if part.root else None
        made = _examples_of if part.root else _examples_of.__wrapped__
        examples, defects, files[part.address] = made(whole, row, language, prefix, version)
        if groups:
            examples = [replace(example, group=groups.get(example.id, example.group)) for example in examples]
        if part != whole and (language == "en" or row.parallel):
            examples = [example for example in examples if part.low <= percentile(example.group) < part.high]
        items += examples
        dropped.update(defects)
    return items, files, dropped


@lru_cache(maxsize=8)
def _examples_of(part: Part, row: Task, language: str, prefix: str, version: str | None) -> tuple[list, Counter, str]:
    """All examples of one file or hub split, its defects by reason, and its checksum.

    The train and dev parts of a task are often shares of the same files, which are read once while `version` stays.
    """
    rows, digest = part.rows(language)
    make, examples, defects = part.make, [], Counter()
    for fields in rows:
        fields.prefix = prefix
        try:
            examples.append(make(fields, row, language))
        except Defect as defect:
            defects[defect.reason] += 1
            if defects.total() > KNOWN_DEFECTS.get(part.address, 0):
                raise
    if row.parallel and part.root:
        _check_parallel(part, len(examples) + defects.total(), language)
    return examples, defects, digest


forget_files = _examples_of.cache_clear  # gives back the memory of the files that were read last


def _check_parallel(part: Part, count: int, language: str) -> None:
    """Raises DataError where a parallel file has more or fewer lines than the English one beside it."""
    beside = part.path.with_name(part.path.name.replace(f"-{language}.tsv", "-en.tsv"))
    if beside == part.path or not beside.is_file():
        return
    expected = len(lines(read_text(beside, beside.name)))
    if expected != count:
        raise DataError(
            f"{part.address} has {count} items and {beside.name} has {expected}; the languages are parallel, so one of "
            "them is cut off: fetch both again"
        )


def _trainable(name: str, split: str, items: list, dropped: Counter, data: Path | str | None) -> list:
    """The items with a gold label and without text that a target is scored on; the others are counted.

    Where neither XQuAD nor XNLI is at hand, no run can be scored on it, and nothing has to be held out.
    """
    labelled = [item for item in items if getattr(item, "label", "") is not None]
    _count(dropped, "no gold label", items, labelled)
    target, part, reason = HELD_OUT.get(name, (name, split, ""))
    if (target, part) == (name, split):
        return labelled
    try:
        held = {normalized(_text(item)) for item in load(target, part, data=data).items}
    except NotAtHand:
        return labelled
    known = lru_cache(maxsize=1)(normalized)  # the questions of a paragraph follow one another
    kept = [item for item in labelled if known(_text(item)) not in held]
    _count(dropped, reason, labelled, kept)
    return kept


def _count(dropped: Counter, reason: str, before: list, after: list) -> None:
    if len(after) < len(before):
        dropped[reason] = len(before) - len(after)


def _text(item) -> str:
    return item.text_a if hasattr(item, "text_a") else item.context


def _retrieval_sets(row: Task, templates: tuple[str, ...], language: str, root: Path | None) -> tuple[list, dict]:
    """The retrieval sets of a part, and the checksums of its files."""
    if row.name == "lareqa":
        codes = found_languages(root, templates[0]) if language == "mul" else [language]
        parts = {code: Part.of(templates[0], code, root) for code in sorted(codes)}
        sets = {code: retrieval.lareqa(code, part.text(), part.address) for code, part in parts.items()}
        files = {part.address: checksum(part.path) for part in parts.values()}
        return (retrieval.multilingual_pool(sets) if language == "mul" else list(sets.values())), files
    parts = [Part.of(template, language, root) for template in templates]
    names = [part.address for part in parts]
    if root is None:
        rows, digest = parts[0].rows(language)
        make = retrieval.hub_tatoeba if row.name == "tatoeba" else retrieval.hub_bucc
        return [make(language, rows, names[0], parts[0].low, parts[0].high)], {names[0]: digest}
    texts = [part.text() for part in parts]
    files = {part.address: checksum(part.path) for part in parts}
    if row.name == "mewslix":
        sets = _mewslix(root, *names, *files.values())
        if language not in sets:
            raise NotAtHand(f"{names[0]} has no mentions in '{language}'; it has {', '.join(sets)}")
        return [sets[language]], files
    if row.name == "tatoeba":
        return [retrieval.tatoeba(language, texts, names)], files
    return [retrieval.bucc(language, texts, names, parts[0].low, parts[0].high)], files


@lru_cache(maxsize=1)
def _mewslix(root: Path, mentions: str, entities: str, *versions: str) -> dict:
    """Mewsli-X in all languages at once, as they share a million candidates; kept while the files stay the same."""
    candidates = retrieval.mewslix_entities(json_lines(read_text(root / entities, entities), entities))
    return retrieval.mewslix_sets(json_lines(read_text(root / mentions, mentions), mentions), candidates)


def available_languages(name: str, split: str = "test", data: Path | str | None = None) -> tuple[str, ...]:
    """The languages in which a part of a task is at hand, in the order of the benchmark.

    Of a task that is taken from the hub these are the benchmark's languages, without asking the hub.
    """
    row = task(name)
    if split != "test" and row.trained_on:
        return ("en",)
    layout, root = at_hand(row, data)
    order = list(dict.fromkeys(code for codes in reversed(row.languages.values()) for code in codes))
    if name == "mewslix":
        found = _mewslix(root, *layout.test, *(checksum(root / path) for path in layout.test))
    elif root:
        found = found_languages(root, layout.parts()[split][0])
    else:
        found = [code for code in order if code not in HUB_LACKS.get(name, ())]
    return tuple(sorted(found, key=lambda code: (order.index(code) if code in order else len(order), code)))


def unlabelled(language: str, data: Path | str | None = None) -> Examples:
    """Unlabelled text of a language for MLM and adversaries: one sentence a line in `text/LANG.txt`."""
    path, name = _text_file(language, data)
    texts = lines(read_text(path, name))
    items = [TextExample(str(number), language, text) for number, text in enumerate(texts, start=1) if text.strip()]
    dropped = Counter()
    _count(dropped, "empty line", texts, items)
    return Examples(items, {name: checksum(path)}, dict(dropped), None)


def text_checksums(language: str, data: Path | str | None = None) -> dict[str, str]:
    """The `files` of what `unlabelled` gives."""
    path, name = _text_file(language, data)
    return {name: checksum(path)}


def _text_file(language: str, data: Path | str | None) -> tuple[Path, str]:
    root, name = data_root(data), f"text/{language}.txt"
    if root is None or not (root / name).is_file():
        raise NotAtHand(
            f"no unlabelled text in '{language}': looked for {name} under {root or 'STILTS_DATA, which is not set'}; "
            "put sentences there, one a line"
        )
    return root / name, name


def text_languages(data: Path | str | None = None) -> tuple[str, ...]:
    """The languages whose unlabelled text is at hand; raises NotAtHand where there is none."""
    root = data_root(data)
    if root is None or not (found := found_languages(root, "text/{language}.txt")):
        raise NotAtHand(
            f"no unlabelled text: looked for text/LANGUAGE.txt under {root or 'STILTS_DATA, which is not set'}; "
            "put sentences there, one a line, or leave masked language modelling out"
        )
    return tuple(sorted(found))


def repaired_questions(language: str, data: Path | str | None = None) -> dict[str, str]:
    """XCOPA's wrong questions put right: item id -> question, by the vote of other languages on the same item.

    Some files (th, tr, sw, id, it) ask for the effect where the cause is meant; their labels are right. Report scores
    on both readings; the number of repaired items is the length of the answer.
    """
    votes: dict[str, Counter] = {}
    for other in XCOPA_AGREEING:
        for item in load("xcopa", "test", other, data=data).items:
            votes.setdefault(item.id, Counter())[item.question] += 1
    right = {number: count.most_common(1)[0][0] for number, count in votes.items()}
    items = load("xcopa", "test", language, data=data).items
    return {item.id: right[item.id] for item in items if item.question != right[item.id]}


def data_status(name: str, data: Path | str | None = None) -> str:
    """What of a task is at hand: 'found here: 12 languages, 1,190 each', and what stands in for it."""
    row = task(name)
    try:
        _, root = at_hand(row, data)
        if root is None:
            return "not among the files here; taken from the hub"
        if "target" in row.roles:
            loaded = {code: load(name, "test", code, data=data) for code in available_languages(name, data=data)}
            sizes = sorted({sum(map(_size, examples.items)) for examples in loaded.values()})
            each = " to ".join(f"{size:,}" for size in dict.fromkeys((sizes[0], sizes[-1])))
            plural = "s" if len(loaded) > 1 else ""
            status = f"found here: {len(loaded)} language{plural}, {each} each ({' '.join(loaded)})"
        else:
            loaded = {split: load(name, split, data=data) for split in ("train", "dev")}
            status = "found here: " + ", ".join(f"{len(part.items):,} {split}" for split, part in loaded.items())
    except NotAtHand as error:
        return str(error)
    return "\n".join(filter(None, [status, next(iter(loaded.values())).stand_in]))


def _size(item) -> int:
    return len(item.queries) if hasattr(item, "queries") else 1
