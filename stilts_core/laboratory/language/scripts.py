"""Writing systems: how a script writes the letters a to z, which all words consist of."""

from dataclasses import dataclass
from functools import cached_property

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_VOWELS = frozenset("aeiou")


@dataclass(frozen=True)
class Script:
    """A script that has one letter for each of the letters a to z.

    `letters` are the counterparts of a to z, `space` separates words, and `cased` scripts have capital letters. An
    abjad (`vowels` is False) writes a vowel only at the beginning or end of a word.
    """

    name: str
    letters: str
    space: str = " "
    cased: bool = True
    vowels: bool = True

    @cached_property
    def _to_letters(self) -> dict[int, str]:
        return dict(zip(map(ord, ALPHABET), self.letters, strict=True))

    def write(self, word: str) -> str:
        """Write a word of the letters a to z in this script."""
        if not self.vowels:
            word = "".join(c for i, c in enumerate(word) if c not in _VOWELS or i in (0, len(word) - 1))
        return word.translate(self._to_letters)

    def capitalise(self, word: str) -> str:
        """Return the word with a capital first letter if the script has capitals."""
        return word[:1].upper() + word[1:] if self.cased else word

    def join(self, words: list[str]) -> str:
        """Join words into a sentence with a capital first letter; the last item is the full stop or question mark."""
        return self.capitalise(self.space.join(words[:-1])) + words[-1]


LATIN = Script("Latin", ALPHABET)
CYRILLIC = Script("Cyrillic", "абцдефгхийклмнопщрстувўчыз")
GREEK = Script("Greek", "αβψδεφγηιξκλμνοπθρστυϋωχϊζ")
ABJAD = Script("Arabic", "ابچدهفجحیژکلمنوپقرستعڤشخغز", cased=False, vowels=False)
SPACELESS = Script("Thai", "อบฉดเฟกหไจคลมนโปขรซตถวฝชยส", space="", cased=False)
