import pytest

from stilts_core.bench.measuring import (
    added_memory,
    compared,
    exponent,
    fastest,
    in_turns,
    peak_memory,
)


def test_ratio_of_speeds_is_above_one_where_ours_is_faster():
    assert compared("examples_per_second", [30.0], [10.0])["ratio"]["median"] == 3.0
    assert compared("seconds", [1.0], [3.0])["ratio"]["median"] == 3.0


def test_ratio_of_memory_is_ours_by_the_peers():
    entry = compared("peak_memory_bytes", [1.0], [4.0])
    assert entry["ratio_is"] == "ours / theirs" and entry["ratio"]["median"] == 0.25


def test_ratios_pair_the_repetitions_and_keep_the_raw_figures():
    ours, theirs = [8.0, 6.0, 9.0], [2.0, 6.0, 3.0]
    entry = compared("tokens_per_second", ours, theirs)
    assert (entry["ours"], entry["theirs"]) == (ours, theirs)
    assert entry["ratio"] == {"min": 1.0, "median": 3.0, "max": 4.0}


def test_peers_take_turns():
    called = []
    turns = {name: lambda repetition, name=name: called.append((repetition, name)) for name in "ABC"}
    in_turns("test", turns, 2)
    assert called == [(repetition, name) for repetition in range(2) for name in "ABC"]


def test_whatever_comes_first_gets_another_turn_before_the_fastest_is_chosen():
    seconds = {"first": iter([9.0, 1.0]), "second": iter([3.0, 3.0])}
    assert fastest("test", {name: lambda _, turns=turns: next(turns) for name, turns in seconds.items()}) == "first"


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_exponent_of_a_power_is_that_power(power):
    assert exponent([(size, 7 * size**power) for size in (2, 4, 8, 16)]) == pytest.approx(power, abs=1e-9)


def test_memory_is_that_of_a_process_of_its_own():
    large = peak_memory(bytearray, 2**29)
    small = peak_memory(bytearray, 2**10)
    assert small < 2**29 < large


def test_memory_that_a_call_adds_is_seen_below_an_earlier_peak():
    bytes(bytearray(2**28))  # an earlier peak, freed again
    assert 2**26 <= added_memory(lambda: bytes(bytearray(2**26))) < 2**28
