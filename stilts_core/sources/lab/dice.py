"""Random choices that depend on a key alone: on no history, no process and no order of calls."""

import zlib
from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """A stream of choices, fixed by its key: strings and integers, such as (seed, split, number of the item).

    A hash of the key is one large number, and a choice among n takes its remainder by n; when the number is used up,
    the next hash follows. That is quicker than seeding a generator for every item.
    """

    __slots__ = ("_key", "_pool", "_turn")

    def __init__(self, *key: str | int):
        self._key = repr(key).encode()
        self._turn = self._pool = 0

    def below(self, n: int) -> int:
        """An integer in [0, n)."""
        if self._pool < n << 32:  # fewer than 32 bits to spare would favour small remainders
            self._pool = int.from_bytes(blake2b(self._key, salt=self._turn.to_bytes(8)).digest())
            self._turn += 1
        self._pool, chosen = divmod(self._pool, n)
        return chosen

    def chance(self, percent: int) -> bool:
        """True in so many of a hundred cases."""
        return self.below(100) < percent

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, all equally likely."""
        return options[self.below(len(options))]

    def sample(self, options: Sequence[T], count: int) -> list[T]:
        """`count` different positions of the options, in random order."""
        left = list(options)
        return [left.pop(self.below(len(left))) for _ in range(count)]


# Shares of the space of meanings, in percent: what is told in one part is told in no other.
SHARES = {"train": (0, 60), "dev": (60, 80), "test": (80, 100)}


def part_of(meaning) -> str:
    """The part, 'train', 'dev' or 'test', that owns a meaning: by its value, in every process and for every seed."""
    place = zlib.crc32(repr(meaning).encode()) % 100
    return next(split for split, (low, high) in SHARES.items() if low <= place < high)
