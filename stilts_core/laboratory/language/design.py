"""The languages of the laboratory: English and sixteen invented ones, a designed experiment.

To learn what makes an encoder multilingual, one has to vary one property of a language at a time. K et al. (2020) and
Dufter & Schütze (2020) derived such languages from English text by changing its script and its word order. Here whole
grammars vary. Four distances to English are crossed with four sizes of the pretraining text. Script, cognates and
sounds are assigned so that every level of a factor meets every level of another equally often: no two factors
correlate.
"""

from dataclasses import dataclass, fields
from functools import cached_property
from typing import NamedTuple

import numpy as np

from stilts_core.laboratory.dice import Dice
from stilts_core.laboratory.language.grammar import Grammar
from stilts_core.laboratory.language.scripts import ABJAD, CYRILLIC, GREEK, LATIN, SPACELESS, Script
from stilts_core.laboratory.language.words import EnglishWords, InventedWords, Sounds, Words

_VOWELS = tuple("aeiou")
OPEN = Sounds(tuple("ptkmnslrhw"), _VOWELS, ("",))
NASAL = Sounds((*"bdgmnrzjv", ""), _VOWELS, ("", "", "n", "m"))
CLOSED = Sounds(tuple("bdfgklmnprstz"), _VOWELS, ("", "", "r", "l", "s", "k", "t"))
CLUSTERED = Sounds(("br", "dr", "kr", "pl", "st", "sk", *"fgklmnvz"), tuple("aeiouy"), ("", "", "n", "sk", "rt", "ld"))


@dataclass(frozen=True)
class LabLanguage:
    """One language of the laboratory. Codes of invented languages come from qaa to qtz (ISO 639-2: local use).

    `texts` is the number of its pretraining texts (0: the encoder never sees it), `cognates` the percentage of words
    that it shares with English. Names and values of all fields identify a pretrained encoder (see `lab_identity`).
    """

    code: str
    name: str
    texts: int
    script: Script
    cognates: int
    sounds: Sounds
    grammar: Grammar

    @cached_property
    def distance(self) -> float:
        """The distance of its grammar to the English one, in [0, 1]. As in URIEL, script and words do not count."""
        return self.grammar.distance(ENGLISH.grammar)

    @property
    def _key(self) -> str:
        """What decides the random choices of words."""
        return self.code

    @cached_property
    def _words(self) -> Words:
        if self.code == "en":
            return EnglishWords()
        return InventedWords(self._key, self.grammar, self.script, self.sounds, self.cognates)

    def words(self) -> Words:
        """Return its words; they are invented at the first call."""
        return self._words


@dataclass(frozen=True)
class RedrawnLanguage(LabLanguage):
    """A language of the laboratory after its words were drawn again: other stems, affixes, cognates and consonants.

    Grammar, script, number of texts, percentage of cognates and shapes of syllables stay the same, so the design matrix
    does, too.
    """

    draw: int

    @property
    def _key(self) -> str:
        return f"{self.code} {self.draw}"


def redraw(language: LabLanguage, draw: int) -> LabLanguage:
    """Return the language with the words of another draw. Draw 0, and English, are the language itself."""
    if not draw or language.code == "en":
        return language
    same = {field.name: getattr(language, field.name) for field in fields(LabLanguage)}
    sounds = language.sounds.exchange_consonants(Dice("sounds", language.code, draw))
    return RedrawnLanguage(**same | {"sounds": sounds}, draw=draw)


ENGLISH = LabLanguage("en", "English", 20_000, LATIN, 100, CLUSTERED, Grammar())

