"""Items of sentence-pair tasks: entailment and paraphrase."""

from collections.abc import Callable
from functools import cache
from typing import NamedTuple

from stilts_core.laboratory.dice import Dice
from stilts_core.laboratory.language.realiser import Realiser
from stilts_core.laboratory.world import entailment
from stilts_core.laboratory.world.events import EVENT_VERBS, TRANSITIVE, draw_event, draw_question
from stilts_core.laboratory.world.lexicon import ALTERNATIVES, NOUNS, VERBS
from stilts_core.laboratory.world.meanings import (
    Clause,
    Joined,
    Name,
    Noun,
    Sentence,
    Thing,
    adjunct_roles,
    with_role,
)
from stilts_core.laboratory.world.participants import (
    FIRST_NAMES,
    PEOPLE,
    draw_noun_phrase,
    draw_place,
    draw_time,
    draw_two_people,
)
from stilts_core.laboratory.world.splits import belongs_to, draw_for_split
from stilts_core.tasks.catalogue import NLI
from stilts_core.tasks.examples import PairExample


class PairItem(NamedTuple):
    """The meanings of two texts, and the relation between them; only the first text may have several sentences."""

    first: tuple[Sentence, ...]
    second: Clause | Joined
    label: str

    def to_example(self, number: int, realiser: Realiser) -> PairExample:
        texts = realiser.text(*self.first), realiser.text(self.second)
        return PairExample(str(number), realiser.language.code, *texts, self.label, str(number))


def draw_mnli(dice: Dice, split: str) -> PairItem:
    """Draw a hypothesis, a label, and a premise for both."""
    while True:
        hypothesis, label = entailment.draw_hypothesis(dice), dice.pick(NLI)
        premise = entailment.draw_premise(dice, hypothesis, label)
        if belongs_to(premise, split):
            return PairItem((premise,), hypothesis, label)


def draw_anli(dice: Dice, split: str) -> PairItem:
    """Draw an item as `draw_mnli` does; half of the premises have a second, unrelated sentence."""
    pair = draw_mnli(dice, split)
    if dice.chance(50):
        return pair
    unrelated = draw_for_split(draw_event, dice, split)
    while isinstance(pair.second, Clause) and unrelated.verb == pair.second.verb:
        unrelated = draw_for_split(draw_event, dice, split)
    return pair._replace(first=tuple(dice.sample((*pair.first, unrelated), 2)))


def draw_pawsx(dice: Dice, split: str) -> PairItem:
    """Draw two sentences with the same words: paraphrases, or two participants have exchanged their roles.

    The order of adjuncts or clauses always differs, so that only the roles decide (Zhang et al. 2019).
    """
    first = draw_for_split(dice.pick(_PAWSX_SENTENCES), dice, split)
    exchanged = dice.chance(50)
    second = reorder(dice, exchange_people(first) if exchanged else first)
    return PairItem((first,), second, "0" if exchanged else "1")


def _draw_transitive(dice: Dice) -> Clause:
    verb = dice.pick(_verbs_between_people())
    agent, patient = _draw_similar_people(dice)
    return _add_adjunct(dice, Clause(verb, agent, patient))


def _draw_ditransitive(dice: Dice) -> Clause:
    verb = dice.pick([verb for verb in TRANSITIVE if VERBS[verb].recipients])
    agent, recipient = _draw_similar_people(dice)
    return _add_adjunct(dice, Clause(verb, agent, draw_noun_phrase(dice, VERBS[verb].patients), recipient))


def _draw_joined(dice: Dice) -> Joined:
    clauses = []
    for agent in _draw_similar_people(dice):
        verb = dice.pick(_verbs_of_people())
        patients = VERBS[verb].patients
        clauses.append(Clause(verb, agent, draw_noun_phrase(dice, patients) if patients else None))
    return Joined(clauses[0], "and", clauses[1])


_PAWSX_SENTENCES: tuple[Callable[[Dice], Clause | Joined], ...] = (_draw_transitive, _draw_ditransitive, _draw_joined)


def _add_adjunct(dice: Dice, clause: Clause) -> Clause:
    """Add a time, a place or both, and perhaps move one of them."""
    has_time, has_place = dice.pick(((True, True), (True, False), (False, True)))
    time, place = draw_time(dice) if has_time else None, draw_place(dice) if has_place else None
    clause = clause._replace(time=time, place=place)
    return clause._replace(moved=dice.pick(("", *adjunct_roles(clause))))


