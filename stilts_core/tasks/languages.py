"""Facts about each language: name, family, script, size of XLM-R's pretraining text, distance to English.

The figures are read from `facts/languages.csv` (URIEL through lang2vec; CC-100 sizes from the XLM-R paper).
"""

from dataclasses import dataclass
from functools import cache

from stilts_core.errors import ConfigError
from stilts_core.tasks.facts import read_facts

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
    # Of the low-resource sets alone
    "am": "Amharic", "aym": "Aymara", "bm": "Bambara", "br": "Breton", "bzd": "Bribri", "ceb": "Cebuano",
    "cni": "Asháninka", "cy": "Welsh", "fo": "Faroese", "ga": "Irish", "gn": "Guarani", "gsw": "Swiss German",
    "ha": "Hausa", "hch": "Wixarika", "hsb": "Upper Sorbian", "hy": "Armenian", "ig": "Igbo",
    "kmr": "Northern Kurdish", "ky": "Kyrgyz", "mt": "Maltese", "nah": "Nahuatl", "oto": "Otomi",
    "pcm": "Nigerian Pidgin", "quc": "K'iche'", "quy": "Ayacucho Quechua", "rw": "Kinyarwanda",
    "shp": "Shipibo-Konibo", "si": "Sinhala", "sn": "Shona", "sq": "Albanian", "tar": "Rarámuri", "ug": "Uyghur",
    "xh": "Xhosa", "zu": "Zulu",
}  # fmt: skip

# Tatoeba and Masakhane name the macrolanguage where URIEL names one of its members; Tatoeba's Swahili is the member.
_TATOEBA = {"ar": "ara", "az": "aze", "et": "est"}
_MASAKHANE = {"sw": "swa"}


@dataclass(frozen=True)
class Language:
    """One language of the benchmarks.

    `cc100_gib` is the size of its text in XLM-R's pretraining in GiB (0: never seen). The distances to English are
    cosine distances between URIEL's feature vectors, in [0, 1]. `attested` counts the syntax features, of 103, that a
    source attests; the others are imputed from neighbouring languages. `texts` is the number of pretraining texts of a
    generated language (0: never seen), and None for a real one.
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

    @property
    def masakhane_code(self) -> str:
        """The ISO 639-3 code in Masakhane's folder names."""
        return _MASAKHANE.get(self.code, self.code3)


@cache
def languages() -> dict[str, Language]:
    """All languages of the benchmarks, nearest to English first.

    The key is the ISO 639-1 code, or the publisher's where there is none. Varieties of one language that are scored
    apart have a code each: 'qu' is XCOPA's Quechua (of Cusco), 'quy' that of AmericasNLI (of Ayacucho).
    """
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
        for row in read_facts("languages")
    }


def get_language(code: str) -> Language:
    """The facts of one language of the benchmarks; raises ConfigError that lists the known codes."""
    if code not in languages():
        raise ConfigError(
            f"no language '{code}' in the benchmarks; known: {' '.join(sorted(languages()))}; to add one, see "
            "'Add a language' in CONTRIBUTING.md"
        )
    return languages()[code]
