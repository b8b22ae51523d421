"""Where the files of a task are: under the data root, else on the hub."""

import errno
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from stilts_core.errors import DataError, DataNotFound
from stilts_core.sources import hub
from stilts_core.sources.formats import FORMATS
from stilts_core.sources.rows import Row, checksum, read_items, read_text, with_labels
from stilts_core.tasks.catalogue import Task
from stilts_core.tasks.examples import Example
from stilts_core.tasks.languages import get_language, languages
from stilts_core.tasks.layouts import Layout, without_share

NO_ROOT = "STILTS_DATA is not set"


@dataclass(frozen=True)
class SourceFile:
    """One file below `root`, or one hub split (`root` is None), with its share of the groups: [low, high) percent.

    `folder` names the publisher's folder whose format the file has.
    """

    address: str
    low: int
    high: int
    root: Path | None
    folder: str

    @classmethod
    def of(cls, template: str, language: str, root: Path | None, layout: Layout) -> "SourceFile":
        """The file that a layout's template names in one language."""
        match = re.fullmatch(r"([^[]+)(?:\[(\d+):(\d+)\])?", template)
        if match is None:
            raise ValueError(f"{template!r} is not a file template")
        address, low, high = match.groups()
        address = _fill(address, language, layout)
        folder = layout.format or ("/".join(address.split("/")[:2]) if root else hub.schema(address).folder)
        return cls(address, int(low or 0), int(high or 100), root, folder)

    @property
    def path(self) -> Path:
        """Where the file is. Raises DataNotFound where it is missing, and for a hub split."""
        if self.root is None:
            raise DataNotFound(f"{self.address} is on the hub, not under a data root")
        path = self.root / self.address
        if path.is_dir():
            raise DataError(f"{path} is a folder; put the publisher's file of this name in its place")
        if not path.is_file():
            raise DataNotFound(
                f"{path} not found; put the publisher's file there, or choose one of the available languages"
            )
        return path

    @property
    def example(self) -> Callable[[Row, Task, str], Example]:
        """The function that turns a row into an example."""
        return FORMATS[self.folder].example

    @property
    def is_whole(self) -> bool:
        """Whether all groups of the file are meant."""
        return (self.low, self.high) == (0, 100)

    def text(self) -> str:
        """The text of the file. Raises DataNotFound where it is missing, and DataError where it is empty.

        A file of gold pairs may be empty: that of a blind part.
        """
        read = read_text if self.address.endswith(".gold") else read_items
        return read(self.path, self.address)

    def rows(self, language: str) -> tuple[Iterable[Row], str]:
        """The rows, and the SHA-256 of what is read."""
        if self.root is None:
            return hub.rows(self.address, language)
        rows: Iterable[Row] = FORMATS[self.folder].rows(self.text(), self.address)
        if labels := self._labels:
            rows = with_labels(list(rows), labels.text(), labels.address)
        return rows, self.checksum(language)

    def checksum(self, language: str) -> str:
        """The SHA-256 of the file's content, with that of its labels; a hub split must be read to know it."""
        if self.root is None:
            return hub.checksum(self.address)
        own = checksum(self.path, self.address)
        return sha256(f"{own} {labels.checksum(language)}".encode()).hexdigest() if (labels := self._labels) else own

    @property
    def _labels(self) -> "SourceFile | None":
        """The file that holds the labels, where the publisher keeps them apart."""
        name = FORMATS[self.folder].labels if self.folder in FORMATS else None
        return replace(self, address=name(self.address), folder="") if name and self.root else None


def _fill(template: str, language: str, layout: Layout) -> str:
    if "{" not in template:
        return template
    if layout.places and language not in layout.places:
        raise DataNotFound(f"{template} has no '{language}'; choose one of {', '.join(layout.places)}")
    facts = get_language(language)
    return template.format(
        language=language,
        code3=facts.tatoeba_code,
        masakhane=facts.masakhane_code,
        name=facts.name,
        place=layout.places.get(language),
    )


