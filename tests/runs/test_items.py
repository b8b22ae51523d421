"""Scores of single items: packed, read back, and in agreement with the score of the whole test set."""

import base64
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from record_fixture import synthetic_record, with_values

from stilts_core.errors import RecordError
from stilts_core.runs.items import item_scores, pack_items
from stilts_core.runs.record import LONGEST_ITEMS, RECORD, Record, read_record, write_record


def with_items(scores: np.ndarray) -> Record:
    return with_values(synthetic_record(), {"scores.de.items": pack_items(scores).model_dump()})


@settings(deadline=None, max_examples=40, derandomize=True)
@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_right_and_wrong_items_take_one_bit_and_are_read_back(right):
    scores = 100.0 * np.array(right)
    packed = pack_items(scores)
    assert packed.binary and len(base64.b64decode(packed.packed)) == -(-len(right) // 8)
    np.testing.assert_array_equal(item_scores(with_items(scores), "de"), scores)


@settings(deadline=None, max_examples=40, derandomize=True)
@given(st.lists(st.floats(0, 100), min_size=1, max_size=40))
def test_other_items_are_read_back_as_whole_numbers(scores):
    found = item_scores(with_items(np.array(scores)), "de")
    np.testing.assert_array_equal(found, np.rint(scores))


def test_items_survive_the_file_of_the_record(tmp_path):
    write_record(tmp_path, with_items(np.array([0.0, 100.0, 33.4])))
    assert item_scores(read_record(tmp_path / RECORD), "de").tolist() == [0, 100, 33]


def test_recorded_results_keep_the_items_of_small_test_sets_only():
    small, large = with_items(np.full(12_000, 100.0)), with_items(np.linspace(0, 100, 12_000))
    assert item_scores(small.without_text(), "de").tolist() == [100.0] * 12_000
    with pytest.raises(RecordError, match="no scores of single items in 'de'"):
        item_scores(large.without_text(), "de")
    assert len(json.loads(small.to_json())["scores"]["de"]["items"]["packed"]) <= LONGEST_ITEMS
    assert large.without_text().scores["de"].score == large.scores["de"].score


def test_earlier_record_has_no_items():
    with pytest.raises(RecordError, match=r"earlier version.*run it again"):
        item_scores(synthetic_record(), "de")


@pytest.mark.parametrize("packed", ["", "é", "AAAA", "A"])
def test_damaged_items_are_an_error(packed):
    items = {"n": 4, "binary": True, "packed": packed}
    with pytest.raises(RecordError, match="damaged items in 'de'"):
        item_scores(with_values(synthetic_record(), {"scores.de.items": items}), "de")
