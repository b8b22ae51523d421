from itertools import pairwise

import pytest
from judge import choice_accuracy

from stilts_core.laboratory import generator
from stilts_core.laboratory.world.knowledge import CAUSAL_RULES, FACTS, STORIES
from stilts_core.laboratory.world.lexicon import NOUNS
from stilts_core.laboratory.world.meanings import Adjunct, Clause, Name, Noun, Pronoun, Question

CHANCE = {"hellaswag": 25, "copa": 50, "socialiqa": 100 / 3, "cosmosqa": 25, "commonsenseqa": 20, "logic": 25}


@pytest.mark.parametrize("name", CHANCE)
def test_choices_alone_do_not_reveal_the_right_one(name):
    train, dev = (generator.load(name, split, examples=1500).items for split in ("train", "dev"))
    assert abs(choice_accuracy(train, dev) - CHANCE[name]) < 5


@pytest.mark.parametrize("name", CHANCE)
@pytest.mark.parametrize("extreme", [min, max])
def test_length_and_position_do_not_reveal_the_right_choice(name, extreme):
    examples = generator.load(name, "train", examples=1500).items
    picked = [extreme(range(len(e.choices)), key=lambda i: len(e.choices[i])) for e in examples]
    right = [e.label for e in examples]
    assert abs(100 * sum(a == b for a, b in zip(picked, right, strict=True)) / len(right) - CHANCE[name]) < 5
    assert all(abs(100 * right.count(label) / len(right) - CHANCE[name]) < 5 for label in set(right))


def unify(template, event, values):
    """Return the values of a template's variables after matching it with an event, or None if they do not match."""
    if template is None or event is None or isinstance(template, str | bool):
        return values if template == event else None
    if isinstance(template, Name) and template.parts[0] in ("X", "Y"):
        return bind_variable(template.parts[0], event, values)
    if isinstance(template, Noun) and template.noun == "Z" and isinstance(event, Noun):
        return bind_variable("Z", event.noun, values)
    if isinstance(template, Adjunct) and isinstance(event, Adjunct):
        return unify(template.thing, event.thing, values) if template.relation == event.relation else None
    if not isinstance(template, Clause):
        return values if template == event else None
    for one, other in zip(template, event, strict=True):
        if values is not None:
            values = unify(one, other, values)
    return values


def bind_variable(variable, value, values):
    return values | {variable: value} if values.get(variable, value) == value else None


def resolve_pronouns(text):
    """Replace every pronoun by the agent of the event before."""
    events = []
    for clause in text:
        events.append(clause._replace(agent=events[-1].agent) if isinstance(clause.agent, Pronoun) else clause)
    return events


def follows(first, second, pairs):
    """Whether one of the (template, template, kind) pairs matches two events with the same values of its variables."""
    for one, other, kind in pairs:
        values = unify(one, first, {})
        values = values if values is None else unify(other, second, values)
        if values is not None and ("Z" not in values or NOUNS.is_a(values["Z"], kind)):
            return True
    return False


def test_oracle_on_meanings_finds_the_next_event():
    steps = [(one, other, s.kind) for s in STORIES for one, other in pairwise(s.events)]
    for item in generator.draw_items("hellaswag", "dev", examples=150):
        last = resolve_pronouns(item.context)[-1]
        assert [follows(last, choice, steps) for choice in item.choices].index(True) == item.label
        assert sum(follows(last, choice, steps) for choice in item.choices) == 1


@pytest.mark.parametrize("name", ["copa", "socialiqa", "xcopa"])
def test_oracle_on_meanings_finds_the_cause_or_the_effect(name):
    for item in generator.draw_items(name, "test", examples=150):
        (event,) = item.context
        if item.question.word == "why":
            right = [follows(choice, event, CAUSAL_RULES) for choice in item.choices]
        else:
            right = [follows(event, choice, CAUSAL_RULES) for choice in item.choices]
        assert right == [index == item.label for index in range(len(item.choices))]


def test_oracle_on_meanings_finds_the_cause_that_a_text_leaves_out():
    for item in generator.draw_items("cosmosqa", "dev", examples=150):
        effect = item.question._replace(time=None)
        assert effect in item.context
        right = [follows(choice, effect, CAUSAL_RULES) for choice in item.choices]
        assert right == [index == item.label for index in range(4)]


def test_oracle_on_facts_answers_every_question_about_them():
    known = {(fact.verb, fact.relation, fact.subject): fact.answer for fact in FACTS}
    assert len(known) == len(FACTS)
    for split in ("train", "dev"):
        for item in generator.draw_items("commonsenseqa", split, examples=500):
            question = item.question
            adpositions = {""}
            if isinstance(question.place, Question):
                adpositions = {relation for verb, relation, _ in known if verb == question.verb}
            keys = [(question.verb, relation, question.agent.noun) for relation in adpositions]
            (answer,) = {known[key] for key in keys if key in known}
            assert [choice.noun for choice in item.choices].index(answer) == item.label


def test_no_two_parts_ask_about_the_same_fact():
    questions = {
        split: {item.question for item in generator.draw_items("commonsenseqa", split, examples=2000)}
        for split in ("train", "dev")
    }
    assert not questions["train"] & questions["dev"]
    assert len(questions["train"]) > 50


def follows_by_chain(event, other):
    """Whether one event follows from another by one causal rule, or by two with a person's state between them."""
    if follows(event, other, CAUSAL_RULES):
        return True
    for rule in CAUSAL_RULES:
        values = unify(rule.cause, event, {})
        of_its_class = values is not None and ("Z" not in values or NOUNS.is_a(values["Z"], rule.kind))
        if of_its_class and rule.effect.verb == "be":
            state = rule.effect._replace(agent=values.get(rule.effect.agent.parts[0], other.agent))
            if follows(state, other, CAUSAL_RULES):
                return True
    return False


def test_oracle_on_chains_finds_what_follows():
    direct = 0
    for item in generator.draw_items("logic", "dev", examples=300):
        (event,) = item.context
        right = [follows_by_chain(event, choice) for choice in item.choices]
        assert right == [index == item.label for index in range(4)]
        direct += follows(event, item.choices[item.label], CAUSAL_RULES)
    assert 100 < direct < 270  # the others need two rules