def data_root(data: Path | str | None) -> Path | None:
    """The data root: `data`, else `STILTS_DATA`, else None. Raises DataNotFound where it is not a folder."""
    data = data or os.environ.get("STILTS_DATA")
    if data and not Path(data).is_dir():
        raise DataNotFound(f"the data root {data} is not a folder; STILTS_DATA must name one with xtreme/ and english/")
    return Path(data) if data else None


def find_layout(task: Task, data: Path | str | None) -> tuple[Layout, Path | None]:
    """The first layout of a task that is complete under the data root, with the root; else the hub's, with None.

    Raises DataNotFound, which lists the expected files, where there is neither.
    """
    root = data_root(data)
    if root:
        for layout in task.files:
            if all(find_languages(root, path, layout) for path in layout.paths):
                return _name_missing(layout, root), root
    offline = os.environ.get("HF_HUB_OFFLINE", "").upper() in ("1", "TRUE", "YES", "ON")
    if task.hub and (os.environ.get("STILTS_HUB_MIRROR") or not offline):
        return task.hub, None
    where = f"not found under {root}" if root else f"not found: {NO_ROOT}"
    hub_remedy = ", or set STILTS_HUB_MIRROR, or unset HF_HUB_OFFLINE" if task.hub else " (the hub does not have it)"
    raise DataNotFound(
        f"{task.title} {where}. Expected files: {'; or '.join(', '.join(layout.paths) for layout in task.files)}. "
        f"Set STILTS_DATA to a folder that has these files{hub_remedy}"
    )


def _name_missing(layout: Layout, root: Path) -> Layout:
    """The layout, whose stand-in's sentence names the missing files of the layout that it stands in for."""
    paths = dict.fromkeys(map(without_share, layout.without))
    missing = [path for path in paths if not find_languages(root, path, layout)]
    return replace(layout, stand_in=f"{layout.stand_in} Not found: {', '.join(missing)}.") if missing else layout


def find_languages(root: Path, template: str, layout: Layout) -> list[str]:
    """The languages for which a file exists; a file without a language in its name counts as English."""
    path = without_share(template)
    if "{" not in path:
        return ["en"] if _is_there(root / path) else []
    fixed = (root / path.partition("{")[0]).parent  # a data root that lacks this folder has none of the files
    if not _is_there(fixed):
        return []
    codes = [code for code in languages() if not layout.places or code in layout.places]
    return [code for code in codes if _is_there(root / _fill(path, code, layout))]


def find_unlisted(root: Path, template: str, layout: Layout) -> list[str]:
    """The files that fit a template, in languages that `tasks.languages` does not list: nothing reads them."""
    path = without_share(template)
    pattern, fields = re.escape(path), set(re.findall(r"\{(\w+)\}", path))
    if len(fields) != 1 or not fields <= {"language", "code3", "masakhane"}:
        return []
    (field,) = fields
    placeholder = re.escape(f"{{{field}}}")
    pattern = pattern.replace(placeholder, r"(?P<code>[a-z]{2,3}(?:[-_][A-Za-z]+)?)", 1).replace(
        placeholder, "(?P=code)"
    )
    known = {_fill(path, code, layout) for code in languages()}
    files = (file.relative_to(root).as_posix() for file in root.glob(path.replace(f"{{{field}}}", "*")))
    return sorted(file for file in files if re.fullmatch(pattern, file) and file not in known)


def _is_there(path: Path) -> bool:
    """Whether a file or folder exists. Raises DataError for a link that leads nowhere, and where it cannot be known."""
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise DataError(f"{path} is a link to a file that is not there; fetch it, or remove the link") from None
        return False
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise DataError(f"{path} is a link that leads back to itself; fetch the file, or remove the link") from None
        raise DataError(
            f"{path.parent} cannot be read ({error.strerror}); change its permissions, or set STILTS_DATA to another "
            "folder"
        ) from None
    return True
