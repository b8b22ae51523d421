"""Small worlds: who is there, what happens to whom, where and when, told in short texts.

Everything is drawn by value: the same dice tell the same world, and a meaning belongs to one part (train, dev, test).
"""

import zlib
from collections.abc import Callable
from functools import cache, partial
from typing import TypeVar

from stilts_core.sources.lab import knowledge, lexicon
from stilts_core.sources.lab.dice import Dice, part_of
from stilts_core.sources.lab.lexicon import LISTS, NOUNS, VERBS
from stilts_core.sources.lab.meanings import (
    WH,
    Adjunct,
    Bare,
    Clause,
    Joined,
    Name,
    Noun,
    Pronoun,
    Question,
    Sentence,
    Thing,
    outline,
)

EVENT_VERBS = tuple(verb for verb in VERBS if verb not in (*lexicon.SYNONYMS, "live", "make", "use"))
TRANSITIVE = tuple(verb for verb in EVENT_VERBS if VERBS[verb].patients)
PEOPLE = NOUNS.below("person")
FIRST_NAMES = (*LISTS["women"], *LISTS["men"])

COMPANY = 3  # how many words of a kind go with another

M = TypeVar("M")


def owned(make: Callable[[Dice], M], dice: Dice, split: str) -> M:
    """The first sentence or text that the dice make and that belongs to a part."""
    while not belongs(meaning := make(dice), split):
        pass
    return meaning


def belongs(meaning: Sentence | tuple[Sentence, ...], split: str) -> bool:
    """Whether a part owns a sentence, or all sentences of a text; what is always so belongs to all parts."""
    if type(meaning) is tuple:
        return all(belongs(sentence, split) for sentence in meaning)
    return isinstance(meaning, Bare) or getattr(meaning, "general", False) or part_of(outline(meaning)) == split


@cache
def citizens(split: str) -> tuple[Name, ...]:
    """The people, by first name and family, who live in the worlds of one part only."""
    everybody = (Name((first, family), "PER") for first in FIRST_NAMES for family in LISTS["families"])
    return tuple(name for name in everybody if part_of(name) == split)


def worded(dice: Dice, word: str) -> str:
    """The word or, in one of four cases, its synonym if it has one."""
    return lexicon.OTHER_WORDS[word] if word in lexicon.OTHER_WORDS and dice.chance(25) else word


def person(dice: Dice) -> Name:
    """Somebody by name: one of three with the family's."""
    first = dice.pick(FIRST_NAMES)
    return Name((first, dice.pick(LISTS["families"])) if dice.chance(33) else (first,), "PER")


def two_people(dice: Dice) -> tuple[Name, Name]:
    """Two people with different first names."""
    first, second = dice.sample(FIRST_NAMES, 2)
    return Name((first,), "PER"), Name((second,), "PER")


def pronoun(name: Name) -> Pronoun:
    """She or he, as the first name tells."""
    return Pronoun("she" if name.parts[0] in LISTS["women"] else "he")


def place_name(dice: Dice) -> Name:
    """A town, a lake or a river by its name."""
    town = Name((dice.pick(LISTS["towns"]),), "LOC")
    return town._replace(noun=dice.pick(("lake", "river"))) if dice.chance(25) else town


def company(dice: Dice) -> Name:
    """A bank, a school or another house with the name of a town or a family."""
    return Name((dice.pick(dice.pick((LISTS["families"], LISTS["towns"]))),), "ORG", dice.pick(LISTS["companies"]))


def usual(dice: Dice, options: tuple[str, ...], *beside: str) -> str:
    """One of the options: in three of four cases one of the few that keep company with the words beside.

    Which these are is a matter of the concepts, and so the same in every language: words are known by the company they
    keep (Firth 1957). Without words beside, all options are equally likely.
    """
    return dice.pick(_company(options, beside) if beside and dice.chance(75) else options)


@cache
def _company(options: tuple[str, ...], beside: tuple[str, ...]) -> list[str]:
    return sorted(options, key=lambda option: zlib.crc32(repr((option, beside)).encode()))[:COMPANY]


