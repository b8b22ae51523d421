"""Features kept on disk: what was tokenised once is mapped into memory by every later run.

An entry is one file in the cache folder, named after all that decides its content: the examples, the tokenizer, the
family, its labels and longest input, and the version of the code that makes features. It appears whole or not at all, so any number
of processes may share the folder; it ends with its own SHA-256, and one that is damaged is made anew. The folder
holds LIMIT bytes at most: beyond them, the entries that no run has opened for longest are removed.
"""

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np
import tokenizers

from stilts_core.batching import Cut, Features
from stilts_core.cache import cache_folder, written_whole
from stilts_core.families.examples import RetrievalSet, TextExample
from stilts_core.families.setting import Setting
from stilts_core.tokens import Tokens

LIMIT = 4 * 2**30  # bytes; the test parts of XNLI, XQuAD and UD POS in all their languages take 74 MiB together
VERSION = "1"  # raise it when a family makes other features of the same examples; a test of golden digests asks for it
COLUMNS = ("ids", "types", "starts", "first", "example")
DIGEST = hashlib.sha256().digest_size


def features_of(examples: list, tokens: Tokens, setting: Setting) -> Features:
    """The features that the task's family makes of `examples`, made at most once on this machine.

    The family gets the setting's labels and longest input alone, so that nothing else can decide its features.
    """
    deciding = Setting(setting.task, labels=setting.labels, max_length=setting.max_length)
    facts = [setting.task.family, *setting.labels, setting.max_length]
    return _kept(facts, examples, tokens, lambda: setting.family.features(examples, tokens, deciding))


def text_features(texts: list[TextExample], tokens: Tokens, max_length: int) -> Features:
    """The features of unlabelled texts, made at most once on this machine."""
    from stilts_core.families import mlm

    return _kept(["mlm", max_length], texts, tokens, lambda: mlm.features(texts, tokens, max_length))


def _kept(facts: list, examples: list, tokens: Tokens, make: Callable[[], Features]) -> Features:
    digest = hashlib.sha256(repr([VERSION, tokenizers.__version__, tokens.fingerprint, facts]).encode())
    for example in examples:
        # Which candidates are right is no feature, and the order of a set of ids changes from process to process.
        shown = (example.queries, example.candidates) if isinstance(example, RetrievalSet) else example
        digest.update(repr(shown).encode())
    path = cache_folder() / "features" / digest.hexdigest()[:32]
    features = _read(path)
    if features is None:
        features = make()
        _write(path, features)
        _remove_oldest(path.parent)
    return features


def _write(path: Path, features: Features) -> None:
    """Length of the header, header, columns (the widest numbers first, so that all are aligned), digest of all that."""
    columns = {name: getattr(features, name) for name in COLUMNS}
    columns |= {f"token_targets {name}": column for name, column in features.token_targets.items()}
    columns |= {f"targets {name}": column for name, column in features.targets.items()}
    order = sorted(columns, key=lambda name: -columns[name].itemsize)
    shapes = [[name, columns[name].dtype.str, len(columns[name])] for name in order]
    header = json.dumps({"columns": shapes, "cut": asdict(features.cut)}).encode()
    header += b" " * (-len(header) % 8)
    digest = hashlib.sha256()
    with written_whole(path) as part, part.open("wb") as file:
        for piece in (len(header).to_bytes(8, "little"), header, *(columns[name].data for name in order)):
            file.write(piece)
            digest.update(piece)
        file.write(digest.digest())


def _read(path: Path) -> Features | None:
    """The features in `path`, their columns mapped into memory; None where there is no file, or a damaged one."""
    try:
        data = np.memmap(path, np.uint8, mode="r")
        os.utime(path)  # so that the oldest entry is the one that has not been opened for longest
    except (FileNotFoundError, ValueError):  # a ValueError: the file is empty
        return None
    if hashlib.sha256(data[:-DIGEST]).digest() != data[-DIGEST:].tobytes():
        return None
    at = 8 + int(data[:8].view("<u8")[0])
    header = json.loads(data[8:at].tobytes())
    columns, named = {}, {"token_targets": {}, "targets": {}}
    for name, dtype, length in header["columns"]:
        column = np.frombuffer(data, dtype, length, at)
        at += column.nbytes
        kind, _, key = name.partition(" ")
        (named[kind] if key else columns)[key or kind] = column
    return Features(**columns, **named, cut=Cut(**header["cut"]))


def _remove_oldest(folder: Path) -> None:
    """Remove the entries that have not been used for longest, until the rest fits into LIMIT."""
    entries = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # another process has removed it, or written it to its end
            entries.append((path.stat(), path))
    total = 0
    for stat, path in sorted(entries, key=lambda entry: -entry[0].st_mtime_ns):
        total += stat.st_size
        if total > LIMIT:
            path.unlink(missing_ok=True)