# Ordered by distance (3, 6, 9 and 12 of the 16 parameters differ from English), then by pretraining size.
_INVENTED = (
    LabLanguage(
        "qal", "Aldan", 0, LATIN, 40, OPEN,
        Grammar(auxiliary="none", article="none", agreement="affix"),
    ),
    LabLanguage(
        "qbe", "Berin", 2_000, LATIN, 70, CLUSTERED,
        Grammar(auxiliary="none", numeral="after", tense="particle"),
    ),
    LabLanguage(
        "qco", "Corva", 6_000, GREEK, 85, NASAL,
        Grammar(auxiliary="none", case="affix", exponence="fused"),
    ),
    LabLanguage(
        "qdu", "Dulmi", 20_000, ABJAD, 55, CLOSED,
        Grammar(auxiliary="none", article="suffix", question="in place"),
    ),
    LabLanguage(
        "qes", "Eskar", 0, LATIN, 55, NASAL,
        Grammar(
            auxiliary="none", adjective="after", article="none", number="particle", pronoun="dropped",
            negation="after",
        ),
    ),
    LabLanguage(
        "qfa", "Fadro", 2_000, LATIN, 85, CLOSED,
        Grammar(
            auxiliary="none", adposition="after", case="affix", agreement="affix", exponence="fused",
            question="particle",
        ),
    ),
    LabLanguage(
        "qge", "Gelin", 6_000, SPACELESS, 70, OPEN,
        Grammar(
            auxiliary="none", order="SOV", article="suffix", case="particle", pronoun="dropped", tense="particle",
        ),
    ),
    LabLanguage(
        "qha", "Hamra", 20_000, CYRILLIC, 40, CLUSTERED,
        Grammar(
            auxiliary="none", adjective="after", numeral="after", agreement="affix", pronoun="dropped",
            negation="affix",
        ),
    ),
    LabLanguage(
        "qil", "Ilmor", 0, CYRILLIC, 70, CLOSED,
        Grammar(
            auxiliary="none", adjective="after", adposition="after", article="none", number="none", tense="particle",
            question="in place", numeral="after", negation="last",
        ),
    ),
    LabLanguage(
        "qja", "Jarsk", 2_000, SPACELESS, 40, NASAL,
        Grammar(
            auxiliary="none", order="SOV", adposition="after", case="affix", article="none", agreement="affix",
            question="particle", negation="affix", exponence="fused",
        ),
    ),
    LabLanguage(
        "qko", "Kolti", 6_000, LATIN, 55, CLUSTERED,
        Grammar(
            auxiliary="none", order="VSO", adjective="after", numeral="after", article="suffix", agreement="affix",
            affixes="before", pronoun="dropped", negation="after",
        ),
    ),
    LabLanguage(
        "qlu", "Lumar", 20_000, LATIN, 85, OPEN,
        Grammar(
            auxiliary="none", order="SOV", adjective="after", case="particle", number="particle", tense="none",
            adjuncts="first", article="none", question="in place",
        ),
    ),
    LabLanguage(
        "qme", "Merun", 0, ABJAD, 85, CLUSTERED,
        Grammar(
            auxiliary="none", order="SOV", adjective="after", adposition="after", numeral="after", adjuncts="first",
            article="none", case="affix", number="particle", tense="particle", negation="last", question="particle",
        ),
    ),
    LabLanguage(
        "qno", "Nokti", 2_000, GREEK, 55, OPEN,
        Grammar(
            auxiliary="none", order="VOS", adjective="after", adposition="after", adjuncts="first", article="suffix",
            case="particle", number="none", agreement="affix", negation="affix", pronoun="dropped", affixes="before",
        ),
    ),
    LabLanguage(
        "qor", "Orsem", 6_000, LATIN, 40, CLOSED,
        Grammar(
            auxiliary="none", order="SOV", adjective="after", adposition="after", numeral="after", adjuncts="first",
            article="none", case="affix", agreement="affix", negation="affix", question="in place", pronoun="dropped",
        ),
    ),
    LabLanguage(
        "qpa", "Palun", 20_000, LATIN, 70, NASAL,
        Grammar(
            auxiliary="none", order="VSO", adjective="after", adposition="after", numeral="after", adjuncts="first",
            article="suffix", case="affix", tense="particle", negation="after", question="particle", affixes="before",
        ),
    ),
)  # fmt: skip

LANGUAGES: dict[str, LabLanguage] = {language.code: language for language in (ENGLISH, *_INVENTED)}
CODES = tuple(LANGUAGES)  # without the languages that `invent` adds to LANGUAGES later


class DesignRow(NamedTuple):
    """One row of the design matrix: a language and its level of every factor."""

    code: str
    distance: float
    texts: int
    other_script: bool
    cognates: int
    sounds: str


def design_matrix() -> list[DesignRow]:
    """Return the levels of all factors for every invented language, nearest to English first."""
    names = {OPEN: "open", NASAL: "nasal", CLOSED: "closed", CLUSTERED: "clustered"}
    return [
        DesignRow(
            language.code,
            language.distance,
            language.texts,
            language.script is not LATIN,
            language.cognates,
            names[language.sounds],
        )
        for language in _INVENTED
    ]


def factor_correlations() -> np.ndarray:
    """Return Pearson's correlations (4, 4) of distance, log(1 + texts), other script and cognates over the design."""
    rows = design_matrix()
    return np.corrcoef([
        [row.distance for row in rows],
        np.log1p([row.texts for row in rows]),
        [float(row.other_script) for row in rows],
        [row.cognates for row in rows],
    ])  # fmt: skip