def described(dice: Dice, nouns: tuple[str, ...], *beside: str) -> Noun:
    """One of the nouns, definite or not, one or several, with or without an adjective."""
    noun = usual(dice, nouns, *beside)
    det, plural = dice.pick(("the", "the", "the", "a", "a", "some", "number")), dice.chance(20)
    company = (noun,) if beside else ()
    adjectives = (worded(dice, usual(dice, lexicon.adjectives(noun), *company)),) if dice.chance(33) else ()
    if noun in lexicon.MASS:
        return Noun(noun, "the" if det == "the" else "some", adjectives)
    if det == "number":
        return Noun(worded(dice, noun), dice.pick(LISTS["numbers"]), adjectives, True)
    if det == "a":
        return Noun(worded(dice, noun), "a", adjectives)
    return Noun(worded(dice, noun), det, adjectives, plural or det == "some")


@cache
def _named(nouns: tuple[str, ...]) -> bool:
    return any(noun in PEOPLE for noun in nouns)


def participant(dice: Dice, nouns: tuple[str, ...], *beside: str) -> Thing:
    """One of the nouns described or, where people can be meant, half of the time somebody by name."""
    return person(dice) if _named(nouns) and dice.chance(50) else described(dice, nouns, *beside)


def place(dice: Dice, *beside: str) -> Adjunct:
    """Where: "in the garden", "near Keld"."""
    if dice.chance(25):
        return named_place(dice)
    relation = usual(dice, tuple(lexicon.PLACES), *beside)
    return Adjunct(relation, Noun(worded(dice, usual(dice, lexicon.PLACES[relation], *beside))))


def named_place(dice: Dice) -> Adjunct:
    """Where, by name: "in Keld", "near Lake Keld"."""
    where = place_name(dice)
    return Adjunct("near" if where.noun else dice.pick(("in", "in", "near")), where)


def time(dice: Dice) -> Adjunct:
    """When: "yesterday", "on Monday", "in the morning"."""
    kind = dice.below(3)
    if kind == 0:
        return Adjunct("", dice.pick(LISTS["adverbs"]))
    if kind == 1:
        return Adjunct("on", dice.pick(LISTS["days"]))
    return Adjunct("in", Noun(dice.pick(NOUNS.below("season"))))


def event(dice: Dice, verbs: tuple[str, ...] = EVENT_VERBS, *, usual: bool = True) -> Clause:
    """Something that happened, or did not; `usual`: mostly with those things and places that go with the verb."""
    verb = dice.pick(verbs)
    frame = VERBS[verb]

    def beside(role: str) -> tuple[str, ...]:
        return (verb, role) if usual else ()

    by_company = verb in ("buy", "sell", "build") and dice.chance(15)
    told = Clause(
        worded(dice, verb),
        company(dice) if by_company else participant(dice, frame.agents, *beside("agent")),
        participant(dice, frame.patients, *beside("patient")) if frame.patients else None,
        participant(dice, frame.recipients, *beside("recipient")) if frame.recipients else None,
        place(dice, *beside("place")) if dice.chance(45) else None,
        time(dice) if dice.chance(35) else None,
        negated=dice.chance(12),
    )
    return told._replace(moved=dice.pick(("", *adjuncts(told)))) if dice.chance(50) else told


def adjuncts(clause: Clause) -> list[str]:
    """The roles of the adjuncts that a clause has."""
    return [role for role in ("place", "time") if getattr(clause, role)]


def state(dice: Dice) -> Clause:
    """How somebody felt."""
    agent = person(dice) if dice.chance(50) else described(dice, PEOPLE)
    return Clause("be", agent, state=worded(dice, dice.pick(lexicon.STATES)), negated=dice.chance(12))


def question(dice: Dice) -> Clause:
    """A question for one role of an event."""
    told = event(dice)._replace(negated=False, moved="")
    roles = [role for role in WH if getattr(told, role)]
    return asking(told, dice.pick(roles))


def asking(told: Clause, role: str) -> Clause:
    """The question for a role of an event."""
    word = WH[role]
    if role == "patient" and not isinstance(told.patient, Noun):
        word = "who"
    return told._replace(**{role: Question(word)}, moved="")


def quantified(dice: Dice) -> Clause:
    """What every, some or no member of a class did."""
    verb = dice.pick(EVENT_VERBS)
    kinds = [noun for noun in ("person", "worker", "child", "animal", *PEOPLE) if _can(verb, noun)]
    told = event(dice, (verb,))
    return told._replace(agent=quantifier(dice, dice.pick(kinds or VERBS[verb].agents)), negated=False)


