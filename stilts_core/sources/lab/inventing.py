"""A language of one's own, for as long as a process lasts: what a class edits before it pretrains an encoder on it."""

from stilts_core.sources import lab
from stilts_core.sources.lab.grammar import VALUES, Grammar
from stilts_core.sources.lab.languages import CLOSED, CLUSTERED, CODES, LANGUAGES, NASAL, OPEN, Language
from stilts_core.sources.lab.scripts import ABJAD, CYRILLIC, GREEK, LATIN, SPACELESS
from stilts_core.sources.reading import DataError

SCRIPTS = {script.name: script for script in (LATIN, CYRILLIC, GREEK, ABJAD, SPACELESS)}
SOUNDS = {"open": OPEN, "nasal": NASAL, "closed": CLOSED, "clustered": CLUSTERED}
CODE = "qta"


def invent(
    name: str, *, code: str = CODE, script: str = "Latin", sounds: str = "open", cognates: int = 50,
    texts: int = 10_000, **grammar: str,
) -> Language:  # fmt: skip
    """Add a language to the laboratory, or change the one of that code: all tasks and text are then at hand in it.

    `grammar` holds parameters of `Grammar`; those left out are as in English, but for the auxiliary, which no invented
    language has. A language keeps its words where only its grammar changes.

    Raises DataError naming the choices for a value that is none of them, or a code that the laboratory itself uses.
    """
    if code in CODES or not (len(code) == 3 and "qaa" <= code <= "qtz"):
        raise DataError(f"code is {code!r}; take one from qaa to qtz other than {', '.join(CODES[1:])}")
    for parameter, value, choices in (("script", script, SCRIPTS), ("sounds", sounds, SOUNDS)):
        if value not in choices:
            raise DataError(f"{parameter} is {value!r}; choose one of {', '.join(choices)}")
    if not 0 <= cognates <= 100:
        raise DataError(f"cognates is {cognates}; it is a percentage, from 0 to 100")
    if texts < 0:
        raise DataError(f"texts is {texts}; it must be 0 (never seen) or more")
    if unknown := sorted(grammar.keys() - VALUES.keys()):
        raise DataError(f"a grammar has no parameter {unknown[0]!r}; it has {', '.join(VALUES)}")
    try:
        built = Grammar(**{"auxiliary": "none"} | grammar)
    except ValueError as error:
        raise DataError(str(error)) from None
    LANGUAGES[code] = Language(code, name, texts, SCRIPTS[script], cognates, SOUNDS[sounds], built)
    lab.realiser.cache_clear()
    return LANGUAGES[code]
