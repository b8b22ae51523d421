import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import toy

from stilts_core.families import feature_cache, mlm
from stilts_core.families.feature_cache import cached_features, cached_text_features
from stilts_core.families.features import Features
from stilts_core.families.table import get_family
from stilts_core.runs.encoders import load_encoder, load_tokenizer
from stilts_core.tasks.catalogue import TASKS
from stilts_core.tasks.examples import Passage, RetrievalSet, TextExample
from stilts_core.training.compute import Compute
from stilts_core.training.loop import train
from stilts_core.training.schedule import Schedule, TrainingTask

TASKS_OF_ALL_FAMILIES = [*toy.TASKS, "tatoeba"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """The folder of the cache entries."""
    monkeypatch.setenv("STILTS_CACHE", str(tmp_path))
    return tmp_path / "features"


@pytest.fixture
def tokenizer(tiny_xlmr):
    return load_tokenizer(str(tiny_xlmr))


@pytest.fixture
def misses(monkeypatch) -> list:
    """The families that made features, in order: the cache misses."""
    misses = []

    def count_calls(family) -> Callable:
        original = family.make_features
        return lambda *arguments: misses.append(family) or original(*arguments)

    for family in {get_family(toy.make_setting(name).task) for name in TASKS_OF_ALL_FAMILIES} | {mlm}:
        monkeypatch.setattr(family, "make_features", count_calls(family))
    return misses


def make_examples(name: str) -> list:
    if name != "tatoeba":
        return toy.make_examples(name, 20)
    passages = tuple(Passage(str(i), f"the {word} {i}") for i, word in enumerate(toy.TAGS))
    gold = {str(i): frozenset(map(str, range(i + 1))) for i in range(len(passages))}
    return [RetrievalSet("de", passages[:3], passages, gold)]


def contents(features: Features) -> list:
    """All columns with their types, and the truncation."""
    named = [features.token_targets, features.targets]
    plain = [features.ids, features.types, features.starts, features.first, features.example, features.lengths]
    values = [[column.dtype, column.tolist()] for column in plain]
    return [
        *values,
        *({name: [c.dtype, c.tolist()] for name, c in columns.items()} for columns in named),
        features.truncation,
    ]


@pytest.mark.parametrize("name", TASKS_OF_ALL_FAMILIES)
@pytest.mark.parametrize("max_length", [12, 128], ids=["cut", "whole"])
def test_cached_features_equal_new_ones(name, max_length, tokenizer, misses):
    setting = toy.make_setting(name, max_length=max_length)
    expected = get_family(setting.task).make_features(make_examples(name), tokenizer, setting)
    first, again = (cached_features(make_examples(name), tokenizer, setting) for _ in range(2))
    assert contents(first) == contents(again) == contents(expected)
    assert again.digest() == expected.digest()
    assert len(misses) == 2  # for `expected` and for `first`


def test_features_of_unlabelled_texts_are_cached(tokenizer, misses):
    texts = [TextExample(str(i), "en", "the river rose " * i) for i in range(6)]
    first, again = (cached_text_features(texts, tokenizer, 16) for _ in range(2))
    assert contents(first) == contents(again) and first.truncation.split > 0
    assert misses == [mlm]


def test_cached_columns_are_mapped_from_the_file_and_read_only(tokenizer, folder):
    if not Path("/proc/self/maps").exists():
        pytest.skip("needs Linux, which lists the mapped files of a process")
    for _ in range(2):
        features = cached_features(make_examples("mnli"), tokenizer, toy.make_setting("mnli"))
    (entry,) = folder.iterdir()
    lines = [line for line in Path("/proc/self/maps").read_text().splitlines() if line.endswith(str(entry))]
    ranges = [[int(end, 16) for end in line.split()[0].split("-")] for line in lines]
    for column in (features.ids, features.types, features.starts, features.first, features.targets["label"]):
        assert any(start <= column.ctypes.data < end for start, end in ranges)
        assert not column.flags.writeable and column.flags.aligned


def test_features_of_no_examples_are_cached(tokenizer):
    for name in toy.TASKS:
        first, again = (cached_features([], tokenizer, toy.make_setting(name)) for _ in range(2))
        assert len(again) == 0 and contents(first) == contents(again)


@pytest.mark.parametrize("name", toy.TASKS)
def test_training_on_mapped_columns_equals_training_on_columns_in_memory(
    name, tiny_xlmr, tokenizer, tmp_path, one_thread
):
    def train_on(features: Features, number: int) -> list:
        torch.manual_seed(0)
        encoder = load_encoder(str(tiny_xlmr), dropout=0.1)
        task = TrainingTask(name, features, get_family(setting.task).new_head(encoder, setting))
        schedule = Schedule(epochs=1, lr=1e-3, batch_size=4, seed=3)
        phase = train(encoder, [task], schedule, title="", checkpoints=tmp_path / f"{number}", compute=Compute())
        return [point["loss"] for point in phase.curve] + [
            float(p.detach().abs().sum()) for p in encoder.model.parameters()
        ]

    setting = toy.make_setting(name)
    in_memory, mapped = (cached_features(make_examples(name), tokenizer, setting) for _ in range(2))
    assert train_on(in_memory, 0) == train_on(mapped, 1)


def damages(content: bytes) -> dict[str, bytes]:
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


@pytest.mark.parametrize("damage", damages(bytes(8)))
def test_damaged_entry_is_a_cache_miss_and_is_repaired(damage, folder, tokenizer, misses):
    expected = contents(cached_features(make_examples("squad"), tokenizer, toy.make_setting("squad")))
    (entry,) = folder.iterdir()
    content = entry.read_bytes()
    entry.write_bytes(damages(content)[damage])
    assert contents(cached_features(make_examples("squad"), tokenizer, toy.make_setting("squad"))) == expected
    assert entry.read_bytes() == content and len(misses) == 2


def test_folder_in_place_of_an_entry_is_replaced_with_one_line(folder, tokenizer, misses, capsys):
    expected = contents(cached_features(make_examples("squad"), tokenizer, toy.make_setting("squad")))
    (entry,) = folder.iterdir()
    entry.unlink()
    (entry / "inner").mkdir(parents=True)
    capsys.readouterr()
    assert contents(cached_features(make_examples("squad"), tokenizer, toy.make_setting("squad"))) == expected
    (line,) = capsys.readouterr().err.splitlines()
    assert str(entry) in line and "is damaged" in line
    assert entry.is_file() and len(misses) == 2


def test_features_are_made_without_a_cache_that_cannot_be_written(tokenizer, tmp_path, monkeypatch, capsys):
    (tmp_path / "a-file").write_text("")
    monkeypatch.setenv("STILTS_CACHE", str(tmp_path / "a-file"))
    for _ in range(2):
        assert len(cached_features(make_examples("squad"), tokenizer, toy.make_setting("squad")))
    assert capsys.readouterr().err.count("continuing without it") == 1


@pytest.mark.parametrize("name", TASKS_OF_ALL_FAMILIES)
def test_features_depend_only_on_labels_length_tokenizer_and_examples(name, tokenizer, folder, misses):
    setting, examples = toy.make_setting(name), make_examples(name)
    expected = contents(cached_features(examples, tokenizer, setting))
    others = [task for task in TASKS.values() if task.family == setting.task.family]
    for other in others:
        same = replace(setting, task=other, dropout=0.5, pooling="mean", layer=1, threshold=1.0)
        assert contents(get_family(setting.task).make_features(examples, tokenizer, same)) == expected
        cached_features(examples, tokenizer, same)
    assert len(list(folder.iterdir())) == 1


def test_everything_that_decides_features_is_in_the_key(tokenizer, tiny_bert, folder, monkeypatch):
    setting, examples = toy.make_setting("mnli"), make_examples("mnli")
    cached_features(examples, tokenizer, setting)
    cached_features(examples, tokenizer, replace(setting, labels=setting.labels[::-1]))
    cached_features(examples, tokenizer, replace(setting, max_length=64))
    cached_features(examples, load_tokenizer(str(tiny_bert)), setting)
    cached_features([*examples[1:], replace(examples[0], text_a="another")], tokenizer, setting)
    cached_features(examples[:-1], tokenizer, setting)
    monkeypatch.setattr(feature_cache, "VERSION", "another version")
    cached_features(examples, tokenizer, setting)
    assert len(list(folder.iterdir())) == 7


def test_another_process_with_another_order_of_sets_has_the_same_key(tokenizer, tiny_xlmr, folder):
    source = f"""if True:
        import test_feature_cache as tests
        features = tests.cached_features(tests.make_examples("tatoeba"), tests.load_tokenizer({str(tiny_xlmr)!r}),
                                     tests.toy.make_setting("tatoeba"))
    """
    environment = os.environ | {
        "PYTHONHASHSEED": "1",
        "PYTHONPATH": os.pathsep.join([os.path.dirname(__file__), os.path.dirname(toy.__file__)]),
    }
    subprocess.run([sys.executable, "-c", source], check=True, env=environment)
    cached_features(make_examples("tatoeba"), tokenizer, toy.make_setting("tatoeba"))
    assert len(list(folder.iterdir())) == 1


def test_concurrent_processes_get_whole_features_and_leave_one_entry(tokenizer, folder):
    setting, examples = toy.make_setting("squad"), make_examples("squad")
    expected = contents(get_family(setting.task).make_features(examples, tokenizer, setting))
    children = []
    for _ in range(4):
        if not (child := os.fork()):
            os.environ["TOKENIZERS_PARALLELISM"] = "false"  # a fork has none of the tokenizer's threads
            same = [contents(cached_features(examples, tokenizer, setting)) == expected for _ in range(20)]
            os._exit(not all(same))
        children.append(child)
    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert len(list(folder.iterdir())) == 1


def test_least_recently_used_entries_are_removed_beyond_the_limit(tokenizer, folder, monkeypatch, misses):
    setting = toy.make_setting("mnli")
    sets = [toy.make_examples("mnli", 20, seed) for seed in range(4)]
    for age, examples in enumerate(sets[:3]):
        cached_features(examples, tokenizer, setting)
        newest = max(folder.iterdir(), key=lambda entry: entry.stat().st_mtime_ns)
        os.utime(newest, (age, age))
    cached_features(sets[0], tokenizer, setting)  # the oldest entry, and now the last one used
    size = max(entry.stat().st_size for entry in folder.iterdir())
    monkeypatch.setattr(feature_cache, "LIMIT", 3 * size + size // 2)
    cached_features(sets[3], tokenizer, setting)
    misses.clear()
    for examples in (sets[0], sets[2], sets[3]):
        cached_features(examples, tokenizer, setting)
    assert not misses and len(list(folder.iterdir())) == 3
