"""Which split (train, dev or test) a meaning belongs to, so that no split repeats the content of another."""

import zlib
from collections.abc import Callable
from typing import TypeVar

from stilts_core.laboratory.dice import Dice
from stilts_core.laboratory.world.meanings import Bare, Clause, Sentence, outline

# Which share of all meanings belongs to each split, as a range of percentages.
SHARES = {"train": (0, 60), "dev": (60, 80), "test": (80, 100)}

S = TypeVar("S", bound=Sentence)


def split_of(meaning: tuple) -> str:
    """Return the split (train, dev or test) that a meaning belongs to.

    Only the value of the meaning decides, so the answer is the same in every process and for every seed.
    """
    percentile = zlib.crc32(repr(meaning).encode()) % 100
    return next(split for split, (low, high) in SHARES.items() if low <= percentile < high)


def belongs_to(sentence: Sentence, split: str) -> bool:
    """Whether a sentence may occur in a split. General truths and questions of one word may occur in every split."""
    if isinstance(sentence, Bare) or (isinstance(sentence, Clause) and sentence.general):
        return True
    return split_of(outline(sentence)) == split


def draw_for_split(draw: Callable[[Dice], S], dice: Dice, split: str) -> S:
    """Call `draw` until it returns a sentence that belongs to the split."""
    while not belongs_to(sentence := draw(dice), split):
        pass
    return sentence
