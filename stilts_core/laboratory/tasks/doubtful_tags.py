"""Tagging tasks that English training data do not solve completely: annotators disagree, and names are ambiguous.

In the first edition English reaches 100 in parts of speech and names. Then English says nothing more about which of
many perfect solutions is better, and the scores of other languages move by chance.
"""

from typing import NamedTuple

from stilts_core.laboratory.dice import Dice
from stilts_core.laboratory.language.realiser import Realiser
from stilts_core.laboratory.tasks.tagging import TaggingItem, draw_named_event, draw_udpos
from stilts_core.laboratory.world.lexicon import WORD_LISTS
from stilts_core.laboratory.world.meanings import ROLES, Adjunct, Clause, Name, with_role
from stilts_core.tasks.examples import TaggingExample

DISAGREEMENT = 4  # percent of the words; annotators of UD agree on 96 to 97 % of the tags of English

# The tag that annotators confuse each tag with.
CONFUSED = {
    "NOUN": "PROPN", "PROPN": "NOUN", "VERB": "ADJ", "ADJ": "VERB", "AUX": "VERB", "DET": "PRON", "PRON": "DET",
    "ADV": "ADP", "ADP": "ADV", "NUM": "ADJ", "PART": "ADV", "CCONJ": "ADV", "SCONJ": "ADP",
}  # fmt: skip

BARE = 75  # percent of the names that lack what reveals their type: the first name, or the common noun
SURNAMES = tuple(dict.fromkeys((*WORD_LISTS["families"], *WORD_LISTS["towns"])))  # of people, towns and organisations
# What people and organisations do, and what is done to people, places and organisations.
COMMON_ACTIONS = {
    "buy", "sell", "build", "send", "give", "show", "bring", "lose", "find", "carry", "repair", "paint", "clean",
    "help", "thank", "visit", "call", "open", "plant",
}  # fmt: skip
COMMON_RECEPTIONS = {"visit", "see", "love", "help", "thank", "follow", "call", "draw"}


class DoubtfulItem(NamedTuple):
    """A sentence whose words are tagged with parts of speech by annotators who sometimes err."""

    sentence: TaggingItem

    def to_example(self, number: int, realiser: Realiser) -> TaggingExample:
        right = self.sentence.to_example(number, realiser)
        dice = Dice("annotator", right.language, number, repr(self.sentence))
        tags = (CONFUSED.get(tag, tag) if dice.chance(DISAGREEMENT) else tag for tag in right.tags or ())
        return TaggingExample(right.id, right.language, right.words, tuple(tags), right.group)


def draw_doubtful_udpos(dice: Dice, split: str) -> DoubtfulItem:
    """Draw a sentence as `draw_udpos` does; DISAGREEMENT percent of its tags are wrong, in every part."""
    return DoubtfulItem(draw_udpos(dice, split))


def draw_doubtful_panx(dice: Dice, split: str) -> TaggingItem:
    """Draw an event with names that are ambiguous: their roles tell whether they are people, places or organisations.

    Some roles do not tell it ("Marlow sold the bread"), so no model of English reaches 100.
    """
    return TaggingItem(draw_named_event(dice, split, _make_ambiguous), "entity")


def _make_ambiguous(dice: Dice, event: Clause) -> Clause:
    """Shorten BARE percent of the names of an event to one word that people, towns and organisations share."""
    for role in ROLES:
        thing = getattr(event, role)
        if isinstance(thing, Name) and dice.chance(BARE):
            event = with_role(event, role, _shorten(dice, event.verb, role))
        elif isinstance(thing, Adjunct) and isinstance(thing.thing, Name) and dice.chance(BARE):
            event = with_role(event, role, Adjunct(dice.pick(("in", "near")), Name((dice.pick(SURNAMES),), "LOC")))
    return event


def _shorten(dice: Dice, verb: str, role: str) -> Name:
    """Draw a name of one word, and a type that the role allows."""
    kinds: tuple[str, ...] = ("PER",)
    if role == "agent" and verb in COMMON_ACTIONS:
        kinds = ("PER", "PER", "ORG")
    elif role == "patient" and verb in COMMON_RECEPTIONS:
        kinds = ("PER", "PER", "LOC", "ORG")
    return Name((dice.pick(SURNAMES),), dice.pick(kinds))
