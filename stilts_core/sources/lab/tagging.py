"""Tagged sentences: parts of speech, supertags and names, all from the derivation."""

from typing import NamedTuple

from stilts_core.families.examples import TaggingExample
from stilts_core.sources.lab import worlds
from stilts_core.sources.lab.dice import Dice
from stilts_core.sources.lab.meanings import Clause, Name, Sentence
from stilts_core.sources.lab.realise import Realiser


class Tagged(NamedTuple):
    """A sentence, and which of its words' properties are the tags: upos, category or entity."""

    told: Sentence
    tags: str

    def example(self, number: int, said: Realiser) -> TaggingExample:
        tokens = said.tokens(self.told)
        words, tags = (tuple(getattr(token, name) for token in tokens) for name in ("form", self.tags))
        return TaggingExample(str(number), said.language.code, words, tags, str(number))


def udpos(dice: Dice, split: str) -> Tagged:
    """A sentence with universal parts of speech."""
    return Tagged(_sentence(dice, split), "upos")


def ccg(dice: Dice, split: str) -> Tagged:
    """A sentence with its supertags."""
    return Tagged(_sentence(dice, split), "category")


def panx(dice: Dice, split: str) -> Tagged:
    """An event with one name or more: people, places and companies, tagged in IOB2."""
    event = worlds.owned(_event_of_names, dice, split)
    while not any(isinstance(thing, Name) for thing in _things(event)):
        event = worlds.owned(_event_of_names, dice, split)
    return Tagged(event, "entity")


def _sentence(dice: Dice, split: str) -> Sentence:
    """The first sentence of a text, of any kind but what is always so, which all parts know."""
    sentence = worlds.text(dice, split)[0]
    while isinstance(sentence, Clause) and sentence.general:
        sentence = worlds.text(dice, split)[0]
    return sentence


def _event_of_names(dice: Dice) -> Clause:
    """An event with more places and companies by name than other texts have."""
    event = worlds.event(dice)
    if isinstance(event.agent, Name) and dice.chance(33):
        event = event._replace(agent=worlds.company(dice))
    return event._replace(place=worlds.named_place(dice)) if dice.chance(33) else event


def _things(event: Clause) -> tuple:
    return event.agent, event.patient, event.recipient, event.place and event.place.thing
