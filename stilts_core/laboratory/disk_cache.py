"""A disk cache of generated examples: the runs of a grid use the same test parts again and again."""

import marshal
import sys
from collections.abc import Callable
from dataclasses import astuple, fields
from hashlib import sha256
from typing import TypeVar

from stilts_core.storage.atomic import write_whole
from stilts_core.storage.cache import cache_folder
from stilts_core.tasks.examples import Example, TextExample

E = TypeVar("E", bound=Example | TextExample)


def cached_examples(make: Callable[[], list[E]], example_type: type[E], *key: object) -> list[E]:
    """Return the examples that `make` generates; read them from the cache if they were generated before.

    The `repr` of `key` must decide the examples. A damaged cache file is replaced.
    """
    names = [field.name for field in fields(example_type)]
    digest = sha256(repr((sys.version, example_type.__name__, names, *key)).encode()).hexdigest()
    path = cache_folder() / "laboratory" / digest[:32]
    try:
        return [example_type(*row) for row in marshal.loads(path.read_bytes())]
    except (OSError, EOFError, ValueError, TypeError):  # missing or damaged
        examples = make()
        write_whole(path, marshal.dumps([astuple(example) for example in examples]))
        return examples
