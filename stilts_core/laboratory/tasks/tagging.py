"""Items of tagging tasks: parts of speech, supertags and names, all of which the realiser derives."""

from collections.abc import Callable
from typing import NamedTuple

from stilts_core.laboratory.dice import Dice
from stilts_core.laboratory.language.realiser import Realiser
from stilts_core.laboratory.world.events import draw_event
from stilts_core.laboratory.world.meanings import Adjunct, Clause, Name, Sentence
from stilts_core.laboratory.world.participants import draw_company, draw_named_place
from stilts_core.laboratory.world.splits import draw_for_split
from stilts_core.laboratory.world.texts import draw_text
from stilts_core.tasks.examples import TaggingExample


class TaggingItem(NamedTuple):
    """A sentence, and the field of its tokens that holds the tags: 'upos', 'category' or 'entity'."""

    sentence: Sentence
    tag_field: str

    def to_example(self, number: int, realiser: Realiser) -> TaggingExample:
        tokens = realiser.tokens(self.sentence)
        words, tags = (tuple(getattr(token, field) for token in tokens) for field in ("form", self.tag_field))
        return TaggingExample(str(number), realiser.language.code, words, tags, str(number))


def draw_udpos(dice: Dice, split: str) -> TaggingItem:
    """Draw a sentence to be tagged with universal parts of speech."""
    return TaggingItem(_draw_sentence(dice, split), "upos")


def draw_ccg(dice: Dice, split: str) -> TaggingItem:
    """Draw a sentence to be tagged with supertags."""
    return TaggingItem(_draw_sentence(dice, split), "category")


def draw_panx(dice: Dice, split: str) -> TaggingItem:
    """Draw an event with at least one name, to be tagged with people, places and organisations in IOB2."""
    return TaggingItem(draw_named_event(dice, split), "entity")


def draw_named_event(
    dice: Dice, split: str, change: Callable[[Dice, Clause], Clause] = lambda _, event: event
) -> Clause:
    """Draw an event with at least one name; `change` changes each event before it is assigned to a part."""

    def draw(dice: Dice) -> Clause:
        return change(dice, _draw_event_with_names(dice))

    event = draw_for_split(draw, dice, split)
    while not _has_name(event):
        event = draw_for_split(draw, dice, split)
    return event


def _draw_sentence(dice: Dice, split: str) -> Sentence:
    """Draw the first sentence of a text that is not a general truth, as these occur in all parts."""
    sentence = draw_text(dice, split)[0]
    while isinstance(sentence, Clause) and sentence.general:
        sentence = draw_text(dice, split)[0]
    return sentence


def _draw_event_with_names(dice: Dice) -> Clause:
    """Draw an event with more named places and organisations than other texts have."""
    event = draw_event(dice)
    if isinstance(event.agent, Name) and dice.chance(33):
        event = event._replace(agent=draw_company(dice))
    return event._replace(place=draw_named_place(dice)) if dice.chance(33) else event


def _has_name(event: Clause) -> bool:
    place = event.place.thing if isinstance(event.place, Adjunct) else None
    return any(isinstance(thing, Name) for thing in (event.agent, event.patient, event.recipient, place))
