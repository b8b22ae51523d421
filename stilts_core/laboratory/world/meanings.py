"""Meanings: the content of a sentence, independent of any language.

Meanings are plain tuples. They compare and hash by value, and their repr is the same in every process. The words in
them are concepts, named by English words (see lexicon.py).

The repr of a meaning decides which dataset part it belongs to (see splits.py). Therefore the names of the classes and
fields in this module are part of the laboratory's output: a renamed field would change every data set.
"""

from typing import Any, NamedTuple


class Noun(NamedTuple):
    """A described thing: "the two old horses".

    `det` is the, a, some, no, every, "not every", which, a number word, or "" for no determiner.
    """

    noun: str
    det: str = "the"
    adjectives: tuple[str, ...] = ()
    plural: bool = False


class Name(NamedTuple):
    """A named thing. `kind` is PER, LOC or ORG; `noun` is the common noun in it ("Marlow Bank", "Lake Keld")."""

    parts: tuple[str, ...]
    kind: str
    noun: str = ""


class Pronoun(NamedTuple):
    """A personal pronoun (he, she, it, they) that refers to a thing mentioned before."""

    word: str


class Question(NamedTuple):
    """The question word in the role that a question asks for: who, what, where, when, why."""

    word: str


Thing = Noun | Name | Pronoun | Question


class Adjunct(NamedTuple):
    """A time or a place: "in the garden", "near Keld", or an adverb, whose `relation` is ""."""

    relation: str
    thing: Thing | str


class Clause(NamedTuple):
    """An event: who did what to whom, where and when.

    The verb "be" ascribes a `state`, an adjective or a noun, to the agent. `general` marks what always holds, not what
    happened once. `moved` names the adjunct, "time" or "place", that stands at the unusual edge of the clause; it
    changes the word order and nothing else.
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
    def asked_role(self) -> str:
        """The role that a question asks for, "" in a statement."""
        things = self.agent, self.patient, self.recipient, self.place, self.time
        return next((role for role, thing in zip(ROLES, things, strict=True) if type(thing) is Question), "")


class Joined(NamedTuple):
    """Two clauses joined by "and", "but" or "because"."""

    first: Clause
    word: str
    second: Clause


class Bare(NamedTuple):
    """A question of one word: "Why?", "Then?"."""

    word: str


Sentence = Clause | Joined | Bare
Text = tuple[Sentence, ...]

ROLES = ("agent", "patient", "recipient", "place", "time")
WH = {"agent": "who", "patient": "what", "recipient": "who", "place": "where", "time": "when"}


def with_role(clause: Clause, role: str, thing: Thing | Adjunct | None) -> Clause:
    """Return the clause with `thing` in one of its ROLES; None leaves the role empty."""
    change: dict[str, Any] = {role: thing}  # a type checker cannot know which field a string names
    return clause._replace(**change)


def adjunct_roles(clause: Clause) -> list[str]:
    """List the roles, "place" and "time", that have an adjunct in a clause."""
    return [role for role in ("place", "time") if getattr(clause, role)]


def outline(sentence: Sentence) -> tuple:
    """Return the content that every language expresses: without articles, number and the order of adjuncts."""
    match sentence:
        case Joined(first, word, second):
            return outline(first), word, outline(second)
        case Clause(verb, agent, patient, recipient, place, time, state, negated):
            things = _outline_thing(agent), _outline_thing(patient), _outline_thing(recipient)
            return verb, *things, place, time, _outline_thing(state), negated
    return sentence


def _outline_thing(thing: Thing | str | None) -> tuple | str | None:
    return (thing.noun, thing.adjectives) if isinstance(thing, Noun) else thing
