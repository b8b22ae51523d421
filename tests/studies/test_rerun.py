"""Studies rerun at a reader's size: what they change, and what they say, on simulated tables."""

from collections.abc import Mapping
from math import log2
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from study_fixture import Simulation

from stilts_core.config import RunConfig
from stilts_core.errors import ConfigError
from stilts_core.notebooks.reader import READER_SIZES
from stilts_core.studies.choice import encoders_or_seeds, tabulate_choices
from stilts_core.studies.conduct import Study
from stilts_core.studies.latency_blocks import LatencyRequest, measure_blocks
from stilts_core.studies.protocol import read_protocol
from stilts_core.studies.rerun import compare_designs, open_rerun, primary_differences
from stilts_core.studies.results import StudyTable


@pytest.mark.parametrize("name", READER_SIZES)
def test_every_study_keeps_its_primary_contrast_on_one_encoder_in_few_runs(name):
    study = open_rerun(name)
    before, now = read_protocol(study.path).primary, study.protocol.primary
    kept = ("treatment", "control", "target", "group", "metric", "test", "direction")
    assert [getattr(now, field) for field in kept] == [getattr(before, field) for field in kept]
    assert study.changed and study.protocol.encoders == ("lab",) and len(study.design.configs) <= 12
    for config in study.design.configs:
        RunConfig.from_dict(config).resolved()


@pytest.mark.parametrize("name", READER_SIZES)
def test_every_suggested_change_is_a_possible_one(name):
    for option in READER_SIZES[name].tries:
        parameter, value = option.removeprefix("-p ").split(" ", 1)
        changed = open_rerun(name, **{parameter: int(value) if parameter == "seeds" else value.strip('"')})
        assert changed.protocol != open_rerun(name).protocol


def test_table_of_changes_has_both_values_of_whatever_differs():
    rows = {name: (before, now) for name, before, now in compare_designs(open_rerun("adversary", "target_steps=7"))}
    assert rows["encoders"] == ("12", "lab") and rows["arms"] == ("11", "lambda-0, reversal")
    assert rows["intermediate_steps"][0] == "1600" and rows["target_steps"] == ("250", "7")
    assert rows["batch_size"] == ("as in the profile", "8") and rows["exclusion rules"] == ("1", "none")
    assert "intermediate" not in rows
    assert dict(open_rerun("latency").protocol.latency)["blocks"] == 4
    assert ("latency: blocks", "96", "4") in compare_designs(open_rerun("latency"))


def test_wrong_names_are_errors():
    with pytest.raises(ConfigError, match="study is 'ratios'; choose one of ratio, continued"):
        open_rerun("ratios")
    with pytest.raises(ConfigError, match="changes has 'targets'; write NAME=VALUES"):
        open_rerun("ratio", "targets")
    for seeds, message in (("x", "'x'; it must be a whole number"), (1.5, "1.5; it must be"), (-1, "-1; it must be 0")):
        with pytest.raises(ConfigError, match=f"seeds is {message}"):
            open_rerun("adversary", seeds=seeds)
    assert open_rerun("adversary", seeds="2").protocol.seeds == open_rerun("adversary", seeds=2).protocol.seeds


def test_parts_are_paired_differences_by_language_with_students_interval():
    study = open_rerun("continued", seeds=5)
    table = Simulation(study.protocol, lambda cell: 3.0 * (cell.arm == "text-unseen"), run=0.5, score=0.5).table()
    result = primary_differences(study, table)
    scores = table.frame.set_index(["arm", "seed", "language"])["score"]
    assert list(result.parts) == ["qal", "qes", "qil", "qme"] and result.kind == "language"
    differences = {
        code: np.array([scores["text-unseen", seed, code] - scores["direct", seed, code] for seed in range(5)])
        for code in result.parts
    }
    for code, part in result.parts.items():
        expected = stats.ttest_1samp(differences[code], 0.0).confidence_interval()
        assert (part.value, part.low, part.high) == pytest.approx((differences[code].mean(), *expected))
    mean = np.mean(list(differences.values()), axis=0)
    assert result.finding.value == pytest.approx(mean.mean()) and result.finding.n == 5
    assert "over 5 seeds" in result.sentence and "(one-sided: greater). This is exploratory" in result.sentence


def test_ratio_has_a_difference_for_each_combination_and_a_slope():
    study = open_rerun("ratio")
    steps = {"128:64": 2, "512:64": 8}
    table = Simulation(
        study.protocol, lambda cell: -1.5 * log2(steps[cell.levels["steps"]]) * (cell.arm == "mnli"), encoder=0.0
    ).table()
    result = primary_differences(study, table)
    assert {name: part.value for name, part in result.parts.items()} == pytest.approx({"128:64": -1.5, "512:64": -4.5})
    assert result.is_slope and result.finding.value == pytest.approx(-1.5) and result.unit == "points"


def test_seeds_take_the_place_of_encoders_in_the_choice():
    study = open_rerun("choice")
    gains = {"direct": 0.0, "mnli": 1.0, "ccg": 4.0, "qqp": 2.0}
    result = primary_differences(study, Simulation(study.protocol, lambda cell: gains[cell.arm], encoder=0.0).table())
    assert {rule: round(part.value, 6) for rule, part in result.parts.items()} == {
        "random": 2.333333, "always-mnli": 1.0, "english": 4.0, "global": 4.0, "size": 4.0, "typology": 4.0,
        "placebo": 4.0, "oracle": 4.0,
    }  # fmt: skip
    assert (result.finding.n, result.finding.unit) == (3, "seed")


def test_a_choice_between_two_tasks_has_no_regret_after_three():
    study = open_rerun("choice", "arms=direct,mnli,ccg")
    table = Simulation(study.protocol, lambda cell: float(len(cell.arm)), encoder=0.0).table()
    random = tabulate_choices(encoders_or_seeds(table), study.protocol, "udpos", "little-text")[0]
    assert random.rule == "random" and random.regret_3 == pytest.approx(0) and random.regret_1 == pytest.approx(0.5)


def measured(study: Study, noise: float, layer: float) -> StudyTable:
    """A simulated measurement: log-normal times with `noise` percent, where one layer more costs `layer` percent."""
    rng = np.random.default_rng(0)

    def measure(request: LatencyRequest) -> Mapping[str, float]:
        time = float(np.exp((rng.normal(0, noise) + layer * request.extra_layer) / 100))
        return {name: time for name in ("processor_seconds", "wall_seconds", "p50_ms", "p90_ms", "p99_ms")}

    folders = {(arm, "lab"): Path(arm) for arm in study.protocol.arms}
    return measure_blocks(study.protocol, folders, measure=measure)


def test_a_measurement_that_fails_its_check_says_so_instead_of_an_answer():
    study = open_rerun("latency")
    result = primary_differences(study, measured(study, noise=20.0, layer=10.0))
    assert result.sentence.startswith("The check did not pass, so these times show nothing")
    assert list(result.parts) == ["logic", "again", "one-layer-more"]


def test_a_measurement_that_passes_its_check_has_an_answer_in_percent():
    study = open_rerun("latency")
    result = primary_differences(study, measured(study, noise=0.3, layer=100 * np.log(1.5)))
    assert "over 4 blocks" in result.sentence and "(of equivalence within ±2)" in result.sentence and result.unit == "%"
    layer = result.parts["one-layer-more"]
    assert layer.value == pytest.approx(50, abs=1) and layer.low < 50 < layer.high
