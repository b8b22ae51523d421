"""The labels of NLI are compared with models: small worlds in which statements are true or false."""

import pytest

from stilts_core.laboratory.dice import Dice
from stilts_core.laboratory.generator import get_realiser
from stilts_core.laboratory.tasks import pairs
from stilts_core.laboratory.world import entailment
from stilts_core.laboratory.world.entailment import infer_label
from stilts_core.laboratory.world.lexicon import NOUNS, adjectives_of, sense
from stilts_core.laboratory.world.meanings import Adjunct, Clause, Name, Noun
from stilts_core.tasks.catalogue import NLI

ROLES = ("patient", "recipient", "place", "time")


def draw_individual(dice, thing):
    """Draw an individual that a description fits: its name, or (its noun, its properties)."""
    if not isinstance(thing, Noun):
        return thing
    noun = dice.pick(NOUNS.leaves(thing.noun))
    more = [word for word in adjectives_of(noun) if dice.chance(30)]
    return noun, frozenset(map(sense, (*thing.adjectives, *more)))


def fits(individual, thing):
    if isinstance(thing, Noun):
        if isinstance(individual, Name):
            return thing.noun == "person" and not thing.adjectives
        return NOUNS.is_a(individual[0], thing.noun) and {sense(word) for word in thing.adjectives} <= individual[1]
    return individual == thing


def draw_event_of(dice, agent, clause):
    """Draw an event that makes a clause true for an agent."""
    return agent, {role: draw_individual(dice, getattr(clause, role)) for role in ROLES}


def is_instance(event, clause):
    for role in ROLES:
        required, thing = getattr(clause, role), event[1][role]
        if required is None:
            continue
        if thing is None or not (thing == required if isinstance(required, Adjunct) else fits(thing, required)):
            return False
    return True


def is_true(statement, people, events):
    agent = statement.agent
    members = [person for person in people if fits(person, agent)]
    did = [any(event[0] == person and is_instance(event, statement) for event in events) for person in members]
    if isinstance(agent, Noun):
        return {"some": any(did), "no": not any(did), "every": all(did), "not every": not all(did)}[agent.det]
    return any(did) != statement.negated


def models(premise, hypothesis, count):
    """Yield small worlds, (people, events), with people and events that are similar to those of the statements."""
    clauses = (premise, hypothesis)
    for number in range(count):
        dice = Dice("model", number)
        people = list(dict.fromkeys(draw_individual(dice, dice.pick(clauses).agent) for _ in range(1 + dice.below(4))))
        people += [draw_individual(dice, clause.agent) for clause in clauses]
        people = list(dict.fromkeys(people))
        share = dice.pick((0, 30, 60, 100))
        events, common = [], dice.pick((None, *clauses))
        for person in people:
            if common:
                events.append(draw_event_of(dice, person, common))
            for _ in range(dice.below(3)):
                if dice.chance(share):
                    clause = dice.pick(clauses)
                    less = dice.pick((None, *ROLES))
                    clause = clause._replace(**{less: getattr(dice.pick(clauses), less)}) if less else clause
                    events.append(draw_event_of(dice, person, clause))
        yield people, events


def draw_items(count):
    return [pairs.draw_mnli(Dice("models", number), "train") for number in range(count)]


def outcomes(premise, hypothesis, count):
    """Return the truth values of the hypothesis in models in which the premise is true."""
    values = set()
    for model in models(premise, hypothesis, count):
        if is_true(premise, *model):
            values.add(is_true(hypothesis, *model))
        if len(values) == 2:
            break
    return values


def test_entailments_and_contradictions_hold_in_every_model():
    for item in draw_items(150):
        if item.label != "neutral":
            premise, hypothesis = item.first[0], item.second
            expected = {item.label == "entailment"}
            assert outcomes(premise, hypothesis, 150) == expected, get_realiser("en").text(premise, hypothesis)


def test_neutral_hypotheses_are_true_in_one_model_and_false_in_another():
    for item in draw_items(150):
        if item.label == "neutral":
            premise, hypothesis = item.first[0], item.second
            assert outcomes(premise, hypothesis, 3000) == {True, False}, get_realiser("en").text(premise, hypothesis)


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
def test_quantifiers_obey_the_square_of_opposition(premise, hypothesis, label):
    agents = (Noun(noun, det) for det, noun in (text.rsplit(" ", 1) for text in (premise, hypothesis)))
    assert infer_label(*(Clause("sleep", agent) for agent in agents)) == label


def test_double_negation_restores_the_statement():
    for item in draw_items(100):
        assert entailment.negate(entailment.negate(item.second)) == item.second


def test_every_hypothesis_has_premises_with_every_label():
    for number in range(60):
        hypothesis = entailment.draw_hypothesis(Dice("hypothesis", number))
        for label in NLI:
            premise = entailment.draw_premise(Dice("premise", number), hypothesis, label)
            assert infer_label(premise, hypothesis) == label and premise != hypothesis
