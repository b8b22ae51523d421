"""What is known of each language: name, family, script, share of the encoder's pretraining, distance to English.

The figures are read from `facts/languages.csv` (URIEL through lang2vec; CC-100 sizes from the XLM-R paper).
"""

import csv
import math
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from stilts_core.config import ConfigError

NAMES = {
    "af": "Afrikaans", "ar": "Arabic", "az": "Azerbaijani", "bg": "Bulgarian", "bn": "Bengali", "de": "German",
    "el": "Greek", "en": "English", "es": "Spanish", "et": "Estonian", "eu": "Basque", "fa": "Persian",
    "fi": "Finnish", "fr": "French", "gu": "Gujarati", "he": "Hebrew", "hi": "Hindi", "ht": "Haitian Creole",
    "hu": "Hungarian", "id": "Indonesian", "it": "Italian", "ja": "Japanese", "jv": "Javanese", "ka": "Georgian",
    "kk": "Kazakh", "ko": "Korean", "lt": "Lithuanian", "ml": "Malayalam", "mr": "Marathi", "ms": "Malay",
    "my": "Burmese", "nl": "Dutch", "pa": "Punjabi", "pl": "Polish", "pt": "Portuguese", "qu": "Quechua",
    "ro": "Romanian", "ru": "Russian", "sw": "Swahili", "ta": "Tamil", "te": "Telugu", "th": "Thai",
    "tl": "Tagalog", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu", "vi": "Vietnamese", "wo": "Wolof",
    "yo": "Yoruba", "zh": "Chinese",
}  # fmt: skip

FAMILY = "Laboratory"  # of all languages that are invented

# Tatoeba names the macrolanguage where URIEL names one of its members.
_TATOEBA = {"ar": "ara", "az": "aze", "et": "est"}


@dataclass(frozen=True)
class Language:
    """One language of the benchmarks.

    `cc100_gib` is its share of XLM-R's pretraining text in GiB (0: never seen); the distances to English are cosine
    distances between URIEL's feature vectors, in [0, 1]; `attested` counts the 103 syntax features that a source
    attests, the rest being imputed from neighbours.

    A language of the laboratory has its grammar's distance as that of syntax, and no other; `texts` is the size of its
    pretraining text (0: never seen), None of every language outside the laboratory.
    """

    code: str
    name: str
    code3: str
    family: str
    script: str
    cc100_gib: float
    syntax_distance_en: float
    phonology_distance_en: float
    inventory_distance_en: float
    attested: int
    texts: int | None = None

    @property
    def tatoeba_code(self) -> str:
        """The ISO 639-3 code in Tatoeba's file names."""
        return _TATOEBA.get(self.code, self.code3)


@cache
def languages() -> dict[str, Language]:
    """All languages of the benchmarks by ISO 639-1 code, nearest to English first."""
    text = (files("stilts_core") / "facts" / "languages.csv").read_text(encoding="utf-8")
    return {
        row["language"]: Language(
            code=row["language"],
            name=NAMES[row["language"]],
            code3=row["uriel_code"],
            family=row["family"],
            script=row["script"],
            cc100_gib=float(row["cc100_gib"]),
            syntax_distance_en=float(row["syntax_distance_en"]),
            phonology_distance_en=float(row["phonology_distance_en"]),
            inventory_distance_en=float(row["inventory_distance_en"]),
            attested=int(row["attested_syntax_features"]),
        )
        for row in csv.DictReader(text.splitlines())
    }


def language(code: str) -> Language:
    """The facts of one language; raises ConfigError naming the known codes.

    The laboratory's languages have codes of the range that ISO 639-2 leaves to local use; its English is English.
    """
    if code.startswith("q") and code not in languages():
        from stilts_core.sources.lab.languages import LANGUAGES

        if code in LANGUAGES:
            made = LANGUAGES[code]
            distance = made.distance
            return Language(
                code, made.name, code, FAMILY, made.script.name, 0.0, distance, math.nan, math.nan, 0, made.texts
            )
    if code not in languages():
        raise ConfigError(f"no language '{code}' in the benchmarks; known: {' '.join(sorted(languages()))}")
    return languages()[code]
