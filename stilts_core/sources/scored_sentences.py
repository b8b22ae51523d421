"""The sentences of tagged test files, without case, punctuation and spaces: what no training part may have."""

import re
import unicodedata
from functools import cache
from pathlib import Path

from stilts_core.sources.formats import FORMATS
from stilts_core.sources.locations import SourceFile
from stilts_core.sources.rows import normalize, read_text


def comparable(text: str) -> str:
    """A text as it is compared with a held-out one: normalised, and equal however its accents are written (NFC)."""
    return normalize(unicodedata.normalize("NFC", text))


def scored_sentences(file: SourceFile, language: str) -> frozenset[str]:
    """The normalised sentences of a file with one word and its tag a line.

    The tags are not looked at: a training set of named entities is compared with a test set of parts of speech, too.
    """
    return _sentences(file.path, file.address, language, FORMATS[file.folder].separator, file.checksum(language))


@cache
def _sentences(path: Path, name: str, language: str, separator: str, version: str) -> frozenset[str]:
    """Several times as fast as the strict reader; a training part is compared with some hundred files."""
    words = re.sub(rf"[\t{separator}].*", "", read_text(path, name))  # no word has a tab
    words = re.sub(rf"(?m)^{language}:(?=.)", "", words)  # WikiANN's original files
    return frozenset(map(comparable, re.split(r"\n\s*\n", words.strip("\n"))))
