"""The choice of a part's examples for a run: by hash, so that it is the same in every language."""

import hashlib
from collections.abc import Iterable


def select(examples: list, limit: int, seed: int) -> list:
    """At most `limit` of the examples (0 = all), chosen by a hash of seed and id, in their order.

    Parallel items have the same id in every language, so the same items are chosen in all of them. A smaller selection
    is part of a larger one.
    """
    if not limit or len(examples) <= limit:
        return list(examples)
    return [examples[index] for index in chosen_positions([example.id for example in examples], limit, seed)]


def chosen_positions(ids: Iterable, limit: int, seed: int) -> list[int]:
    """The positions, ascending, of the ids that `select` chooses."""
    hashes = [hashlib.sha256(f"{seed} {number}".encode()).digest() for number in ids]
    return sorted(sorted(range(len(hashes)), key=hashes.__getitem__)[:limit])
