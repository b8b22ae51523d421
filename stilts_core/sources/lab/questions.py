"""Questions whose answer is a span of a text, and texts in which nothing but reading finds it."""

from functools import cache, partial
from typing import NamedTuple

from stilts_core.families.examples import SpanExample
from stilts_core.sources.lab import worlds
from stilts_core.sources.lab.dice import Dice
from stilts_core.sources.lab.entailment import narrower
from stilts_core.sources.lab.lexicon import ALTERNATIVES, NOUNS, VERBS, sense
from stilts_core.sources.lab.meanings import Clause, Noun, Question, Thing
from stilts_core.sources.lab.realise import Realiser

_ASKED = ("agent", "patient", "place", "time")
_VERBS = tuple(verb for verb in worlds.TRANSITIVE if not VERBS[verb].recipients)


class Asked(NamedTuple):
    """A text, a question about one of its events, and that event's number, None where the text does not tell."""

    told: tuple[Clause, ...]
    question: Clause
    index: int | None

    def example(self, number: int, said: Realiser) -> SpanExample:
        answers = () if self.index is None else (said.span(self.told, self.index, self.question.asked),)
        context = said.text(*self.told)
        return SpanExample(str(number), said.language.code, said.text(self.question), context, answers, str(number))


def squad(dice: Dice, split: str) -> Asked:
    """Two sentences, one of which answers the question."""
    return _asked(dice, split, sentences=2)


def squad_v2(dice: Dice, split: str) -> Asked:
    """The same; in one of three texts there is no answer."""
    return _asked(dice, split, sentences=2, answered=dice.below(3) > 0)


def mlqa(dice: Dice, split: str) -> Asked:
    """Three sentences."""
    return _asked(dice, split, sentences=3)


def tydiqa(dice: Dice, split: str) -> Asked:
    """Three sentences, and a question in other words, as who asks it has not read them: wider kinds and synonyms."""
    return _asked(dice, split, sentences=3, reworded=True)


def _asked(dice: Dice, split: str, sentences: int, answered: bool = True, reworded: bool = False) -> Asked:
    """A question about an event, and a text of events that differ from it in one of the things that the question names.

    Every sentence has what the question asks for, so that its kind does not give the answer away. A text that does not
    answer the question is one that answers another, which differs from it in one thing.
    """
    role = dice.pick(_ASKED)
    while True:
        asked = worlds.owned(_event, dice, split)
        told = asked if answered else worlds.owned(partial(_near, asked, role), dice, split)
        near = partial(_near, told, role)
        text = tuple(dice.sample([told, *(worlds.owned(near, dice, split) for _ in range(sentences - 1))], sentences))
        question = _reworded(_question(asked, role)) if reworded else _question(asked, role)
        found = [number for number, event in enumerate(text) if answers(event, question)]
        if len({getattr(event, role) for event in text}) == sentences and found == [text.index(told)] * answered:
            return Asked(text, question, found[0] if answered else None)


def _event(dice: Dice) -> Clause:
    """Something done to something, at a place and a time."""
    event = worlds.event(dice, _VERBS, usual=False)
    return event._replace(
        place=worlds.place(dice), time=worlds.time(dice), negated=False, moved=dice.pick(("", "time"))
    )


def _question(told: Clause, role: str) -> Clause:
    """The question for a role: it names the others of agent and patient, without adjectives and numbers."""
    bare = told._replace(agent=_definite(told.agent), patient=_definite(told.patient), place=None, time=None)
    return worlds.asking(bare._replace(**{role: getattr(told, role)}), role)


def _definite(thing: Thing) -> Thing:
    return Noun(thing.noun, "the", (), thing.plural) if isinstance(thing, Noun) else thing


def _reworded(question: Clause) -> Clause:
    """The question with a synonym of the verb and, for a thing, its kind."""

    def wider(thing):
        if not isinstance(thing, Noun):
            return thing
        kind = NOUNS.above[sense(thing.noun)]
        return thing._replace(noun=thing.noun if kind == "thing" else kind)

    return question._replace(
        verb=ALTERNATIVES.get(question.verb, question.verb),
        agent=wider(question.agent),
        patient=wider(question.patient),
    )


def _near(told: Clause, role: str, dice: Dice) -> Clause:
    """Half of the time an event like the one asked for but for one of the things that the question names."""
    event = _event(dice)
    named = [name for name in ("agent", "patient") if name != role]
    if dice.chance(50):
        return event
    change = dice.pick(("verb", *named))
    others = _verbs_between(_noun(told.agent), _noun(told.patient))
    if change == "verb" and len(others) > 1:
        verb = dice.pick([verb for verb in others if verb != sense(told.verb)])
        return _with(dice, event, verb, {name: getattr(told, name) for name in named})
    return _with(dice, event, told.verb, {name: getattr(told, name) for name in named if name != change})


def _with(dice: Dice, event: Clause, verb: str, kept: dict[str, Thing]) -> Clause:
    """The event with another verb and, but for what is kept, others who take part."""
    drawn = {role: worlds.participant(dice, getattr(VERBS[verb], f"{role}s")) for role in ("agent", "patient")}
    return event._replace(verb=verb, **(drawn | kept))


def _noun(thing: Thing) -> str:
    return sense(thing.noun) if isinstance(thing, Noun) else ""


@cache
def _verbs_between(agent: str, patient: str) -> tuple[str, ...]:
    """The verbs for what one noun can do to another; "" is somebody by name."""

    def fits(noun: str, nouns: tuple[str, ...]) -> bool:
        return noun in nouns or (not noun and worlds.PEOPLE[0] in nouns)

    return tuple(v for v in _VERBS if fits(agent, VERBS[v].agents) and fits(patient, VERBS[v].patients))


def answers(event: Clause, question: Clause) -> bool:
    """Whether an event is one that a question asks about."""
    return sense(event.verb) == sense(question.verb) and all(
        isinstance(getattr(question, role), Question) or narrower(getattr(event, role), getattr(question, role))
        for role in ("agent", "patient", "place", "time")
    )
