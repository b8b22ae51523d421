"""Finding the parts of a task: under the data root, else on the hub; and cutting their files into rows."""

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stilts_core.cache import checksum
from stilts_core.catalogue import Task
from stilts_core.languages import language as facts
from stilts_core.languages import languages
from stilts_core.sources import english, hub, retrieval, xtreme
from stilts_core.sources.layouts import Layout
from stilts_core.sources.reading import (
    NotAtHand,
    Row,
    comma_separated,
    json_lines,
    read_text,
    tagged_sentences,
    tsv,
)


def _cosmosqa_rows(text: str, name: str) -> Iterable[Row]:
    return comma_separated(text, name) if name.endswith(".csv") else json_lines(text, name)


# Folder -> how its files are cut into rows, and how a row becomes an example.
FORMATS: dict[str, tuple[Callable, Callable]] = {
    "english/anli": (json_lines, english.anli),
    "english/mnli": (tsv, english.mnli),
    "english/snli": (json_lines, english.mnli),
    "english/qqp": (tsv, english.qqp),
    "english/mrpc": (tsv, english.mrpc),
    "english/squad": (xtreme.squad_rows, xtreme.span),
    "english/squad_v2": (xtreme.squad_rows, xtreme.span),
    "english/hellaswag": (json_lines, english.hellaswag),
    "english/ccg": (tagged_sentences, english.tagged),
    "english/brown": (tagged_sentences, english.tagged),
    "english/cosmosqa": (_cosmosqa_rows, english.cosmosqa),
    "english/commonsense_qa": (json_lines, english.commonsenseqa),
    "xtreme/socialiqa": (json_lines, english.socialiqa),
    "xtreme/xcopa": (json_lines, english.copa),
    "xtreme/xnli": (partial(tsv, columns=xtreme.XNLI_COLUMNS), xtreme.xnli),
    "xtreme/pawsx": (partial(tsv, columns=xtreme.PAWSX_COLUMNS), xtreme.pawsx),
    "xtreme/udpos": (tagged_sentences, english.tagged),
    "xtreme/panx": (tagged_sentences, english.tagged),
    "xtreme/xquad": (xtreme.squad_rows, xtreme.span),
    "xtreme/lareqa": (xtreme.squad_rows, xtreme.span),
    "xtreme/mlqa": (xtreme.squad_rows, xtreme.span),
    "xtreme/tydiqa": (xtreme.squad_rows, xtreme.span),
    "xtreme/mewslix": (json_lines, retrieval.mewslix_pair),
}


@dataclass(frozen=True)
class Part:
    """One file (below `root`) or hub split (`root` is None), with its share of the groups: [low, high) percent."""

    address: str
    low: int
    high: int
    root: Path | None

    @classmethod
    def of(cls, template: str, language: str, root: Path | None) -> "Part":
        """The part that a layout's template names in one language."""
        address, low, high = re.fullmatch(r"([^[]+)(?:\[(\d+):(\d+)\])?", template).groups()
        return cls(_filled(address, language), int(low or 0), int(high or 100), root)

    @property
    def path(self) -> Path:
        return self.root / self.address

    @property
    def make(self) -> Callable:
        """The function that turns a row into an example."""
        return FORMATS["/".join(self.address.split("/")[:2]) if self.root else hub.schema(self.address)[0]][1]

    def text(self) -> str:
        """The text of the file; raises NotAtHand where it is missing."""
        return read_text(self._file(), self.address)

    def _file(self) -> Path:
        if not self.path.is_file():
            raise NotAtHand(f"no file {self.path}; put the publisher's file there or choose a language at hand")
        return self.path

    def rows(self, language: str) -> tuple[Iterable[Row], str]:
        """The rows, and the SHA-256 of what is read."""
        if self.root is None:
            return hub.rows(self.address, language)
        cut = FORMATS["/".join(self.address.split("/")[:2])][0]
        return cut(self.text(), self.address), self.checksum(language)

    def checksum(self, language: str) -> str:
        """The SHA-256 of what is read; of a hub split it is known only by reading it."""
        return checksum(self._file()) if self.root else hub.rows(self.address, language)[1]


def _filled(template: str, language: str) -> str:
    if "{" not in template:
        return template
    known = facts(language)
    return template.format(language=language, code3=known.tatoeba_code, name=known.name)


def _paths(layout: Layout) -> list[str]:
    return list(dict.fromkeys(re.sub(r"\[.*", "", path) for paths in layout.parts().values() for path in paths))


def data_root(data: Path | str | None) -> Path | None:
    """The data root: `data`, else `STILTS_DATA`, else None; raises NotAtHand where it is not a folder."""
    data = data or os.environ.get("STILTS_DATA")
    if data and not Path(data).is_dir():
        raise NotAtHand(f"the data root {data} is no folder; STILTS_DATA must name the one with xtreme/ and english/")
    return Path(data) if data else None


def at_hand(row: Task, data: Path | str | None) -> tuple[Layout, Path | None]:
    """The first layout of a task that is complete under the data root, with the root; else the hub's, with None.

    Raises NotAtHand, listing what was looked for, where there is neither.
    """
    root = data_root(data)
    for layout in row.files if root else ():
        if all(found_languages(root, path) for path in _paths(layout)):
            return layout, root
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON")
    if row.hub and (os.environ.get("STILTS_HUB_MIRROR") or not offline):
        return row.hub, None
    hub_remedy = ", or set STILTS_HUB_MIRROR, or unset HF_HUB_OFFLINE" if row.hub else " (the hub does not have it)"
    raise NotAtHand(
        f"{row.title} is not at hand under {root or 'STILTS_DATA, which is not set'}: looked for "
        f"{'; or else '.join(', '.join(_paths(layout)) for layout in row.files)}. "
        f"Set STILTS_DATA to a folder that has these files{hub_remedy}"
    )


def found_languages(root: Path, template: str) -> list[str]:
    """The languages for which a file is there; a file that is no language's own counts as English."""
    path = re.sub(r"\[.*", "", template)
    if "{" not in path:
        return ["en"] * (root / path).is_file()
    folder = (root / path).parent
    present = {file.name for file in folder.iterdir()} if folder.is_dir() else set()
    return [code for code in languages() if Path(_filled(path, code)).name in present]
