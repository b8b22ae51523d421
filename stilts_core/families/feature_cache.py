"""A cache of features on disk: examples are tokenised once, and later runs map the result into memory.

An entry is one safetensors file in the cache folder. Its name is a hash of everything that decides its content: the
examples, the tokenizer, the family, its labels and longest input, and the version of the features. An entry appears
whole or not at all, so any number of processes may share the folder. It contains its own SHA-256: a damaged entry is a
cache miss and is made again. The folder holds at most LIMIT bytes; beyond that, the least recently used entries are
removed.
"""

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import tokenizers

from stilts_core.encoders.tokenizer import EncoderTokenizer
from stilts_core.families.features import Features, Truncation
from stilts_core.families.setting import TaskSetting
from stilts_core.storage.cache import cache_folder, report_damage, store
from stilts_core.storage.leftovers import remove
from stilts_core.tasks.examples import RetrievalSet, TextExample

LIMIT = 4 * 2**30  # bytes; the test parts of XNLI, XQuAD and UD POS in all their languages take 74 MiB together
VERSION = "3"  # raise it when a family makes other features, or counts, of the same examples; a golden test asks for it
COLUMNS = ("ids", "types", "starts", "first", "example")


def cached_features(examples: Sequence[Any], tokenizer: EncoderTokenizer, setting: TaskSetting) -> Features:
    """The features that the task's family makes of `examples`, from the cache if they were made before.

    The family gets only the labels and the longest input of the setting, so that nothing else can decide its features.
    """
    deciding = TaskSetting(setting.task, labels=setting.labels, max_length=setting.max_length)
    facts: list[str | int] = [setting.task.family, *setting.labels, setting.max_length]

    def make() -> Features:
        from stilts_core.families.table import get_family  # imports PyTorch, which a cache hit does not need

        return get_family(setting.task).make_features(examples, tokenizer, deciding)

    return _cached(facts, examples, tokenizer, make)


def cached_text_features(texts: Sequence[TextExample], tokenizer: EncoderTokenizer, max_length: int) -> Features:
    """The features of unlabelled texts, from the cache if they were made before."""
    from stilts_core.families import mlm

    return _cached(["mlm", max_length], texts, tokenizer, lambda: mlm.make_features(texts, tokenizer, max_length))


def _cached(
    facts: list[str | int], examples: Sequence[Any], tokenizer: EncoderTokenizer, make: Callable[[], Features]
) -> Features:
    path = cache_folder() / "features" / f"{_key(facts, examples, tokenizer)}.safetensors"
    features = _read_entry(path)
    if features is None:
        features = make()
        _write_entry(path, features)
        _remove_least_recently_used(path.parent)
    return features


def _key(facts: list[str | int], examples: Sequence[Any], tokenizer: EncoderTokenizer) -> str:
    digest = hashlib.sha256(repr([VERSION, tokenizers.__version__, tokenizer.fingerprint, facts]).encode())
    for example in examples:
        # The gold answers of a retrieval set decide no feature, and the order of a set changes between processes.
        content = (example.queries, example.candidates) if isinstance(example, RetrievalSet) else example
        digest.update(repr(content).encode())
    return digest.hexdigest()[:32]


def _write_entry(path: Path, features: Features) -> None:
    from safetensors.numpy import save_file

    columns = {name: getattr(features, name) for name in COLUMNS}
    columns |= {f"token_targets {name}": column for name, column in features.token_targets.items()}
    columns |= {f"targets {name}": column for name, column in features.targets.items()}
    truncation = asdict(features.truncation)
    # Safetensors sorts the columns, but `Features.digest` depends on their order.
    entry = {"columns": list(columns), "truncation": truncation, "sha256": _checksum(columns, truncation)}
    # One key only: safetensors writes several in random order, and equal features should give equal files.
    store(path, lambda temporary: save_file(columns, temporary, {"entry": json.dumps(entry, allow_nan=False)}))


def _read_entry(path: Path) -> Features | None:
    """The features in `path` with their columns mapped into memory, read-only; None for no file or a damaged one."""
    from safetensors import SafetensorError, safe_open

    try:
        # As tensors of PyTorch, because safetensors maps only these into memory; it copies NumPy's.
        with safe_open(path, "pt") as file:
            entry = json.loads(file.metadata()["entry"])
            columns = {name: file.get_tensor(name).numpy() for name in entry["columns"]}
        truncation = Truncation(**entry["truncation"])
        is_whole = entry["sha256"] == _checksum(columns, entry["truncation"])
    except FileNotFoundError:
        return None
    except (OSError, SafetensorError, ValueError, KeyError, TypeError, AttributeError) as error:
        report_damage(path, " ".join(str(error).split()))
        return None
    if not is_whole:
        report_damage(path, "its SHA-256 is not the stored one")
        return None
    with suppress(OSError):  # another process has just removed the entry, or the folder is read-only
        os.utime(path)  # the time of last use
    for column in columns.values():
        column.flags.writeable = False
    token_targets, targets = (
        {name.removeprefix(prefix): column for name, column in columns.items() if name.startswith(prefix)}
        for prefix in ("token_targets ", "targets ")
    )
    plain = {name: columns[name] for name in COLUMNS}
    return Features(**plain, token_targets=token_targets, targets=targets, truncation=truncation)


def _checksum(columns: dict[str, np.ndarray], truncation: dict[str, int]) -> str:
    digest = hashlib.sha256(json.dumps(truncation, allow_nan=False).encode())
    for name, column in columns.items():
        digest.update(f"{name} {column.dtype} {column.shape}".encode())
        digest.update(np.ascontiguousarray(column).data)
    return digest.hexdigest()


def _remove_least_recently_used(folder: Path) -> None:
    """Remove the least recently used entries until the rest fits into LIMIT."""
    if not folder.is_dir():  # it could not be created
        return
    entries = []
    for path in folder.iterdir():
        with suppress(FileNotFoundError):  # another process has just removed or renamed it
            entries.append((path.stat(), path))
    total = 0
    for stat, path in sorted(entries, key=lambda entry: -entry[0].st_mtime_ns):
        total += stat.st_size
        if total > LIMIT:
            remove(path)
