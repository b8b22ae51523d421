"""Sentence pairs: what follows from what, and what says the same."""

from functools import cache
from typing import NamedTuple

from stilts_core.families.examples import PairExample
from stilts_core.sources.lab import entailment, worlds
from stilts_core.sources.lab.dice import Dice
from stilts_core.sources.lab.lexicon import ALTERNATIVES, NOUNS, VERBS
from stilts_core.sources.lab.meanings import Clause, Joined, Name, Noun, Sentence, Thing
from stilts_core.sources.lab.realise import Realiser


class Pair(NamedTuple):
    """Two texts as meanings, and the relation between them."""

    told: tuple[Sentence, ...]
    second: Sentence
    label: str

    def example(self, number: int, said: Realiser) -> PairExample:
        texts = said.text(*self.told), said.text(self.second)
        return PairExample(str(number), said.language.code, *texts, self.label, str(number))


def mnli(dice: Dice, split: str) -> Pair:
    """A premise and a hypothesis; the hypothesis and then the label are drawn before the premise."""
    while True:
        hypothesis, label = entailment.hypothesis(dice), dice.pick(entailment.LABELS)
        premise = entailment.premise(dice, hypothesis, label)
        if worlds.belongs(premise, split):
            return Pair((premise,), hypothesis, label)


def anli(dice: Dice, split: str) -> Pair:
    """The same with a second sentence in half of the premises, which tells of something else."""
    pair = mnli(dice, split)
    if dice.chance(50):
        return pair
    other = worlds.owned(worlds.event, dice, split)
    while other.verb == pair.second.verb:
        other = worlds.owned(worlds.event, dice, split)
    return pair._replace(told=tuple(dice.sample((*pair.told, other), 2)))


def pawsx(dice: Dice, split: str) -> Pair:
    """Two sentences of the same words that say the same, or in which two participants have changed places.

    The order of adjuncts or clauses always differs, so that only the roles tell (Zhang et al. 2019).
    """
    first = worlds.owned(dice.pick((_of_two_people, _giving, _two_events)), dice, split)
    swapped = dice.chance(50)
    return Pair((first,), reordered(dice, exchanged(first) if swapped else first), "0" if swapped else "1")


def _of_two_people(dice: Dice) -> Clause:
    verb = dice.pick(_between_people())
    return _with_adjunct(dice, Clause(verb, *_different(dice)))


def _giving(dice: Dice) -> Clause:
    verb = dice.pick([verb for verb in worlds.TRANSITIVE if VERBS[verb].recipients])
    agent, recipient = _different(dice)
    return _with_adjunct(dice, Clause(verb, agent, worlds.described(dice, VERBS[verb].patients), recipient))


def _two_events(dice: Dice) -> Joined:
    clauses = []
    for agent in _different(dice):
        verb = dice.pick(_of_people())
        patients = VERBS[verb].patients
        clauses.append(Clause(verb, agent, worlds.described(dice, patients) if patients else None))
    return Joined(clauses[0], "and", clauses[1])


def _with_adjunct(dice: Dice, clause: Clause) -> Clause:
    """The clause with a time, a place or both, one of them perhaps moved."""
    time, place = dice.pick(((True, True), (True, False), (False, True)))
    clause = clause._replace(time=worlds.time(dice) if time else None, place=worlds.place(dice) if place else None)
    return clause._replace(moved=dice.pick(("", *worlds.adjuncts(clause))))


def _different(dice: Dice) -> tuple[Thing, Thing]:
    """Two people, both named or both described."""
    if dice.chance(50):
        return worlds.two_people(dice)
    first, second = dice.sample(worlds.PEOPLE, 2)
    return worlds.described(dice, (first,)), worlds.described(dice, (second,))


@cache
def _between_people() -> tuple[str, ...]:
    """Verbs of one person and another that mean something else the other way round."""
    people = set(worlds.PEOPLE)
    return tuple(
        v for v in worlds.TRANSITIVE if people <= set(VERBS[v].agents) & set(VERBS[v].patients) and v != "meet"
    )


@cache
def _of_people() -> tuple[str, ...]:
    return tuple(verb for verb in worlds.EVENT_VERBS if set(worlds.PEOPLE) <= set(VERBS[verb].agents))


def exchanged(sentence: Clause | Joined) -> Clause | Joined:
    """The sentence with its two people in each other's place."""
    match sentence:
        case Joined(first, word, second):
            return Joined(first._replace(agent=second.agent), word, second._replace(agent=first.agent))
        case Clause(recipient=None):
            return sentence._replace(agent=sentence.patient, patient=sentence.agent)
    return sentence._replace(agent=sentence.recipient, recipient=sentence.agent)


def reordered(dice: Dice, sentence: Clause | Joined) -> Clause | Joined:
    """The same said in another order of clauses or adjuncts."""
    if isinstance(sentence, Joined):
        return Joined(sentence.second, sentence.word, sentence.first)
    return sentence._replace(
        moved=dice.pick([role for role in ("", *worlds.adjuncts(sentence)) if role != sentence.moved])
    )


def qqp(dice: Dice, split: str) -> Pair:
    """Two questions that ask the same in other words, or nearly the same."""
    while True:
        asked, same = worlds.question(dice), dice.chance(50)
        if _replaceable(asked) and _rephrased(dice, asked) != asked:
            first = _rephrased(dice, asked if same else _another(dice, asked))
            if worlds.belongs(first, split):
                return Pair((first,), asked, "1" if same else "0")


def _rephrased(dice: Dice, asked: Clause) -> Clause:
    """The question with synonyms for its words and another order of its adjuncts, where it has any."""

    def said(thing):
        if not isinstance(thing, Noun):
            return thing
        adjectives = tuple(ALTERNATIVES.get(word, word) for word in thing.adjectives)
        return thing._replace(noun=ALTERNATIVES.get(thing.noun, thing.noun), adjectives=adjectives)

    moved = [role for role in worlds.adjuncts(asked) if role != asked.asked]
    return asked._replace(
        verb=ALTERNATIVES.get(asked.verb, asked.verb),
        agent=said(asked.agent),
        patient=said(asked.patient),
        recipient=said(asked.recipient),
        moved=dice.pick(moved) if moved and not asked.moved else "",
    )


def _replaceable(asked: Clause) -> list[str]:
    """The roles of somebody by name or of a thing that has others of its kind beside it."""
    things = {role: getattr(asked, role) for role in ("agent", "patient", "recipient")}
    return [
        role
        for role, thing in things.items()
        if (isinstance(thing, Name) and thing.kind == "PER") or (isinstance(thing, Noun) and _others(asked, role))
    ]


def _others(asked: Clause, role: str) -> tuple[str, ...]:
    nouns, thing = getattr(VERBS[asked.verb], f"{role}s"), getattr(asked, role)
    return tuple(noun for noun in nouns if not NOUNS.is_a(noun, thing.noun))


def _another(dice: Dice, asked: Clause) -> Clause:
    """The question with somebody or something else in one of its roles."""
    role = dice.pick(_replaceable(asked))
    thing = getattr(asked, role)
    if isinstance(thing, Noun):
        return asked._replace(**{role: worlds.described(dice, _others(asked, role))})
    first = dice.pick([name for name in worlds.FIRST_NAMES if name != thing.parts[0]])
    return asked._replace(**{role: thing._replace(parts=(first, *thing.parts[1:]))})
