"""Peers alternate, the fastest repetition decides, and memory is that of a new process or of one call."""

from stilts_core.bench.measurement import (
    choose_fastest,
    measure_added_memory,
    measure_alternately,
    measure_peak_memory,
)


def test_peers_alternate():
    calls = []
    peers = {name: lambda repetition, name=name: calls.append((repetition, name)) for name in "ABC"}
    measure_alternately("test", peers, 2)
    assert calls == [(repetition, name) for repetition in range(2) for name in "ABC"]


def test_candidate_that_is_slow_only_at_its_first_repetition_is_chosen():
    seconds = {"first": iter([9.0, 1.0]), "second": iter([3.0, 3.0])}
    candidates = {name: lambda _, values=values: next(values) for name, values in seconds.items()}
    assert choose_fastest("test", candidates) == "first"


def test_peak_memory_is_that_of_a_new_process():
    large = measure_peak_memory(bytearray, 2**29)
    small = measure_peak_memory(bytearray, 2**10)
    assert small < 2**29 < large


def test_added_memory_is_measured_below_an_earlier_peak():
    bytes(bytearray(2**28))  # an earlier peak, freed again
    assert 2**26 <= measure_added_memory(lambda: bytes(bytearray(2**26))) < 2**28
