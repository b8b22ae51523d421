"""Reading the retrieval sets of publishers, each by the format of its folder."""

from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

from stilts_core.errors import DataNotFound
from stilts_core.sources import retrieval
from stilts_core.sources.locations import SourceFile, find_languages
from stilts_core.sources.rows import checksum, json_lines, read_items
from stilts_core.tasks.catalogue import Task
from stilts_core.tasks.examples import RetrievalSet
from stilts_core.tasks.layouts import Layout
from stilts_core.tasks.retrieval_sets import multilingual_pool

POOL = "mul"  # in the place of a language: LAReQA's multilingual pool
MEWSLIX, LAREQA = "xtreme/mewslix", "xtreme/lareqa"  # formats with files of their own kind

Reader = Callable[[str, list[SourceFile], list[str]], RetrievalSet]


def read_retrieval_sets(
    task: Task, layout: Layout, split: str, language: str, root: Path | None
) -> tuple[list[RetrievalSet], dict[str, str]]:
    """The retrieval sets of a part, and the checksums of its files."""
    templates = layout.splits[split]
    if root is None:
        return _read_from_hub(templates[0], language, layout)
    files = [SourceFile.of(template, _first(language), root, layout) for template in templates]
    folder = files[0].folder
    if folder == LAREQA:
        return _read_lareqa(templates[0], language, root, layout)
    if folder == MEWSLIX:
        sets = _mewslix(root, *layout.test, *(checksum(file.path, file.address) for file in files))
        if language not in sets:
            raise DataNotFound(f"{files[0].address} has no mentions in '{language}'; it has {', '.join(sets)}")
        return [sets[language]], {file.address: checksum(file.path, file.address) for file in files}
    texts = [file.text() for file in files]
    checksums = {file.address: checksum(file.path, file.address) for file in files}
    return [READERS[folder](language, files, texts)], checksums


def _first(language: str) -> str:
    """The language that fills file templates; the multilingual pool is filled language by language."""
    return "en" if language == POOL else language


def _read_tatoeba(language: str, files: list[SourceFile], texts: list[str]) -> RetrievalSet:
    return retrieval.tatoeba(language, texts, [file.address for file in files])


def _read_bucc(language: str, files: list[SourceFile], texts: list[str]) -> RetrievalSet:
    return retrieval.bucc(language, texts, [file.address for file in files], files[0].low, files[0].high)


READERS: dict[str, Reader] = {"xtreme/tatoeba": _read_tatoeba, "xtreme/bucc2018": _read_bucc}
HUB_READERS: dict[str, Callable] = {"xtreme/tatoeba": retrieval.hub_tatoeba, "xtreme/bucc2018": retrieval.hub_bucc}


def _read_from_hub(template: str, language: str, layout: Layout) -> tuple[list[RetrievalSet], dict[str, str]]:
    file = SourceFile.of(template, language, None, layout)
    rows, digest = file.rows(language)
    make = HUB_READERS[file.folder]
    return [make(language, rows, file.address, file.low, file.high)], {file.address: digest}


def _read_lareqa(template: str, language: str, root: Path, layout: Layout) -> tuple[list[RetrievalSet], dict[str, str]]:
    codes = find_languages(root, template, layout) if language == POOL else [language]
    files = {code: SourceFile.of(template, code, root, layout) for code in sorted(codes)}
    sets = {code: retrieval.lareqa(code, file.text(), file.address) for code, file in files.items()}
    checksums = {file.address: checksum(file.path, file.address) for file in files.values()}
    return (multilingual_pool(sets) if language == POOL else list(sets.values())), checksums


def mewslix_languages(layout: Layout, root: Path) -> list[str]:
    """The languages of a Mewsli-X layout, whose files hold several languages each; empty for other layouts."""
    if any("{" in template for template in layout.test):  # one file a language
        return []
    files = [SourceFile.of(template, "en", root, layout) for template in layout.test]
    if not files or files[0].folder != MEWSLIX:
        return []
    return list(_mewslix(root, *layout.test, *(checksum(file.path, file.address) for file in files)))


@lru_cache(maxsize=1)
def _mewslix(root: Path, mentions: str, entities: str, *versions: str) -> dict[str, RetrievalSet]:
    """Mewsli-X in all languages at once, because they share a million candidates; cached for these file versions."""
    candidates = retrieval.mewslix_entities(json_lines(read_items(root / entities, entities), entities))
    return retrieval.mewslix_sets(json_lines(read_items(root / mentions, mentions), mentions), candidates)
