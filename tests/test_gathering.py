from itertools import pairwise

import pytest
import toy_data

from stilts_core.config import ConfigError, RunConfig
from stilts_core.families.pair import PairExample
from stilts_core.families.retrieval import Passage, RetrievalSet
from stilts_core.gathering import gather, run_folder, select, smaller_set


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("STILTS_DATA", str(toy_data.write_data(tmp_path / "data")))
    return tmp_path / "data"


def config(**fields) -> RunConfig:
    return RunConfig(**{"intermediate": "mnli", "target": "xnli"} | fields).resolved()


def test_same_items_are_chosen_in_every_language(data):
    tests = gather(config(test_examples=7)).tests
    ids = {tuple(example.id for example in test) for test in tests.values()}
    assert len(tests) == 3 and len(ids) == 1 and len(ids.pop()) == 7


def test_smaller_selection_is_part_of_a_larger_one_and_seeds_differ():
    examples = [PairExample(str(i), "en", "a", "b", None, str(i)) for i in range(100)]
    chosen = [select(examples, count, 0) for count in (10, 30, 100, 0)]
    assert [len(part) for part in chosen] == [10, 30, 100, 100]
    assert all(set(small) <= set(large) for small, large in pairwise(chosen))
    assert select(examples, 10, 0) != select(examples, 10, 1)


def test_stand_in_is_noted_once_and_files_have_checksums(data):
    gathered = gather(config())
    assert len(gathered.notes) == len(set(gathered.notes)) > 0
    assert any("MNLI" in note for note in gathered.notes)
    assert {len(checksum) for checksum in gathered.files.values()} == {64}
    assert "xtreme/xnli/dev-sw.tsv" in gathered.files


@pytest.mark.parametrize(
    "fields, named",
    [
        ({"intermediate": "xquad"}, "xquad is no intermediate task"),
        ({"target": "hellaswag"}, "hellaswag is no target task"),
        ({"languages": "de,xx"}, "no test examples in xx; at hand are"),
    ],
)
def test_wrong_role_or_language_is_named_with_what_is_right(data, fields, named):
    with pytest.raises(ConfigError, match=named):
        gather(config(**fields))


def test_run_folder_changes_with_the_data(data, monkeypatch, tiny_xlmr):
    chosen = config(encoder=str(tiny_xlmr))
    folder = run_folder(chosen, gather(chosen))
    assert run_folder(chosen, gather(chosen)) == folder
    with (data / "xtreme/xnli/dev-de.tsv").open("r+") as file:
        file.write("x")
    assert run_folder(chosen, gather(chosen)) != folder


def test_unlabelled_text_is_read_only_for_masked_language_modelling(data):
    assert not gather(config()).texts
    texts = gather(config(mlm_weight=0.5, mlm_languages="de,sw")).texts
    assert {text.language for text in texts} == {"de", "sw"}


def test_smaller_set_keeps_right_candidates_and_half_of_the_answered_queries():
    queries = tuple(Passage(f"q{i}", f"query {i}") for i in range(100))
    candidates = tuple(Passage(f"c{i}", f"candidate {i}") for i in range(1000))
    gold = {f"q{i}": frozenset({f"c{i}"}) for i in range(0, 100, 10)}
    small = smaller_set(RetrievalSet("de", queries, candidates, gold), 8)
    assert len(small.queries) == 8 and len(small.gold) == 4 and len(small.candidates) == 80
    assert frozenset().union(*small.gold.values()) <= {candidate.id for candidate in small.candidates}
    assert smaller_set(small, 8) is small
