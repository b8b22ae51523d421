"""What a page about a language shows: its grammar in a table, and sentences glossed word by word."""

from dataclasses import asdict
from typing import NamedTuple

from stilts_core.sources.lab.languages import ENGLISH, Language
from stilts_core.sources.lab.meanings import Adjunct, Clause, Joined, Name, Noun, Pronoun, Question, Sentence
from stilts_core.sources.lab.realise import Realiser

_ANNA, _OTTO = Name(("Anna", "Marlow"), "PER"), Name(("Otto",), "PER")

# Ten sentences that show, one after the other, what the parameters of a grammar do.
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
    """A sentence as it is written, and word by word: in its script, in morphemes, glossed; and what it means."""

    text: str
    words: tuple[str, ...]
    morphemes: tuple[str, ...]
    glosses: tuple[str, ...]
    translation: str


def gloss(said: Realiser, sentence: Sentence) -> Glossed:
    """An interlinear gloss by the Leipzig rules, the morphemes of a word between hyphens in Latin letters."""
    tokens = said.tokens(sentence)
    columns = zip(*((t.form, t.morphemes, t.gloss) for t in tokens if t.upos != "PUNCT"), strict=True)
    return Glossed(said.text(sentence), *columns, Realiser(ENGLISH).text(sentence))


def grammar_table(language: Language) -> list[tuple[str, str, str]]:
    """The grammar as rows: parameter, its value, and English's value where that is another, else ""."""
    english = asdict(ENGLISH.grammar)
    values = asdict(language.grammar).items()
    return [(name, value, english[name] if english[name] != value else "") for name, value in values]
