"""The inverse of writing in a script: an oracle for the writing systems."""

from stilts_core.laboratory.language.scripts import ALPHABET, Script


def transliterate(script: Script, text: str) -> str:
    """Transliterate text in a script into Latin letters; other characters stay the same."""
    pairs = list(zip(script.letters, ALPHABET, strict=True))
    table = {ord(letter): latin for letter, latin in pairs}
    if script.cased:
        table = {ord(letter.upper()): latin.upper() for letter, latin in pairs} | table
    return text.translate(table)
