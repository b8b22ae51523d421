import pytest

from stilts_core.bench import running
from stilts_core.bench.measuring import Options
from stilts_core.bench.workloads import MEASURES, PEERS, WORKLOADS, workload
from stilts_core.catalogue import TASKS
from stilts_core.compute import Compute
from stilts_core.config import ConfigError


def test_every_workload_is_known_by_its_name_kind_and_target():
    for name, row in WORKLOADS.items():
        assert row.name == name and row.kind in running.KINDS
        assert not row.target or row.target in TASKS


def test_every_aim_speaks_of_a_measure_and_a_peer_that_there_are():
    aims = [aim for row in WORKLOADS.values() for aim in row.aims]
    assert {aim.measure for aim in aims} <= MEASURES.keys() and {aim.peer for aim in aims} <= PEERS.keys()
    assert all(peer in PEERS for row in WORKLOADS.values() for peer in row.peers)


def test_reduced_workload_is_the_same_work_at_another_size():
    for row in WORKLOADS.values():
        small = row.reduced()
        assert (small.name, small.kind, small.target, small.max_length) == (
            row.name, row.kind, row.target, row.max_length,
        )  # fmt: skip
        assert not row.examples or small.examples < row.examples


def test_unknown_workload_is_an_error_that_names_all():
    with pytest.raises(ConfigError, match="train-xnli, train-udpos"):
        workload("train-xnil")


@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_large_encoders_are_measured_where_there_is_a_gpu(device):
    fitting = running.fitting(Options("", 1, 0, Compute(device)))
    assert fitting == [row for row in WORKLOADS.values() if device == "cuda" or not row.name.startswith("train-large")]
