"""The labels of NLI against models: worlds of individuals and events in which statements are true or false."""

import pytest

from stilts_core.sources.lab import entailment, pairs, realiser
from stilts_core.sources.lab.dice import Dice
from stilts_core.sources.lab.entailment import LABELS, relation
from stilts_core.sources.lab.lexicon import NOUNS, adjectives, sense
from stilts_core.sources.lab.meanings import Adjunct, Clause, Name, Noun

ROLES = ("patient", "recipient", "place", "time")


def described(dice, thing):
    """An individual to which a description applies, at random: (its noun or name, what can be said of it)."""
    if not isinstance(thing, Noun):
        return thing
    noun = dice.pick(NOUNS.below(thing.noun))
    more = [word for word in adjectives(noun) if dice.chance(30)]
    return noun, frozenset(map(sense, (*thing.adjectives, *more)))


def fits(individual, thing):
    if isinstance(thing, Noun):
        if isinstance(individual, Name):
            return thing.noun == "person" and not thing.adjectives
        return NOUNS.is_a(individual[0], thing.noun) and {sense(word) for word in thing.adjectives} <= individual[1]
    return individual == thing


def event_like(dice, agent, clause):
    """An event of which a clause is true, with roles that the clause leaves open filled or not."""
    return agent, {role: described(dice, getattr(clause, role)) for role in ROLES}


def happened(event, clause):
    for role in ROLES:
        wanted, found = getattr(clause, role), event[1][role]
        if wanted is None:
            continue
        if found is None or not (found == wanted if isinstance(wanted, Adjunct) else fits(found, wanted)):
            return False
    return True


def true(statement, people, events):
    agent = statement.agent
    kind = [person for person in people if fits(person, agent)]
    did = [any(event[0] == person and happened(event, statement) for event in events) for person in kind]
    if isinstance(agent, Noun):
        return {"some": any(did), "no": not any(did), "every": all(did), "not every": not all(did)}[agent.det]
    return any(did) != statement.negated


def models(premise, hypothesis, count):
    """Small worlds with somebody of every kind that is spoken of, and events like those spoken of, or a little else."""
    clauses = (premise, hypothesis)
    for number in range(count):
        dice = Dice("model", number)
        people = list(dict.fromkeys(described(dice, dice.pick(clauses).agent) for _ in range(1 + dice.below(4))))
        people += [described(dice, clause.agent) for clause in clauses]
        people = list(dict.fromkeys(people))
        share = dice.pick((0, 30, 60, 100))
        events, common = [], dice.pick((None, *clauses))
        for person in people:
            if common:
                events.append(event_like(dice, person, common))
            for _ in range(dice.below(3)):
                if dice.chance(share):
                    clause = dice.pick(clauses)
                    less = dice.pick((None, *ROLES))
                    clause = clause._replace(**{less: getattr(dice.pick(clauses), less)}) if less else clause
                    events.append(event_like(dice, person, clause))
        yield people, events


def items(count):
    return [pairs.mnli(Dice("models", number), "train") for number in range(count)]


def outcomes(premise, hypothesis, count):
    """The truth values of the hypothesis in the models of the premise, until both have been found."""
    found = set()
    for model in models(premise, hypothesis, count):
        if true(premise, *model):
            found.add(true(hypothesis, *model))
        if len(found) == 2:
            break
    return found


def test_no_model_contradicts_an_entailment_or_a_contradiction():
    for item in items(150):
        if item.label != "neutral":
            premise, hypothesis = item.told[0], item.second
            wanted = {item.label == "entailment"}
            assert outcomes(premise, hypothesis, 150) == wanted, realiser("en").text(premise, hypothesis)


def test_what_is_neutral_is_true_in_one_model_and_false_in_another():
    for item in items(150):
        if item.label == "neutral":
            premise, hypothesis = item.told[0], item.second
            assert outcomes(premise, hypothesis, 3000) == {True, False}, realiser("en").text(premise, hypothesis)


@pytest.mark.parametrize(
    ("premise", "hypothesis", "label"),
    [
        ("every baker", "some worker", "entailment"),
        ("every baker", "every worker", "neutral"),
        ("every worker", "every baker", "entailment"),
        ("some baker", "some worker", "entailment"),
        ("no worker", "some baker", "contradiction"),
        ("no baker", "some worker", "neutral"),
        ("no worker", "not every baker", "entailment"),
        ("not every baker", "every worker", "contradiction"),
        ("some baker", "every baker", "neutral"),
    ],
)
def test_quantifiers_follow_from_each_other_as_in_the_square_of_opposition(premise, hypothesis, label):
    said = (Noun(noun, det) for det, noun in (text.rsplit(" ", 1) for text in (premise, hypothesis)))
    assert relation(*(Clause("sleep", agent) for agent in said)) == label


def test_what_is_denied_twice_is_said_again():
    for item in items(100):
        assert entailment.denied(entailment.denied(item.second)) == item.second


def test_every_label_is_drawn_for_every_hypothesis():
    for number in range(60):
        hypothesis = entailment.hypothesis(Dice("hypothesis", number))
        for label in LABELS:
            found = entailment.premise(Dice("premise", number), hypothesis, label)
            assert relation(found, hypothesis) == label and found != hypothesis
