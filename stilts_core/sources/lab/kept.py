"""Generated examples kept on disk: a grid reads the same test parts in each of its runs."""

import marshal
import sys
from collections.abc import Callable
from dataclasses import astuple, fields
from hashlib import sha256

from stilts_core.cache import cache_folder, written_whole


def kept(make: Callable[[], list], kind: type, *key) -> list:
    """The examples of class `kind` that `make` makes, made at most once on this machine for a key that decides them."""
    names = [field.name for field in fields(kind)]
    digest = sha256(repr((sys.version, kind.__name__, names, *key)).encode()).hexdigest()
    path = cache_folder() / "laboratory" / digest[:32]
    try:
        return [kind(*row) for row in marshal.loads(path.read_bytes())]
    except (OSError, EOFError, ValueError, TypeError):  # not there, or damaged
        examples = make()
        with written_whole(path) as part:
            part.write_bytes(marshal.dumps([astuple(example) for example in examples]))
        return examples
