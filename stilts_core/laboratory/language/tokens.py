"""Tokens: the words of a realised sentence with their tags, and the categories of combinatory categorial grammar."""

from typing import NamedTuple

from stilts_core.laboratory.language.words import Word


class Token(NamedTuple):
    """A word of a sentence with everything its derivation determines.

    `upos` is a universal part of speech, `category` a supertag of combinatory categorial grammar, and `entity` a tag in
    IOB2.
    """

    form: str
    upos: str
    category: str
    entity: str = "O"
    morphemes: str = ""
    gloss: str = ""


Tokens = tuple[Token, ...]
Constituent = tuple[str, Tokens]  # a role ("" for none) and its words

VERB_PHRASE = "S\\NP"  # the category of a verb phrase


def make_token(word: Word, upos: str, category: str, entity: str = "O") -> Token:
    return Token(word.form, upos, category, entity, word.morphemes, word.gloss)


def punctuation(mark: str) -> Constituent:
    return "", (Token(mark, "PUNCT", ".", morphemes=mark, gloss=mark),)


def functor(result: str, argument: str, side: str) -> str:
    """Return the category of a word that takes an argument "before" or "after" it and yields `result`."""
    result, argument = (f"({c})" if "/" in c or "\\" in c else c for c in (result, argument))
    return f"{result}{'/' if side == 'after' else chr(92)}{argument}"


def opposite(side: str) -> str:
    return "before" if side == "after" else "after"
