"""The facts of any language, generated or real, in one form."""

import math

from stilts_core.laboratory.language.design import LANGUAGES
from stilts_core.tasks.languages import Language
from stilts_core.tasks.languages import get_language as real_language

FAMILY = "Laboratory"  # the language family that tables print for generated languages


def get_language(code: str) -> Language:
    """Return the facts of one language; raises ConfigError that lists the known codes.

    A generated language has its grammar's distance to English as its syntax distance, and no other distance. The
    laboratory's English is English.
    """
    if code == "en" or code not in LANGUAGES:
        return real_language(code)
    generated = LANGUAGES[code]
    return Language(
        code=code,
        name=generated.name,
        code3=code,
        family=FAMILY,
        script=generated.script.name,
        cc100_gib=0.0,
        syntax_distance_en=generated.distance,
        phonology_distance_en=math.nan,
        inventory_distance_en=math.nan,
        attested=0,
        texts=generated.texts,
    )
