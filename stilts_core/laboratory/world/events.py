"""Events, states, questions about events, and quantified statements, drawn at random."""

from functools import cache

from stilts_core.laboratory.dice import Dice
from stilts_core.laboratory.world import lexicon
from stilts_core.laboratory.world.lexicon import NOUNS, VERBS, adjectives_of
from stilts_core.laboratory.world.meanings import WH, Clause, Noun, Question, adjunct_roles, with_role
from stilts_core.laboratory.world.participants import (
    PEOPLE,
    draw_company,
    draw_noun_phrase,
    draw_participant,
    draw_person,
    draw_place,
    draw_time,
    vary_word,
)

EVENT_VERBS = tuple(verb for verb in VERBS if verb not in (*lexicon.SYNONYMS, "live", "make", "use"))
TRANSITIVE = tuple(verb for verb in EVENT_VERBS if VERBS[verb].patients)


def draw_event(dice: Dice, verbs: tuple[str, ...] = EVENT_VERBS, *, typical: bool = True) -> Clause:
    """Draw an event, or the denial of one.

    If `typical`, the verb's preferred participants and places are more frequent than others.
    """
    verb = dice.pick(verbs)
    frame = VERBS[verb]

    def neighbours(role: str) -> tuple[str, ...]:
        return (verb, role) if typical else ()

    by_company = verb in ("buy", "sell", "build") and dice.chance(15)
    event = Clause(
        vary_word(dice, verb),
        draw_company(dice) if by_company else draw_participant(dice, frame.agents, *neighbours("agent")),
        draw_participant(dice, frame.patients, *neighbours("patient")) if frame.patients else None,
        draw_participant(dice, frame.recipients, *neighbours("recipient")) if frame.recipients else None,
        draw_place(dice, *neighbours("place")) if dice.chance(45) else None,
        draw_time(dice) if dice.chance(35) else None,
        negated=dice.chance(12),
    )
    return event._replace(moved=dice.pick(("", *adjunct_roles(event)))) if dice.chance(50) else event


def draw_state(dice: Dice) -> Clause:
    """Draw a statement about the state of a person: "Anna was not happy"."""
    agent = draw_person(dice) if dice.chance(50) else draw_noun_phrase(dice, PEOPLE)
    return Clause("be", agent, state=vary_word(dice, dice.pick(lexicon.STATES)), negated=dice.chance(12))


def draw_question(dice: Dice) -> Clause:
    """Draw a question about one role of an event."""
    event = draw_event(dice)._replace(negated=False, moved="")
    return ask_for_role(event, dice.pick(answerable_roles(event)))


def answerable_roles(event: Clause) -> list[str]:
    """List the roles of an event that a question can ask for."""
    return [role for role in WH if getattr(event, role)]


def ask_for_role(event: Clause, role: str) -> Clause:
    """Return the question that asks for a role of an event."""
    word = "who" if role == "patient" and not isinstance(event.patient, Noun) else WH[role]
    return with_role(event, role, Question(word))._replace(moved="")


def draw_quantified_event(dice: Dice) -> Clause:
    """Draw a statement about every, some, no or not every member of a class."""
    verb = dice.pick(EVENT_VERBS)
    classes = [noun for noun in ("person", "worker", "child", "animal", *PEOPLE) if _all_can(noun, verb)]
    event = draw_event(dice, (verb,))
    return event._replace(agent=draw_quantified_noun(dice, dice.pick(classes or VERBS[verb].agents)), negated=False)


@cache
def _all_can(noun: str, verb: str) -> bool:
    return set(NOUNS.leaves(noun)) <= set(VERBS[verb].agents)


def draw_quantified_noun(dice: Dice, noun: str) -> Noun:
    """Draw a quantifier for a noun: every, some, no or not every, with an adjective in one case of four."""
    det = dice.pick(("every", "no", "some", "not every"))
    adjectives = (dice.pick(adjectives_of(noun)),) if dice.chance(25) else ()
    return Noun(noun, det, adjectives, det == "some")
