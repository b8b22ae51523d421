"""Random choices that depend only on a key, not on the process or on choices made elsewhere."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")


class Dice:
    """A stream of random choices that its key decides.

    The key consists of strings and integers, for example (seed, split, number of the item). Its hash is one large
    number. A choice among n options takes the remainder modulo n and keeps the quotient; when the number is used up, a
    new hash of the same key replaces it. This is faster than seeding a random generator for every item.
    """

    __slots__ = ("_hashes", "_key", "_number")

    def __init__(self, *key: str | int) -> None:
        self._key = repr(key).encode()
        self._hashes = self._number = 0  # how many hashes have been computed, and what is left of the last one

    def below(self, n: int) -> int:
        """Draw an integer in [0, n)."""
        if self._number < n << 32:  # with fewer than 32 spare bits, small remainders would be visibly more frequent
            self._number = int.from_bytes(blake2b(self._key, salt=self._hashes.to_bytes(8)).digest())
            self._hashes += 1
        self._number, choice = divmod(self._number, n)
        return choice

    def chance(self, percent: int) -> bool:
        """Return True with a probability of `percent`."""
        return self.below(100) < percent

    def pick(self, options: Sequence[T]) -> T:
        """Draw one of the options; all are equally likely."""
        return options[self.below(len(options))]

    def sample(self, options: Sequence[T], count: int) -> list[T]:
        """Draw `count` options without replacement, in random order."""
        remaining = list(options)
        return [remaining.pop(self.below(len(remaining))) for _ in range(count)]
