"""Interlinear glosses of example sentences, and a table of the grammar, for the page about a language."""

from dataclasses import asdict
from typing import NamedTuple

from stilts_core.laboratory.language.design import ENGLISH, LabLanguage
from stilts_core.laboratory.language.realiser import Realiser
from stilts_core.laboratory.world.meanings import Adjunct, Clause, Joined, Name, Noun, Pronoun, Question, Sentence

_ANNA, _OTTO = Name(("Anna", "Marlow"), "PER"), Name(("Otto",), "PER")

# Ten sentences that together show the effect of every parameter of a grammar.
SENTENCES: tuple[Sentence, ...] = (
    Clause("see", Noun("farmer"), Noun("horse", "a", ("old",))),
    Clause("buy", _ANNA, Noun("apple", "two", ("red",), True), None, Adjunct("in", Noun("garden"))),
    Clause("see", Noun("horse", "the", ("old",), True), Noun("farmer")),
    Clause("give", Noun("teacher", "a"), Noun("book"), _OTTO, None, Adjunct("on", "Monday")),
    Clause("sleep", Noun("dog"), negated=True),
    Clause("buy", Question("who"), Noun("apple", "the", (), True)),
    Clause("find", _OTTO, Noun("key"), place=Question("where")),
    Joined(Clause("cry", _ANNA), "because", Clause("be", Pronoun("she"), state="sad")),
    Clause("visit", Noun("sailor", "not every"), Name(("Keld",), "LOC", "lake")),
    Clause("be", Noun("trout", "", (), True), state=Noun("fish", "", (), True), general=True),
)


class Glossed(NamedTuple):
    """A glossed sentence: its text, word by word the spelling, the morphemes and the gloss, and the translation."""

    text: str
    words: tuple[str, ...]
    morphemes: tuple[str, ...]
    glosses: tuple[str, ...]
    translation: str


def gloss(realiser: Realiser, sentence: Sentence) -> Glossed:
    """Gloss a sentence by the Leipzig glossing rules; hyphens separate the morphemes, which are in Latin letters."""
    tokens = [token for token in realiser.tokens(sentence) if token.upos != "PUNCT"]
    return Glossed(
        realiser.text(sentence),
        tuple(token.form for token in tokens),
        tuple(token.morphemes for token in tokens),
        tuple(token.gloss for token in tokens),
        Realiser(ENGLISH).text(sentence),
    )


def grammar_table(language: LabLanguage) -> list[tuple[str, str, str]]:
    """Return rows of (parameter, its value, the English value); the English value is "" where both are the same."""
    english = asdict(ENGLISH.grammar)
    values = asdict(language.grammar).items()
    return [(name, value, english[name] if english[name] != value else "") for name, value in values]