@cache
def _can(verb: str, noun: str) -> bool:
    return set(NOUNS.below(noun)) <= set(VERBS[verb].agents)


def quantifier(dice: Dice, noun: str) -> Noun:
    """Every, some, no or not every one of a kind."""
    det = dice.pick(("every", "no", "some", "not every"))
    adjectives = (dice.pick(lexicon.adjectives(noun)),) if dice.chance(25) else ()
    return Noun(noun, det, adjectives, det == "some")


def linked(dice: Dice) -> tuple[Clause, Clause]:
    """A cause and its effect, told of two people."""
    link = dice.pick(knowledge.LINKS)
    cast = knowledge.cast(dice, link.kind, two_people(dice))
    return knowledge.bind(link.cause, cast), knowledge.bind(link.effect, cast)


def told(events: list[Clause]) -> tuple[Clause, ...]:
    """The events as a text: who also did the last thing is called she or he."""
    text, last = [], None
    for clause in events:
        again = isinstance(clause.agent, Name) and clause.agent == last
        text.append(clause._replace(agent=pronoun(clause.agent)) if again else clause)
        last = clause.agent
    return tuple(text)


def story(dice: Dice, length: int) -> tuple[Clause, ...]:
    """So many events of a story in their order."""
    chosen = dice.pick(knowledge.STORIES)
    cast = knowledge.cast(dice, chosen.kind, two_people(dice))
    start = dice.below(len(chosen.events) - length + 1)
    return told([knowledge.bind(template, cast) for template in chosen.events[start : start + length]])


def why(effect: Clause) -> Clause:
    """The question for the cause of an event."""
    return effect._replace(time=Question("why"))


def cause(dice: Dice) -> tuple[Sentence, ...]:
    """A cause and its effect, in one sentence, or as question and answer."""
    before, after = linked(dice)
    effect, reason = told([after, before])
    return dice.pick((
        (Joined(effect, "because", reason),),
        (why(after), before),
        (after, Bare("why"), before),
        (before, Bare("then"), after),
    ))  # fmt: skip


def fact(dice: Dice) -> tuple[Sentence, ...]:
    """What is always so, in one of four cases with the question for it."""
    known = dice.pick(knowledge.FACTS)
    return (knowledge.asked(known), knowledge.stated(known)) if dice.chance(25) else (knowledge.stated(known),)


def two_events(dice: Dice) -> tuple[Sentence, ...]:
    """Two events that have nothing to do with each other, in one sentence."""
    return (Joined(event(dice), dice.pick(("and", "but")), event(dice)),)


def answered(dice: Dice) -> tuple[Sentence, ...]:
    """A question for one role of an event, and the event that answers it, alone or beside another."""
    told = event(dice, usual=dice.chance(50))._replace(negated=False)
    asked = asking(told, dice.pick([role for role in WH if getattr(told, role)]))
    both = tuple(dice.sample((told, event(dice)), 2))
    return dice.pick(((asked, told), (asked, *both), (*both, asked, told._replace(moved=""))))


def again(dice: Dice) -> tuple[Sentence, ...]:
    """An event told twice: in another order of its adjuncts, or once without one of them."""
    told = event(dice, usual=dice.chance(50))
    if not adjuncts(told):
        told = told._replace(place=place(dice))
    if dice.chance(50):
        less = told._replace(**{dice.pick(adjuncts(told)): None}, moved="")
    else:
        less = told._replace(moved=dice.pick([role for role in ("", *adjuncts(told)) if role != told.moved]))
    return (told, less) if dice.chance(50) else (less, told)


def _alone(make: Callable[[Dice], Sentence]) -> Callable[[Dice], tuple[Sentence, ...]]:
    return lambda dice: (make(dice),)


# What texts are made of: up to which percentage, what.
_KINDS = (
    (18, _alone(event)),
    (22, _alone(state)),
    (25, _alone(question)),
    (32, _alone(quantified)),
    (39, fact),
    (48, cause),
    (51, two_events),
    (58, partial(story, length=3)),
    (76, answered),
    (100, again),
)


def text(dice: Dice, split: str = "train") -> tuple[Sentence, ...]:
    """One to three sentences as pretraining text has them: mostly events, some of all that the tasks are made of."""
    share = dice.below(100)
    return owned(next(make for upto, make in _KINDS if share < upto), dice, split)
