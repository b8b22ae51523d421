"""Add a language to the laboratory for the lifetime of a process: a class edits it, then pretrains an encoder on it."""

from stilts_core.errors import DataError, shown
from stilts_core.laboratory import generator
from stilts_core.laboratory.language.design import CLOSED, CLUSTERED, CODES, LANGUAGES, NASAL, OPEN, LabLanguage
from stilts_core.laboratory.language.grammar import VALUES, Grammar
from stilts_core.laboratory.language.scripts import ABJAD, CYRILLIC, GREEK, LATIN, SPACELESS

SCRIPTS = {script.name: script for script in (LATIN, CYRILLIC, GREEK, ABJAD, SPACELESS)}
SOUNDS = {"open": OPEN, "nasal": NASAL, "closed": CLOSED, "clustered": CLUSTERED}
CODE = "qta"


def invent(
    name: str, *, code: str = CODE, script: str = "Latin", sounds: str = "open", cognates: int = 50,
    texts: int = 10_000, **grammar: str,
) -> LabLanguage:  # fmt: skip
    """Add a language, or replace the one with the same code; all tasks and texts can then be generated in it.

    `grammar` holds parameters of `Grammar`. Parameters that are left out are as in English, except the auxiliary, which
    no invented language has. The words stay the same where only the grammar changes.

    Raises DataError, which lists the choices, for an unknown value or a code of one of the laboratory's own languages.
    """
    _check(code, script, sounds, cognates, texts)
    if unknown := sorted(grammar.keys() - VALUES.keys()):
        raise DataError(f"a grammar has no parameter {unknown[0]!r}; choose one of {', '.join(VALUES)}")
    try:
        built = Grammar(**{"auxiliary": "none"} | grammar)
    except ValueError as error:
        raise DataError(str(error)) from None
    LANGUAGES[code] = LabLanguage(code, name, texts, SCRIPTS[script], cognates, SOUNDS[sounds], built)
    generator.get_realiser.cache_clear()
    return LANGUAGES[code]


def _check(code: str, script: str, sounds: str, cognates: int, texts: int) -> None:
    if code in CODES or not (len(code) == 3 and "qaa" <= code <= "qtz"):
        raise DataError(f"code is {code!r}; choose one from qaa to qtz other than {', '.join(CODES[1:])}")
    for parameter, value, choices in (("script", script, [*SCRIPTS]), ("sounds", sounds, [*SOUNDS])):
        if value not in choices:
            raise DataError(f"{parameter} is {value!r}; choose one of {', '.join(choices)}")
    if not (isinstance(cognates, int) and 0 <= cognates <= 100):
        raise DataError(f"cognates is {shown(cognates)}; it is a percentage, a whole number from 0 to 100")
    if not (isinstance(texts, int) and texts >= 0):
        raise DataError(f"texts is {shown(texts)}; it must be a whole number, 0 (never seen) or more")
