"""Workloads name existing targets, measures and peers, and keep their work when they are reduced."""

import pytest

from stilts_core.bench.measurement import Options
from stilts_core.bench.suite import MEASUREMENTS, select_workloads
from stilts_core.bench.workloads import MEASURES, PEERS, WORKLOADS, find_workload
from stilts_core.errors import ConfigError
from stilts_core.tasks.catalogue import TASKS
from stilts_core.training.compute import Compute


def test_every_workload_has_a_measurement_and_an_existing_target():
    for name, row in WORKLOADS.items():
        assert row.name == name and row.kind in MEASUREMENTS
        assert not row.target or row.target in TASKS


def test_every_aim_names_an_existing_measure_and_peer():
    aims = [aim for row in WORKLOADS.values() for aim in row.aims]
    assert {aim.measure for aim in aims} <= MEASURES.keys() and {aim.peer for aim in aims} <= PEERS.keys()
    assert all(peer in PEERS for row in WORKLOADS.values() for peer in row.peers)


def test_reduced_workload_differs_only_in_size():
    for row in WORKLOADS.values():
        small = row.reduced()
        assert (small.name, small.kind, small.target, small.max_length) == (
            row.name, row.kind, row.target, row.max_length,
        )  # fmt: skip
        assert not row.examples or small.examples < row.examples


def test_unknown_workload_raises_with_all_names():
    with pytest.raises(ConfigError, match="train-xnli, train-udpos"):
        find_workload("train-xnil")


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_large_encoders_are_measured_only_on_a_gpu(device):
    selected = select_workloads(Options("", 1, 0, Compute(device)))
    assert selected == [row for row in WORKLOADS.values() if device == "cuda" or not row.name.startswith("train-large")]
