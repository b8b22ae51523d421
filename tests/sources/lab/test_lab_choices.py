from itertools import pairwise

import pytest
from judge import choice_accuracy

from stilts_core.sources import lab
from stilts_core.sources.lab.knowledge import FACTS, LINKS, STORIES
from stilts_core.sources.lab.lexicon import NOUNS
from stilts_core.sources.lab.meanings import Adjunct, Clause, Name, Noun, Pronoun, Question

CHANCE = {"hellaswag": 25, "copa": 50, "socialiqa": 100 / 3, "cosmosqa": 25, "commonsenseqa": 20}


@pytest.mark.parametrize("name", CHANCE)
def test_choices_do_not_tell_which_is_right(name):
    train, dev = (lab.load(name, split, examples=1500).items for split in ("train", "dev"))
    assert abs(choice_accuracy(train, dev) - CHANCE[name]) < 5


@pytest.mark.parametrize("name", CHANCE)
@pytest.mark.parametrize("extreme", [min, max])
def test_length_and_position_of_a_choice_do_not_tell_whether_it_is_right(name, extreme):
    examples = lab.load(name, "train", examples=1500).items
    chosen = [extreme(range(len(e.choices)), key=lambda i: len(e.choices[i])) for e in examples]
    right = [e.label for e in examples]
    assert abs(100 * sum(a == b for a, b in zip(chosen, right, strict=True)) / len(right) - CHANCE[name]) < 5
    assert all(abs(100 * right.count(label) / len(right) - CHANCE[name]) < 5 for label in set(right))


def unified(template, event, names):
    """The names of a template's variables after it has been matched with an event, None where they do not match."""
    if template is None or event is None or isinstance(template, str | bool):
        return names if template == event else None
    if isinstance(template, Name) and template.parts[0] in ("X", "Y"):
        return bound(template.parts[0], event, names)
    if isinstance(template, Noun) and template.noun == "Z" and isinstance(event, Noun):
        return bound("Z", event.noun, names)
    if isinstance(template, Adjunct) and isinstance(event, Adjunct):
        return unified(template.thing, event.thing, names) if template.relation == event.relation else None
    if not isinstance(template, Clause):
        return names if template == event else None
    for one, other in zip(template, event, strict=True):
        if names is not None:
            names = unified(one, other, names)
    return names


def bound(variable, value, names):
    return names | {variable: value} if names.get(variable, value) == value else None


def resolved(text):
    """The events of a text with names for its pronouns: who did the last thing."""
    events = []
    for clause in text:
        events.append(clause._replace(agent=events[-1].agent) if isinstance(clause.agent, Pronoun) else clause)
    return events


def follows(first, second, pairs):
    """Whether some pair of templates matches two events, with the same variables."""
    for one, other, kind in pairs:
        names = unified(one, first, {})
        names = names if names is None else unified(other, second, names)
        if names is not None and ("Z" not in names or NOUNS.is_a(names["Z"], kind)):
            return True
    return False


def test_an_oracle_that_reads_meanings_knows_what_comes_next():
    steps = [(one, other, s.kind) for s in STORIES for one, other in pairwise(s.events)]
    for item in lab.items("hellaswag", "dev", examples=150):
        last = resolved(item.told)[-1]
        assert [follows(last, choice, steps) for choice in item.choices].index(True) == item.label
        assert sum(follows(last, choice, steps) for choice in item.choices) == 1


@pytest.mark.parametrize("name", ["copa", "socialiqa", "xcopa"])
def test_an_oracle_that_reads_meanings_knows_causes_and_effects(name):
    for item in lab.items(name, "test", examples=150):
        (told,) = item.told
        if item.question.word == "why":
            right = [follows(choice, told, LINKS) for choice in item.choices]
        else:
            right = [follows(told, choice, LINKS) for choice in item.choices]
        assert right == [index == item.label for index in range(len(item.choices))]


def test_an_oracle_that_reads_meanings_knows_what_is_asked_about_a_text():
    for item in lab.items("cosmosqa", "dev", examples=150):
        effect = item.question._replace(time=None)
        assert effect in item.told
        right = [follows(choice, effect, LINKS) for choice in item.choices]
        assert right == [index == item.label for index in range(4)]


def test_an_oracle_that_knows_the_facts_answers_every_question_about_them():
    known = {(fact.verb, fact.relation, fact.subject): fact.answer for fact in FACTS}
    assert len(known) == len(FACTS)
    for split in ("train", "dev"):
        for item in lab.items("commonsenseqa", split, examples=500):
            asked = item.question
            places = {
                relation for verb, relation, _ in known if verb == asked.verb and isinstance(asked.place, Question)
            }
            (answer,) = {
                known[key] for key in ((asked.verb, r, asked.agent.noun) for r in places or {""}) if key in known
            }
            assert [choice.noun for choice in item.choices].index(answer) == item.label


def test_no_fact_is_asked_in_two_parts():
    asked = {
        split: {item.question for item in lab.items("commonsenseqa", split, examples=2000)}
        for split in ("train", "dev")
    }
    assert not asked["train"] & asked["dev"]
    assert len(asked["train"]) > 50
