"""Multiple choice: what happens next, what was the cause, what is always so.

The choices are drawn first and then the right one among them, before the context is made: so nothing in the choices
tells which is right. Parts differ in the people they tell of. (Had each part its own contexts instead, then of what a
person can do next some would never be right in training, and just that would be right in the other parts.)
"""

from functools import cache
from typing import NamedTuple

from stilts_core.families.examples import ChoiceExample
from stilts_core.sources.lab import knowledge, worlds
from stilts_core.sources.lab.dice import Dice, part_of
from stilts_core.sources.lab.knowledge import FACTS, LINKS, STORIES, Cast, Fact, bind
from stilts_core.sources.lab.meanings import Adjunct, Bare, Clause, Noun, Sentence
from stilts_core.sources.lab.realise import Realiser


class Choice(NamedTuple):
    """A context, a question or None, the choices (sentences, things or places), and the number of the right one."""

    told: tuple[Sentence, ...]
    question: Sentence | None
    choices: tuple[Clause | Noun | Adjunct, ...]
    label: int

    def example(self, number: int, said: Realiser) -> ChoiceExample:
        choices = tuple(said.text(c) if isinstance(c, Clause) else said.name_of(c) for c in self.choices)
        question = said.text(self.question) if self.question else ""
        return ChoiceExample(
            str(number), said.language.code, said.text(*self.told), question, choices, self.label, str(number)
        )


def hellaswag(dice: Dice, split: str) -> Choice:
    """The beginning of a story and four events, one of which comes next; the others come next in other stories."""
    chosen, label, people = dice.sample(STORIES, 4), dice.below(4), dice.sample(worlds.citizens(split), 2)
    casts = [knowledge.cast(dice, story.kind, people) for story in chosen]
    ends = [1 + dice.below(len(story.events) - 1) for story in chosen]
    choices = tuple(bind(story.events[end], cast) for story, end, cast in zip(chosen, ends, casts, strict=True))
    before = chosen[label].events[max(0, ends[label] - 3) : ends[label]]
    return Choice(worlds.told([bind(event, casts[label]) for event in before]), None, choices, label)


def copa(dice: Dice, split: str, count: int = 2) -> Choice:
    """An event and two others, one of which is its cause or its effect, as the question asks."""
    numbers, people = _unrelated(dice, count), dice.sample(worlds.citizens(split), 2)
    linked = [_bound(number, knowledge.cast(dice, LINKS[number].kind, people)) for number in numbers]
    label, backwards = dice.below(count), dice.chance(50)
    choices = tuple(pair[0] if backwards else pair[1] for pair in linked)
    told = linked[label][1] if backwards else linked[label][0]
    return Choice((told,), Bare("why" if backwards else "then"), choices, label)


def socialiqa(dice: Dice, split: str) -> Choice:
    """The same with three choices."""
    return copa(dice, split, 3)


def cosmosqa(dice: Dice, split: str) -> Choice:
    """Two people's affairs in one text, and a question for the cause of one, which the text leaves out.

    Among the four choices is the cause of the other's, too: it is not enough that a choice suits the text.
    """
    numbers = _unrelated(dice, 4)
    one, two, three, four = dice.sample(worlds.citizens(split), 4)
    label, other = dice.sample(range(4), 2)
    things = [knowledge.cast(dice, LINKS[number].kind, (one, two)) for number in numbers]
    causes, effects = zip(*map(_bound, numbers, things), strict=True)
    beside = bind(LINKS[numbers[other]].effect, things[other]._replace(x=three, y=four))
    third = worlds.owned(worlds.event, dice, split)
    told = tuple(dice.sample((effects[label], beside, third), 3))
    return Choice(told, worlds.why(effects[label]), causes, label)


def _bound(number: int, cast: Cast) -> tuple[Clause, Clause]:
    return bind(LINKS[number].cause, cast), bind(LINKS[number].effect, cast)


def _unrelated(dice: Dice, count: int) -> list[int]:
    """Rules none of which leads to another."""
    while True:
        numbers = dice.sample(range(len(LINKS)), count)
        if not any(a in knowledge.ancestors(b) for a in numbers for b in numbers if a != b):
            return numbers


def commonsenseqa(dice: Dice, split: str) -> Choice:
    """What something is, with five kinds to choose from; what is asked in one part is asked in no other.

    All five are answers to questions of this part: so none is known to be wrong.
    """
    asked = _facts(split)
    answers = dice.sample(list(dict.fromkeys(fact.answer for fact in asked)), 5)
    label = dice.below(5)
    fact = dice.pick([fact for fact in asked if fact.answer == answers[label]])
    return Choice((), knowledge.asked(fact), tuple(knowledge.answer(fact, other) for other in answers), label)


@cache
def _facts(split: str) -> tuple[Fact, ...]:
    return tuple(fact for fact in FACTS if fact.verb == "be" and part_of(fact) == split)
