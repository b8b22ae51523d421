"""Q4: blocks are complete and random, the gate refuses bad measurements, the positive control really costs."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy import stats
from study_fixture import rejection_bounds

from stilts_core.encoders.encoder import read_encoder
from stilts_core.errors import StudyError
from stilts_core.studies.inference import compare_equivalence
from stilts_core.studies.latency import analyse, check_gate, compare_batches, log_differences, summarise
from stilts_core.studies.latency_blocks import block_orders, measure_blocks, run_process
from stilts_core.studies.latency_process import LatencyRequest, add_layer, measure
from stilts_core.studies.power import power_of_equivalence
from stilts_core.studies.protocol import make_protocol, read_protocol
from stilts_core.studies.results import StudyTable, read_table, write_table

FULL = read_protocol(Path(__file__).parents[2] / "protocols" / "latency.toml")
# The committed protocol in one condition, to simulate faster.
PROTOCOL = make_protocol(
    FULL.model_dump() | {"latency": FULL.latency.model_dump() | {"batch_sizes": (8,), "lengths": (64,)}}, "small"
)
FOLDERS = {(arm, encoder): Path(arm) / encoder for arm in PROTOCOL.arms for encoder in PROTOCOL.encoders}
BLOCKS = FULL.latency.blocks
SD = 2.0  # percent, of the difference of two processes in one block


class Machine:
    """A simulated machine: log-normal times, slower blocks, arms whose logarithm is `percent` / 100 higher.

    `sd_of_batch` has the spread at single batch sizes.
    """

    def __init__(self, seed=0, sd=SD, layer=11.0, sd_of_batch=(), **percent):
        self.rng, self.sd, self.layer, self.percent = np.random.default_rng(seed), sd, layer, percent
        self.sd_of_batch = dict(sd_of_batch)
        self.requests: list[LatencyRequest] = []

    def __call__(self, request: LatencyRequest) -> dict[str, float]:
        self.requests.append(request)
        shared = np.random.default_rng(request.seed).normal(0, 10)  # all arms of a block share the block's load
        sd = self.sd_of_batch.get(request.batch, self.sd)
        cost = self.percent.get(request.arm.replace("-", "_"), 0.0) + self.layer * request.extra_layer
        time = np.exp((shared + cost + self.rng.normal(0, sd / np.sqrt(2))) / 100)
        rates = {"inputs_per_second": 1 / time, "subwords_per_second": 64 / time}
        return {
            "processor_seconds": time,
            "wall_seconds": 1.3 * time,
            "p50_ms": time,
            "p90_ms": time,
            "p99_ms": time,
        } | rates


def table_of(machine: Machine, protocol=PROTOCOL) -> StudyTable:
    return measure_blocks(protocol, FOLDERS, measure=machine)


def test_every_block_has_every_arm_once_with_the_same_inputs():
    machine = Machine()
    table_of(machine)
    arms = [*PROTOCOL.arms, "again", "one-layer-more"]
    for block in range(BLOCKS):
        requests = machine.requests[block * 6 : block * 6 + 6]
        assert sorted(request.arm for request in requests) == sorted(arms)
        assert {request.seed for request in requests} == {block}
        assert {request.folder.name for request in requests} == {f"lab-wide-{2 + block % 3}"}
    again = [request for request in machine.requests if request.arm == "again"]
    assert all(request.folder.parts[0] == "direct" and not request.extra_layer for request in again)
    assert {request.arm for request in machine.requests if request.extra_layer} == {"one-layer-more"}


def test_orders_are_random_permutations_in_which_no_arm_has_a_fixed_place():
    orders = block_orders(list("abcdef"), 3000, seed=0)
    assert all(sorted(order) == list("abcdef") for order in orders)
    places = np.array([[order.index(arm) for arm in "abcdef"] for order in orders])
    assert places.mean(axis=0) == pytest.approx([2.5] * 6, abs=0.15)
    assert np.abs(np.corrcoef(places.T)[~np.eye(6, dtype=bool)] + 1 / 5).max() < 0.1  # as of a uniform permutation
    assert orders == block_orders(list("abcdef"), 3000, seed=0) != block_orders(list("abcdef"), 3000, seed=1)


def test_equal_arms_are_equivalent_and_the_gate_passes():
    table = table_of(Machine(seed=1))
    gate = check_gate(table, PROTOCOL)
    findings = analyse(table, PROTOCOL)
    assert gate.passed and gate.positive.value == pytest.approx(11, abs=2)
    assert findings[0].verdict == "supported" and findings[0].unit == "block" and findings[0].n == BLOCKS
    assert "%" in findings[0].sentence and findings[0].coverage == pytest.approx(0.9)


def test_slower_arm_is_not_equivalent():
    findings = {finding.name: finding for finding in analyse(table_of(Machine(logic=6.0)), PROTOCOL)}
    slow = findings["processor time of logic against direct"]
    assert slow.verdict == "not supported" and slow.value == pytest.approx(6, abs=1.5)
    assert findings["processor time of Social IQa against direct"].verdict == "supported"


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        (Machine(again=5.0), "differs by [+]"),
        (Machine(sd=15.0), "differs by"),
        (Machine(layer=0.0), "one layer more takes"),
    ],
    ids=["control differs from itself", "noisy machine", "layer that is not computed"],
)
def test_measurement_that_cannot_be_trusted_shows_nothing(machine, reason):
    with pytest.raises(StudyError, match=reason):
        analyse(table_of(machine), PROTOCOL)


def test_equivalence_of_latency_has_its_stated_power_and_its_level_at_the_margin():
    """The registered test finds equivalence as often as stated for no cost, and at its level for one of the margin."""
    contrast, rng = PROTOCOL.primary, np.random.default_rng(3)
    stated = {0.0: power_of_equivalence(2.0, 2.6, BLOCKS, 0.05), 2.0: 0.05}
    for cost, share in stated.items():
        differences = rng.normal(cost, 2.6, (400, BLOCKS))
        rate = np.mean([compare_equivalence(row, np.zeros(BLOCKS), contrast.sesoi).p < 0.05 for row in differences])
        print(f"latency, cost {cost:.0f} %: equivalent {rate:.3f} (stated {share:.3f})")
        low, high = rejection_bounds(share, 400)
        assert low <= rate <= high


def test_conditions_are_averaged_within_blocks():
    protocol = make_protocol(FULL.model_dump(), "full")
    machine = Machine(logic=3.0, sd=0.0)
    table = table_of(machine, protocol)
    assert len(machine.requests) == BLOCKS * 6 * len(FULL.latency.batch_sizes)
    assert log_differences(table, protocol.primary) == pytest.approx(np.full(BLOCKS, 3.0))


def test_values_and_intervals_are_percent_of_the_controls_time():
    quarter = 100 * np.log(1.25)
    exact = table_of(Machine(sd=0.0, layer=quarter, logic=-quarter))
    assert check_gate(exact, PROTOCOL).positive.value == pytest.approx(25.0)
    assert analyse(exact, PROTOCOL)[0].value == pytest.approx(-20.0)  # 1 / 1.25
    table = table_of(Machine(layer=quarter))
    times = table.frame[table.frame["metric"] == "processor_seconds"].set_index(["seed", "arm"])["score"].unstack()
    for estimate, arm, coverage in (
        (check_gate(table, PROTOCOL).positive, "one-layer-more", 0.95),
        (analyse(table, PROTOCOL)[0], "logic", 0.9),
    ):
        logs = np.log(times[arm] / times["direct"])
        bounds = stats.t.interval(coverage, BLOCKS - 1, logs.mean(), stats.sem(logs))
        expected = [100 * (np.exp(bound) - 1) for bound in (logs.mean(), *bounds)]
        assert [estimate.value, estimate.low, estimate.high] == pytest.approx(expected)


def test_equivalence_is_judged_on_the_scale_of_logarithms():
    below = analyse(table_of(Machine(sd=0.0, logic=-2.01)), PROTOCOL)[0]  # in percent it lies within the margin
    assert below.value == pytest.approx(-1.99, abs=0.001) and below.verdict == "not supported"
    within = analyse(table_of(Machine(sd=0.0, logic=1.99)), PROTOCOL)[0]  # in percent it lies beyond the margin
    assert within.value == pytest.approx(2.01, abs=0.001) and within.verdict == "supported"


def test_noise_at_one_batch_size_leaves_that_size_open_although_the_gate_passes_over_all():
    protocol = make_protocol(FULL.model_dump(), "full")
    table = table_of(Machine(sd_of_batch={1: 12.5, 32: 1.0}, sd=None), protocol)
    assert check_gate(table, protocol).passed
    latency, throughput = compare_batches(table, protocol)
    assert (latency.batch, throughput.batch) == (1, 32)
    assert not latency.gate.passed and latency.verdict == "cannot tell"
    assert throughput.gate.passed and throughput.verdict == "supported"
    assert latency.effect.high - latency.effect.low > 3 * (throughput.effect.high - throughput.effect.low)


def test_difference_at_one_batch_size_is_found_there_alone():
    protocol = make_protocol(FULL.model_dump(), "full")
    table = table_of(Machine(), protocol)
    slower = (table.frame["arm"] == "logic") & (table.frame["factor:batch"] == "32")
    frame = table.frame.assign(score=table.frame["score"] * np.where(slower, 1.1, 1.0))
    latency, throughput = compare_batches(StudyTable(frame, table.provenance), protocol)
    assert latency.verdict == "supported" and throughput.verdict == "not supported"
    assert latency.effect.value == pytest.approx(0, abs=1) and throughput.effect.value == pytest.approx(10, abs=1)


@pytest.mark.parametrize(("encoders", "words"), [(1, "one trained checkpoint of"), (3, "3 trained checkpoints of")])
def test_findings_say_of_how_many_checkpoints_their_blocks_are_repetitions(encoders, words):
    content = PROTOCOL.model_dump() | {"encoders": PROTOCOL.encoders[:encoders]}
    protocol = make_protocol(content, "few")
    for finding in analyse(table_of(Machine(), protocol), protocol):
        assert finding.n == BLOCKS
        assert any(f"{BLOCKS} blocks repeat the measurement of {words} each arm" in note for note in finding.notes)


def test_incomplete_blocks_and_missing_arms_are_refused():
    table = table_of(Machine())
    frame = table.frame
    cut = frame[~((frame["arm"] == "logic") & (frame["seed"] == 5))]
    with pytest.raises(StudyError, match="have different blocks"):
        analyse(StudyTable(cut, {}), PROTOCOL)
    with pytest.raises(StudyError, match="no measurements of 'again'"):
        analyse(StudyTable(frame[frame["arm"] != "again"], {}), PROTOCOL)
    with pytest.raises(StudyError, match="no trained encoder of arm 'logic' on lab-wide-3"):
        measure_blocks(PROTOCOL, {key: path for key, path in FOLDERS.items() if key != ("logic", "lab-wide-3")})


def test_summary_has_every_arm_and_the_table_survives_its_file(tmp_path):
    table = table_of(Machine(sd=0.0, layer=10.0))
    rows = {row.arm: row for row in summarise(read_table(write_table(tmp_path / "t.parquet", table)))}
    assert len(rows) == 6
    assert rows["one-layer-more"].p50_ms / rows["direct"].p50_ms == pytest.approx(np.exp(0.1))
    assert rows["direct"].subwords_per_second == pytest.approx(64 * rows["direct"].inputs_per_second)


def test_added_layer_is_computed(tiny_xlmr):
    plain, deeper = read_encoder(tiny_xlmr, dropout=0.0), read_encoder(tiny_xlmr, dropout=0.0)
    add_layer(deeper)
    ids, mask = torch.arange(5, 13)[None], torch.ones(1, 8, dtype=torch.bool)
    states = [list(encoder.hidden_states(ids, mask)) for encoder in (plain, deeper)]
    assert [len(layers) for layers in states] == [plain.layers + 1, plain.layers + 2]
    assert torch.equal(states[0][-1], states[1][-2])
    assert torch.equal(deeper.hidden(ids, mask), states[1][-1])
    assert not torch.allclose(deeper.hidden(ids, mask), plain.hidden(ids, mask), atol=1e-3)


def test_measurement_reports_consistent_rates(tiny_xlmr):
    result = measure(read_encoder(tiny_xlmr, dropout=0.0), batch=2, length=16, seconds=0.1)
    assert result["subwords_per_second"] == pytest.approx(16 * result["inputs_per_second"])
    assert result["inputs_per_second"] == pytest.approx(1 / result["wall_seconds"])
    assert 0 < result["p50_ms"] <= result["p90_ms"] <= result["p99_ms"]


def test_fresh_process_measures_and_a_failing_one_is_an_error(tiny_xlmr):
    request = LatencyRequest("direct", tiny_xlmr, batch=2, length=16, seconds=0.1, threads=1, seed=0)
    assert run_process(request)["processor_seconds"] > 0
    with pytest.raises(StudyError, match=r"measuring direct on .* failed: "):
        run_process(replace(request, batch=-1))
