"""Meanings: what a sentence says, before any language says it.

They are plain tuples: they compare and hash by value, and their repr is the same in every process. Words in them are
concepts, named by English words (see lexicon.py).
"""

from typing import NamedTuple


class Noun(NamedTuple):
    """A thing described: "the two old horses".

    `det` is the, a, some, no, every, "not every", which, a number word, or "" for none.
    """

    noun: str
    det: str = "the"
    adjectives: tuple[str, ...] = ()
    plural: bool = False


class Name(NamedTuple):
    """A thing by its name; `kind` is PER, LOC or ORG, `noun` the common noun in it ("Marlow Bank", "Lake Keld")."""

    parts: tuple[str, ...]
    kind: str
    noun: str = ""


class Pronoun(NamedTuple):
    """he, she, it or they, for what was named before."""

    word: str


class Question(NamedTuple):
    """What is asked for in a role: who, what, where, when, why."""

    word: str


Thing = Noun | Name | Pronoun | Question


class Adjunct(NamedTuple):
    """When or where: "in the garden", "near Keld", or an adverb, whose relation is ""."""

    relation: str
    thing: Thing | str


class Clause(NamedTuple):
    """Who did what to whom, where and when. `verb` "be" says what the agent is: an adjective or a noun, its `state`.

    `moved` is the adjunct, "time" or "place", that stands on the other edge of the clause than is usual; that changes
    the order of words and nothing else. `general` is what holds at all times, not what happened.
    """

    verb: str
    agent: Thing
    patient: Thing | None = None
    recipient: Thing | None = None
    place: Adjunct | Question | None = None
    time: Adjunct | Question | None = None
    state: str | Noun | None = None
    negated: bool = False
    general: bool = False
    moved: str = ""

    @property
    def asked(self) -> str:
        """The role that is asked for, "" in a statement."""
        things = self.agent, self.patient, self.recipient, self.place, self.time
        return next((role for role, thing in zip(ROLES, things, strict=True) if type(thing) is Question), "")


class Joined(NamedTuple):
    """Two clauses: "... and ...", "... but ...", "... because ..."."""

    first: Clause
    word: str
    second: Clause


class Bare(NamedTuple):
    """A question of one word: "Why?", "Then?"."""

    word: str


Sentence = Clause | Joined | Bare

ROLES = ("agent", "patient", "recipient", "place", "time")
WH = {"agent": "who", "patient": "what", "recipient": "who", "place": "where", "time": "when"}


def outline(sentence: Sentence) -> tuple:
    """What of a sentence every language says: without articles, number and the order of adjuncts."""

    def bare(thing):
        return (thing.noun, thing.adjectives) if isinstance(thing, Noun) else thing

    match sentence:
        case Joined(first, word, second):
            return outline(first), word, outline(second)
        case Clause(verb, agent, patient, recipient, place, time, state, negated):
            return verb, bare(agent), bare(patient), bare(recipient), place, time, bare(state), negated
    return sentence
