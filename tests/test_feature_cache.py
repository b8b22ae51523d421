import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
import toy

from stilts_core import feature_cache
from stilts_core.batching import Features
from stilts_core.catalogue import TASKS
from stilts_core.compute import Compute
from stilts_core.encoder import load_encoder, load_tokenizer
from stilts_core.families import mlm
from stilts_core.families.examples import Passage, RetrievalSet, TextExample
from stilts_core.feature_cache import features_of, text_features
from stilts_core.training import Schedule, TrainingTask, train

FAMILIES = [*toy.TASKS, "tatoeba"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The folder of the entries."""
    monkeypatch.setenv("STILTS_CACHE", str(tmp_path))
    return tmp_path / "features"


@pytest.fixture
def tokens(tiny_xlmr):
    return load_tokenizer(str(tiny_xlmr))


@pytest.fixture
def made(monkeypatch) -> list:
    """The families whose features were made, not read."""
    made = []

    def watched(family) -> Callable:
        original = family.features
        return lambda *arguments: made.append(family) or original(*arguments)

    for family in {toy.setting(name).family for name in FAMILIES} | {mlm}:
        monkeypatch.setattr(family, "features", watched(family))
    return made


def examples(name: str) -> list:
    if name != "tatoeba":
        return toy.examples(name, 20)
    passages = tuple(Passage(str(i), f"the {word} {i}") for i, word in enumerate(toy.TAGS))
    gold = {str(i): frozenset(map(str, range(i + 1))) for i in range(len(passages))}
    return [RetrievalSet("de", passages[:3], passages, gold)]


def everything(features: Features) -> list:
    """All columns with their types, and what was cut."""
    named = [features.token_targets, features.targets]
    plain = [features.ids, features.types, features.starts, features.first, features.example, features.lengths]
    parts = [[column.dtype, column.tolist()] for column in plain]
    return [*parts, *({name: [c.dtype, c.tolist()] for name, c in columns.items()} for columns in named), features.cut]


@pytest.mark.parametrize("name", FAMILIES)
@pytest.mark.parametrize("max_length", [12, 128], ids=["cut", "whole"])
def test_features_that_are_read_equal_those_that_were_made(name, max_length, tokens, made):
    setting = toy.setting(name, max_length=max_length)
    expected = setting.family.features(examples(name), tokens, setting)
    first, again = (features_of(examples(name), tokens, setting) for _ in range(2))
    assert everything(first) == everything(again) == everything(expected)
    assert again.digest() == expected.digest()
    assert len(made) == 2  # the expected ones and the first


def test_features_of_unlabelled_texts_are_kept_as_well(tokens, made):
    texts = [TextExample(str(i), "en", "the river rose " * i) for i in range(6)]
    first, again = (text_features(texts, tokens, 16) for _ in range(2))
    assert everything(first) == everything(again) and first.cut.split > 0
    assert made == [mlm]


def test_columns_that_are_read_lie_in_a_file_and_cannot_be_written(tokens):
    for _ in range(2):
        features = features_of(examples("mnli"), tokens, toy.setting("mnli"))
    for column in (features.ids, features.types, features.starts, features.first, features.targets["label"]):
        base = column
        while isinstance(base, np.ndarray) and not isinstance(base, np.memmap):
            base = base.base
        assert isinstance(base, np.memmap) and not column.flags.writeable and column.flags.aligned


@pytest.mark.parametrize("name", toy.TASKS)
def test_training_on_mapped_columns_equals_training_on_those_in_memory(name, tiny_xlmr, tokens, tmp_path, one_thread):
    def trained(features: Features, number: int) -> list:
        torch.manual_seed(0)
        encoder = load_encoder(str(tiny_xlmr), dropout=0.1)
        task = TrainingTask(name, features, setting.family.head(encoder, setting))
        schedule = Schedule(epochs=1, lr=1e-3, batch_size=4, seed=3)
        phase = train(encoder, [task], schedule, title="", checkpoints=tmp_path / f"{number}", compute=Compute())
        return [point["loss"] for point in phase.curve] + [
            float(p.detach().abs().sum()) for p in encoder.model.parameters()
        ]

    setting = toy.setting(name)
    in_memory, mapped = (features_of(examples(name), tokens, setting) for _ in range(2))
    assert trained(in_memory, 0) == trained(mapped, 1)


def damaged(content: bytes) -> dict[str, bytes]:
    middle = len(content) // 2
    flipped = bytes([content[middle] ^ 1])
    return {
        "empty": b"",
        "a few bytes": content[:20],
        "cut off": content[:-1],
        "half": content[:middle],
        "one bit flipped": content[:middle] + flipped + content[middle + 1 :],
        "longer": content + b"\0",
    }


@pytest.mark.parametrize("damage", damaged(bytes(8)))
def test_damaged_entry_is_made_anew(damage, folder, tokens, made):
    expected = everything(features_of(examples("squad"), tokens, toy.setting("squad")))
    (entry,) = folder.iterdir()
    content = entry.read_bytes()
    entry.write_bytes(damaged(content)[damage])
    assert everything(features_of(examples("squad"), tokens, toy.setting("squad"))) == expected
    assert entry.read_bytes() == content and len(made) == 2


@pytest.mark.parametrize("name", FAMILIES)
def test_nothing_decides_features_but_labels_length_tokenizer_and_examples(name, tokens, folder, made):
    setting, chosen = toy.setting(name), examples(name)
    expected = everything(features_of(chosen, tokens, setting))
    others = [task for task in TASKS.values() if task.family == setting.task.family]
    for other in others:
        same = replace(setting, task=other, dropout=0.5, pooling="mean", layer=1, threshold=1.0)
        assert everything(setting.family.features(chosen, tokens, same)) == expected
        features_of(chosen, tokens, same)
    assert len(list(folder.iterdir())) == 1


def test_whatever_decides_features_makes_an_entry_of_its_own(tokens, tiny_bert, folder, monkeypatch):
    setting, chosen = toy.setting("mnli"), examples("mnli")
    features_of(chosen, tokens, setting)
    features_of(chosen, tokens, replace(setting, labels=setting.labels[::-1]))
    features_of(chosen, tokens, replace(setting, max_length=64))
    features_of(chosen, load_tokenizer(str(tiny_bert)), setting)
    features_of([*chosen[1:], replace(chosen[0], text_a="another")], tokens, setting)
    features_of(chosen[:-1], tokens, setting)
    monkeypatch.setattr(feature_cache, "VERSION", "another version")
    features_of(chosen, tokens, setting)
    assert len(list(folder.iterdir())) == 7


def test_another_process_finds_the_same_entry_whatever_order_its_sets_have(tokens, tiny_xlmr, folder):
    source = f"""if True:
        import test_feature_cache as tests
        features = tests.features_of(tests.examples("tatoeba"), tests.load_tokenizer({str(tiny_xlmr)!r}),
                                     tests.toy.setting("tatoeba"))
    """
    environment = os.environ | {"PYTHONHASHSEED": "1", "PYTHONPATH": os.path.dirname(__file__)}
    subprocess.run([sys.executable, "-c", source], check=True, env=environment)
    features_of(examples("tatoeba"), tokens, toy.setting("tatoeba"))
    assert len(list(folder.iterdir())) == 1


def test_processes_at_once_all_get_whole_features_and_leave_one_entry(tokens, folder):
    setting, chosen = toy.setting("squad"), examples("squad")
    expected = everything(setting.family.features(chosen, tokens, setting))
    children = []
    for _ in range(4):
        if not (child := os.fork()):
            same = [everything(features_of(chosen, tokens, setting)) == expected for _ in range(20)]
            os._exit(not all(same))
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert len(list(folder.iterdir())) == 1


def test_entries_that_no_run_has_opened_for_longest_are_removed_beyond_the_limit(tokens, folder, monkeypatch, made):
    setting = toy.setting("mnli")
    parts = [toy.examples("mnli", 20, seed) for seed in range(4)]
    for age, part in enumerate(parts[:3]):
        features_of(part, tokens, setting)
        newest = max(folder.iterdir(), key=lambda entry: entry.stat().st_mtime_ns)
        os.utime(newest, (age, age))
    features_of(parts[0], tokens, setting)  # the oldest, and now the one opened last
    size = max(entry.stat().st_size for entry in folder.iterdir())
    monkeypatch.setattr(feature_cache, "LIMIT", 3 * size + size // 2)
    features_of(parts[3], tokens, setting)
    made.clear()
    for part in (parts[0], parts[2], parts[3]):
        features_of(part, tokens, setting)
    assert not made and len(list(folder.iterdir())) == 3