def _draw_similar_people(dice: Dice) -> tuple[Thing, Thing]:
    """Draw two people, both named or both described."""
    if dice.chance(50):
        return draw_two_people(dice)
    first, second = dice.sample(PEOPLE, 2)
    return draw_noun_phrase(dice, (first,)), draw_noun_phrase(dice, (second,))


@cache
def _verbs_between_people() -> tuple[str, ...]:
    """List the verbs with a person as agent and as patient, without "meet", whose roles can be exchanged freely."""
    people = set(PEOPLE)
    return tuple(v for v in TRANSITIVE if people <= set(VERBS[v].agents) & set(VERBS[v].patients) and v != "meet")


@cache
def _verbs_of_people() -> tuple[str, ...]:
    return tuple(verb for verb in EVENT_VERBS if set(PEOPLE) <= set(VERBS[verb].agents))


def exchange_people(sentence: Clause | Joined) -> Clause | Joined:
    """Exchange the two people of a sentence: agent and recipient, agent and patient, or the agents of two clauses."""
    if isinstance(sentence, Joined):
        first, word, second = sentence
        return Joined(first._replace(agent=second.agent), word, second._replace(agent=first.agent))
    role = "recipient" if sentence.recipient else "patient"
    return with_role(sentence, role, sentence.agent)._replace(agent=getattr(sentence, role))


def reorder(dice: Dice, sentence: Clause | Joined) -> Clause | Joined:
    """Change the order of the clauses or of the adjuncts."""
    if isinstance(sentence, Joined):
        return Joined(sentence.second, sentence.word, sentence.first)
    positions = [role for role in ("", *adjunct_roles(sentence)) if role != sentence.moved]
    return sentence._replace(moved=dice.pick(positions))


def draw_qqp(dice: Dice, split: str) -> PairItem:
    """Draw two questions: paraphrases, or questions that differ in one participant."""
    while True:
        question, same = draw_question(dice), dice.chance(50)
        if _replaceable_roles(question) and _paraphrase(dice, question) != question:
            first = _paraphrase(dice, question if same else _replace_participant(dice, question))
            if belongs_to(first, split):
                return PairItem((first,), question, "1" if same else "0")


def _paraphrase(dice: Dice, question: Clause) -> Clause:
    """Replace words by their synonyms, and change the order of the adjuncts, where there are any."""
    movable = [role for role in adjunct_roles(question) if role != question.asked_role]
    return question._replace(
        verb=ALTERNATIVES.get(question.verb, question.verb),
        agent=_use_synonyms(question.agent),
        patient=question.patient and _use_synonyms(question.patient),
        recipient=question.recipient and _use_synonyms(question.recipient),
        moved=dice.pick(movable) if movable and not question.moved else "",
    )


def _use_synonyms(thing: Thing) -> Thing:
    if not isinstance(thing, Noun):
        return thing
    adjectives = tuple(ALTERNATIVES.get(word, word) for word in thing.adjectives)
    return thing._replace(noun=ALTERNATIVES.get(thing.noun, thing.noun), adjectives=adjectives)


def _replaceable_roles(question: Clause) -> list[str]:
    """List the roles of a named person, or of a thing that the verb allows other things for."""
    things = {role: getattr(question, role) for role in ("agent", "patient", "recipient")}
    return [
        role
        for role, thing in things.items()
        if (isinstance(thing, Name) and thing.kind == "PER")
        or (isinstance(thing, Noun) and _other_nouns(question.verb, role, thing))
    ]


def _other_nouns(verb: str, role: str, thing: Noun) -> tuple[str, ...]:
    return tuple(noun for noun in getattr(VERBS[verb], f"{role}s") if not NOUNS.is_a(noun, thing.noun))


def _replace_participant(dice: Dice, question: Clause) -> Clause:
    """Put another person or thing into one of the roles of a question."""
    role = dice.pick(_replaceable_roles(question))
    thing = getattr(question, role)
    if isinstance(thing, Noun):
        return with_role(question, role, draw_noun_phrase(dice, _other_nouns(question.verb, role, thing)))
    first = dice.pick([name for name in FIRST_NAMES if name != thing.parts[0]])
    return with_role(question, role, thing._replace(parts=(first, *thing.parts[1:])))
