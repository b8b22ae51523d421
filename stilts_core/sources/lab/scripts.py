"""Scripts: how the 26 letters that all words are made of are written."""

from dataclasses import dataclass
from functools import cached_property

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
_VOWELS = frozenset("aeiou")


@dataclass(frozen=True)
class Script:
    """Letter by letter: `letters` are those for a to z, `space` stands between words, `cased` has capitals.

    An abjad (`vowels` False) writes a vowel only where a word begins or ends.
    """

    name: str
    letters: str
    space: str = " "
    cased: bool = True
    vowels: bool = True

    @cached_property
    def _letters(self) -> dict[int, str]:
        return dict(zip(map(ord, ALPHABET), self.letters, strict=True))

    def write(self, word: str) -> str:
        """A word of the letters a to z in this script."""
        if not self.vowels:
            word = "".join(c for i, c in enumerate(word) if c not in _VOWELS or i in (0, len(word) - 1))
        return word.translate(self._letters)

    def read(self, text: str) -> str:
        """Text in this script letter by letter in a to z, as linguists transcribe it; all else stays as it is."""
        small = dict(zip(self.letters, ALPHABET, strict=True))
        capitals = {c.upper(): a.upper() for c, a in small.items()} if self.cased else {}
        return text.translate(str.maketrans(capitals | small))

    def capital(self, word: str) -> str:
        """The word with a capital, where the script has them."""
        return word[:1].upper() + word[1:] if self.cased else word

    def join(self, words: list[str]) -> str:
        """Words as a sentence: its first letter a capital, its last word the full stop or question mark."""
        return self.capital(self.space.join(words[:-1])) + words[-1]


LATIN = Script("Latin", ALPHABET)
CYRILLIC = Script("Cyrillic", "абцдефгхийклмнопщрстувўчыз")
GREEK = Script("Greek", "αβψδεφγηιξκλμνοπθρστυϋωχϊζ")
ABJAD = Script("Arabic", "ابچدهفجحیژکلمنوپقرستعڤشخغز", cased=False, vowels=False)
SPACELESS = Script("Thai", "อบฉดเฟกหไจคลมนโปขรซตถวฝชยส", space="", cased=False)
