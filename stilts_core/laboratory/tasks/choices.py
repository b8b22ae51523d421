"""Items of multiple-choice tasks: what happens next, what was the cause, what is generally true, what follows.

The choices are drawn first, then the right one among them, and the context last. So the choices alone do not reveal
which of them is right. The parts of a data set contain different people. If they contained different contexts instead,
some choices would never be right in training, and exactly these would be right in the other parts.
"""

from functools import cache
from typing import NamedTuple

from stilts_core.laboratory.dice import Dice
from stilts_core.laboratory.language.realiser import Realiser
from stilts_core.laboratory.world import knowledge
from stilts_core.laboratory.world.events import draw_event
from stilts_core.laboratory.world.knowledge import CAUSAL_RULES, FACTS, STORIES, Cast, Fact, bind
from stilts_core.laboratory.world.meanings import Adjunct, Bare, Clause, Noun, Sentence
from stilts_core.laboratory.world.participants import people_of
from stilts_core.laboratory.world.splits import draw_for_split, split_of
from stilts_core.laboratory.world.texts import ask_why, use_pronouns
from stilts_core.tasks.examples import ChoiceExample


class ChoiceItem(NamedTuple):
    """A context, a question (or None), the choices (sentences, things or places), and the number of the right one."""

    context: tuple[Sentence, ...]
    question: Sentence | None
    choices: tuple[Clause | Noun | Adjunct, ...]
    label: int

    def to_example(self, number: int, realiser: Realiser) -> ChoiceExample:
        choices = tuple(realiser.text(c) if isinstance(c, Clause) else realiser.phrase_text(c) for c in self.choices)
        question = realiser.text(self.question) if self.question else ""
        context = realiser.text(*self.context)
        return ChoiceExample(str(number), realiser.language.code, context, question, choices, self.label, str(number))


def draw_hellaswag(dice: Dice, split: str) -> ChoiceItem:
    """Draw the beginning of a story and four events: its next event, and the next events of three other stories."""
    stories, label, people = dice.sample(STORIES, 4), dice.below(4), dice.sample(people_of(split), 2)
    casts = [knowledge.draw_cast(dice, story.kind, people) for story in stories]
    ends = [1 + dice.below(len(story.events) - 1) for story in stories]
    choices = tuple(bind(story.events[end], cast) for story, end, cast in zip(stories, ends, casts, strict=True))
    beginning = stories[label].events[max(0, ends[label] - 3) : ends[label]]
    return ChoiceItem(use_pronouns([bind(event, casts[label]) for event in beginning]), None, choices, label)


def draw_copa(dice: Dice, split: str, count: int = 2) -> ChoiceItem:
    """Draw an event and `count` others, one of which is its cause or its effect, as the question asks."""
    rules, people = _draw_unrelated_rules(dice, count), dice.sample(people_of(split), 2)
    pairs = [_bind_rule(rule, knowledge.draw_cast(dice, CAUSAL_RULES[rule].kind, people)) for rule in rules]
    label, asks_for_cause = dice.below(count), dice.chance(50)
    choices = tuple(cause if asks_for_cause else effect for cause, effect in pairs)
    context = pairs[label][1] if asks_for_cause else pairs[label][0]
    return ChoiceItem((context,), Bare("why" if asks_for_cause else "then"), choices, label)


def draw_socialiqa(dice: Dice, split: str) -> ChoiceItem:
    """Draw an item as `draw_copa` does, with three choices."""
    return draw_copa(dice, split, 3)


def draw_cosmosqa(dice: Dice, split: str) -> ChoiceItem:
    """Draw a text about two pairs of people, and a question for the cause of one event, which the text leaves out.

    One of the wrong choices is the cause of the other pair's event, so a choice that merely fits the text can be wrong.
    """
    rules = _draw_unrelated_rules(dice, 4)
    one, two, three, four = dice.sample(people_of(split), 4)
    label, other = dice.sample(range(4), 2)
    casts = [knowledge.draw_cast(dice, CAUSAL_RULES[rule].kind, (one, two)) for rule in rules]
    causes, effects = zip(*map(_bind_rule, rules, casts), strict=True)
    other_effect = bind(CAUSAL_RULES[rules[other]].effect, casts[other]._replace(x=three, y=four))
    unrelated = draw_for_split(draw_event, dice, split)
    context = tuple(dice.sample((effects[label], other_effect, unrelated), 3))
    return ChoiceItem(context, ask_why(effects[label]), causes, label)


def _bind_rule(number: int, cast: Cast) -> tuple[Clause, Clause]:
    """Return the cause and the effect of a rule with a cast for its variables."""
    return bind(CAUSAL_RULES[number].cause, cast), bind(CAUSAL_RULES[number].effect, cast)


def _draw_unrelated_rules(dice: Dice, count: int) -> list[int]:
    """Draw the numbers of rules none of which leads to another."""
    while True:
        numbers = dice.sample(range(len(CAUSAL_RULES)), count)
        if not any(a in knowledge.find_ancestors(b) for a in numbers for b in numbers if a != b):
            return numbers


def draw_commonsenseqa(dice: Dice, split: str) -> ChoiceItem:
    """Draw a question about the class of a thing, and five classes. No two parts ask about the same thing.

    All five classes are answers to other questions of the same part, so none is known to be wrong.
    """
    facts = _facts_of(split)
    answers = dice.sample(list(dict.fromkeys(fact.answer for fact in facts)), 5)
    label = dice.below(5)
    fact = dice.pick([fact for fact in facts if fact.answer == answers[label]])
    choices = tuple(knowledge.answer_phrase(fact, answer) for answer in answers)
    return ChoiceItem((), knowledge.ask_fact(fact), choices, label)


@cache
def _facts_of(split: str) -> tuple[Fact, ...]:
    return tuple(fact for fact in FACTS if fact.verb == "be" and split_of(fact) == split)


def draw_logic(dice: Dice, split: str) -> ChoiceItem:
    """Draw an event and four others, one of which follows from it by a chain of causal rules.

    The chain has one rule or two: who did not sleep is tired, and who is tired rests. The text does not state what
    stands between. The wrong choices are the ends of other chains.
    """
    starts, people, label = _draw_unrelated_rules(dice, 4), dice.sample(people_of(split), 2), dice.below(4)
    ends, choices = [], []
    for start in starts:
        successors = [number for number in range(len(CAUSAL_RULES)) if knowledge.leads_to(start, number)]
        end = dice.pick(successors) if successors and dice.chance(75) else start
        cause, effect = _bind_rule(end, knowledge.draw_cast(dice, CAUSAL_RULES[end].kind, people))
        ends.append((end, cause))
        choices.append(effect)
    (end, cause), start = ends[label], starts[label]
    if end != start:
        cause, _ = _bind_rule(start, knowledge.draw_cast(dice, CAUSAL_RULES[start].kind, people))
    return ChoiceItem((cause,), Bare("then"), tuple(choices), label)
