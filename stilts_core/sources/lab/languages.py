"""The languages of the laboratory: English and sixteen others, a designed experiment in distance and pretraining size.

What makes an encoder multilingual can be told apart only where languages differ in one thing at a time: K et al. (2020)
and Dufter & Schütze (2020) made such languages out of English text, by its script and its word order. Here whole
grammars vary. Distance to English and size of the pretraining text are crossed, four levels each, and script, cognates
and sounds are laid over them as an orthogonal array: every level of a factor meets every level of another exactly once,
so that no factor correlates with another.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np

from stilts_core.sources.lab.grammar import Grammar
from stilts_core.sources.lab.scripts import ABJAD, CYRILLIC, GREEK, LATIN, SPACELESS, Script
from stilts_core.sources.lab.words import EnglishWords, InventedWords, Sounds

_VOWELS = tuple("aeiou")
OPEN = Sounds(tuple("ptkmnslrhw"), _VOWELS, ("",))
NASAL = Sounds((*"bdgmnrzjv", ""), _VOWELS, ("", "", "n", "m"))
CLOSED = Sounds(tuple("bdfgklmnprstz"), _VOWELS, ("", "", "r", "l", "s", "k", "t"))
CLUSTERED = Sounds(("br", "dr", "kr", "pl", "st", "sk", *"fgklmnvz"), tuple("aeiouy"), ("", "", "n", "sk", "rt", "ld"))


@dataclass(frozen=True)
class Language:
    """One language. The codes are of the range that ISO 639-2 leaves to local use, qaa to qtz.

    `texts` is the size of its pretraining text (0: never seen), `cognates` the percentage of content words that it
    shares with English.
    """

    code: str
    name: str
    texts: int
    script: Script
    cognates: int
    sounds: Sounds
    grammar: Grammar

    @property
    def distance(self) -> float:
        """The distance of the grammar to that of English, in [0, 1]; script and words do not count, as in URIEL."""
        return self.grammar.distance(ENGLISH.grammar)

    @cached_property
    def _words(self) -> EnglishWords | InventedWords:
        if self.code == "en":
            return EnglishWords()
        return InventedWords(self.code, self.grammar, self.script, self.sounds, self.cognates)

    def words(self) -> EnglishWords | InventedWords:
        """Its words, made at the first call."""
        return self._words


ENGLISH = Language("en", "English", 20_000, LATIN, 100, CLUSTERED, Grammar())

# Four rows of four: by distance (3, 6, 9 and 12 of the 16 parameters differ from English), then by pretraining size.
_INVENTED = (
    Language(
        "qal", "Aldan", 0, LATIN, 40, OPEN,
        Grammar(auxiliary="none", article="none", agreement="affix"),
    ),
    Language(
        "qbe", "Berin", 2_000, LATIN, 70, CLUSTERED,
        Grammar(auxiliary="none", numeral="after", tense="particle"),
    ),
    Language(
        "qco", "Corva", 6_000, GREEK, 85, NASAL,
        Grammar(auxiliary="none", case="affix", exponence="fused"),
    ),
    Language(
        "qdu", "Dulmi", 20_000, ABJAD, 55, CLOSED,
        Grammar(auxiliary="none", article="suffix", question="in place"),
    ),
    Language(
        "qes", "Eskar", 0, LATIN, 55, NASAL,
        Grammar(
            auxiliary="none", adjective="after", article="none", number="particle", pronoun="dropped",
            negation="after",
        ),
    ),
    Language(
        "qfa", "Fadro", 2_000, LATIN, 85, CLOSED,
        Grammar(
            auxiliary="none", adposition="after", case="affix", agreement="affix", exponence="fused",
            question="particle",
        ),
    ),
    Language(
        "qge", "Gelin", 6_000, SPACELESS, 70, OPEN,
        Grammar(
            auxiliary="none", order="SOV", article="suffix", case="particle", pronoun="dropped", tense="particle",
        ),
    ),
    Language(
        "qha", "Hamra", 20_000, CYRILLIC, 40, CLUSTERED,
        Grammar(
            auxiliary="none", adjective="after", numeral="after", agreement="affix", pronoun="dropped",
            negation="affix",
        ),
    ),
    Language(
        "qil", "Ilmor", 0, CYRILLIC, 70, CLOSED,
        Grammar(
            auxiliary="none", adjective="after", adposition="after", article="none", number="none", tense="particle",
            question="in place", numeral="after", negation="last",
        ),
    ),
    Language(
        "qja", "Jarsk", 2_000, SPACELESS, 40, NASAL,
        Grammar(
            auxiliary="none", order="SOV", adposition="after", case="affix", article="none", agreement="affix",
            question="particle", negation="affix", exponence="fused",
        ),
    ),
    Language(
        "qko", "Kolti", 6_000, LATIN, 55, CLUSTERED,
        Grammar(
            auxiliary="none", order="VSO", adjective="after", numeral="after", article="suffix", agreement="affix",
            affixes="before", pronoun="dropped", negation="after",
        ),
    ),
    Language(
        "qlu", "Lumar", 20_000, LATIN, 85, OPEN,
        Grammar(
            auxiliary="none", order="SOV", adjective="after", case="particle", number="particle", tense="none",
            adjuncts="first", article="none", question="in place",
        ),
    ),
    Language(
        "qme", "Merun", 0, ABJAD, 85, CLUSTERED,
        Grammar(
            auxiliary="none", order="SOV", adjective="after", adposition="after", numeral="after", adjuncts="first",
            article="none", case="affix", number="particle", tense="particle", negation="last", question="particle",
        ),
    ),
    Language(
        "qno", "Nokti", 2_000, GREEK, 55, OPEN,
        Grammar(
            auxiliary="none", order="VOS", adjective="after", adposition="after", adjuncts="first", article="suffix",
            case="particle", number="none", agreement="affix", negation="affix", pronoun="dropped", affixes="before",
        ),
    ),
    Language(
        "qor", "Orsem", 6_000, LATIN, 40, CLOSED,
        Grammar(
            auxiliary="none", order="SOV", adjective="after", adposition="after", numeral="after", adjuncts="first",
            article="none", case="affix", agreement="affix", negation="affix", question="in place", pronoun="dropped",
        ),
    ),
    Language(
        "qpa", "Palun", 20_000, LATIN, 70, NASAL,
        Grammar(
            auxiliary="none", order="VSO", adjective="after", adposition="after", numeral="after", adjuncts="first",
            article="suffix", case="affix", tense="particle", negation="after", question="particle", affixes="before",
        ),
    ),
)  # fmt: skip

LANGUAGES: dict[str, Language] = {language.code: language for language in (ENGLISH, *_INVENTED)}
CODES = tuple(LANGUAGES)  # the laboratory's own, whatever a class adds to them


class Cell(NamedTuple):
    """One row of the design matrix: a language and its levels."""

    code: str
    distance: float
    texts: int
    other_script: bool
    cognates: int
    sounds: str


def design() -> list[Cell]:
    """The design matrix: the invented languages with what was set for each, nearest to English first."""
    names = {OPEN: "open", NASAL: "nasal", CLOSED: "closed", CLUSTERED: "clustered"}
    return [Cell(i.code, i.distance, i.texts, i.script is not LATIN, i.cognates, names[i.sounds]) for i in _INVENTED]


def correlations() -> np.ndarray:
    """Pearson's correlations (4, 4) of distance, log(1 + texts), other script and cognates over the design."""
    cells = design()
    return np.corrcoef([
        [cell.distance for cell in cells],
        np.log1p([cell.texts for cell in cells]),
        [float(cell.other_script) for cell in cells],
        [cell.cognates for cell in cells],
    ])  # fmt: skip
