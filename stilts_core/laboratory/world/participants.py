"""Participants, places and times of events, drawn at random.

Concepts prefer some neighbours over others. These preferences belong to the concepts, so all languages share them.
"""

import zlib
from functools import cache

from stilts_core.laboratory.dice import Dice
from stilts_core.laboratory.world import lexicon
from stilts_core.laboratory.world.lexicon import NOUNS, WORD_LISTS, adjectives_of
from stilts_core.laboratory.world.meanings import Adjunct, Name, Noun, Pronoun, Thing
from stilts_core.laboratory.world.splits import split_of

PEOPLE = NOUNS.leaves("person")
FIRST_NAMES = (*WORD_LISTS["women"], *WORD_LISTS["men"])

COLLOCATES = 3  # how many of the possible neighbours a concept prefers


@cache
def people_of(split: str) -> tuple[Name, ...]:
    """Return the people, with first name and family name, who occur in one part of the choice tasks only."""
    people = (Name((first, family), "PER") for first in FIRST_NAMES for family in WORD_LISTS["families"])
    return tuple(name for name in people if split_of(name) == split)


def vary_word(dice: Dice, word: str) -> str:
    """Return the word or, with a probability of 25 %, its synonym if it has one."""
    return lexicon.SYNONYM_OF[word] if word in lexicon.SYNONYM_OF and dice.chance(25) else word


def draw_person(dice: Dice) -> Name:
    """Draw a person's name; one in three has a family name."""
    first = dice.pick(FIRST_NAMES)
    return Name((first, dice.pick(WORD_LISTS["families"])) if dice.chance(33) else (first,), "PER")


def draw_two_people(dice: Dice) -> tuple[Name, Name]:
    """Draw two people with different first names."""
    first, second = dice.sample(FIRST_NAMES, 2)
    return Name((first,), "PER"), Name((second,), "PER")


def pronoun_for(name: Name) -> Pronoun:
    """Return the pronoun, she or he, that fits a first name."""
    return Pronoun("she" if name.parts[0] in WORD_LISTS["women"] else "he")


def draw_company(dice: Dice) -> Name:
    """Draw a bank, school or other organisation that is named after a town or a family."""
    return Name(
        (dice.pick(dice.pick((WORD_LISTS["families"], WORD_LISTS["towns"]))),),
        "ORG",
        dice.pick(WORD_LISTS["companies"]),
    )


def draw_collocate(dice: Dice, options: tuple[str, ...], *neighbours: str) -> str:
    """Draw one of the options, with a probability of 75 % from the COLLOCATES that the neighbours prefer.

    Distributional learning needs such preferences: "You shall know a word by the company it keeps" (Firth 1957).
    Without neighbours, all options are equally likely.
    """
    return dice.pick(_collocates(options, neighbours) if neighbours and dice.chance(75) else options)


@cache
def _collocates(options: tuple[str, ...], neighbours: tuple[str, ...]) -> list[str]:
    return sorted(options, key=lambda option: zlib.crc32(repr((option, neighbours)).encode()))[:COLLOCATES]


def draw_noun_phrase(dice: Dice, nouns: tuple[str, ...], *neighbours: str) -> Noun:
    """Draw one of the nouns with a determiner, a number and perhaps an adjective."""
    noun = draw_collocate(dice, nouns, *neighbours)
    det, plural = dice.pick(("the", "the", "the", "a", "a", "some", "number")), dice.chance(20)
    adjectives: tuple[str, ...] = ()
    if dice.chance(33):
        beside_adjective = (noun,) if neighbours else ()
        adjectives = (vary_word(dice, draw_collocate(dice, adjectives_of(noun), *beside_adjective)),)
    if noun in lexicon.MASS:
        return Noun(noun, "the" if det == "the" else "some", adjectives)
    if det == "number":
        return Noun(vary_word(dice, noun), dice.pick(WORD_LISTS["numbers"]), adjectives, True)
    if det == "a":
        return Noun(vary_word(dice, noun), "a", adjectives)
    return Noun(vary_word(dice, noun), det, adjectives, plural or det == "some")


@cache
def _include_person(nouns: tuple[str, ...]) -> bool:
    return any(noun in PEOPLE for noun in nouns)


def draw_participant(dice: Dice, nouns: tuple[str, ...], *neighbours: str) -> Thing:
    """Draw a noun phrase or, where the nouns include people, a named person with a probability of 50 %."""
    return (
        draw_person(dice) if _include_person(nouns) and dice.chance(50) else draw_noun_phrase(dice, nouns, *neighbours)
    )


def draw_place(dice: Dice, *neighbours: str) -> Adjunct:
    """Draw a place: "in the garden", "near Keld"."""
    if dice.chance(25):
        return draw_named_place(dice)
    relation = draw_collocate(dice, tuple(lexicon.PLACES), *neighbours)
    return Adjunct(relation, Noun(vary_word(dice, draw_collocate(dice, lexicon.PLACES[relation], *neighbours))))


def draw_named_place(dice: Dice) -> Adjunct:
    """Draw a named place: a town ("in Keld"), a lake or a river ("near Lake Keld")."""
    place = Name((dice.pick(WORD_LISTS["towns"]),), "LOC")
    if dice.chance(25):
        place = place._replace(noun=dice.pick(("lake", "river")))
    return Adjunct("near" if place.noun else dice.pick(("in", "in", "near")), place)


def draw_time(dice: Dice) -> Adjunct:
    """Draw a time: "yesterday", "on Monday", "in the morning"."""
    kind = dice.below(3)
    if kind == 0:
        return Adjunct("", dice.pick(WORD_LISTS["adverbs"]))
    if kind == 1:
        return Adjunct("on", dice.pick(WORD_LISTS["days"]))
    return Adjunct("in", Noun(dice.pick(NOUNS.leaves("season"))))
