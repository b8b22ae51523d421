"""Findings: planted effects are found at the stated power, null data are rejected at the stated level."""

import numpy as np
import pytest
from study_fixture import Simulation, invented, rejection_bounds

from stilts_core.errors import StudyError
from stilts_core.studies.differences import pair_runs
from stilts_core.studies.findings import conclude, decide, judge_effects
from stilts_core.studies.inference import Effect
from stilts_core.studies.power import detectable_margin, power_of_difference, power_of_equivalence
from stilts_core.studies.registration import Standing
from stilts_core.studies.results import StudyTable

COUNT = 200


def support(protocol, effect, **deviations) -> float:
    return Simulation(protocol, lambda cell: effect * (cell.arm == "mnli"), **deviations).support(COUNT)


def test_simulated_pairs_are_those_of_the_simulated_table():
    simulation = Simulation(invented(), lambda cell: 1.0, encoder=1.0, score=1.0)
    (fast,) = simulation.pairs(invented().primary, [7])
    slow = pair_runs(simulation.table(7), invented().primary)
    assert np.array_equal(fast.by_language, slow.by_language) and np.array_equal(fast.encoders, slow.encoders)
    (finding,) = simulation.findings([7])
    assert finding == conclude(simulation.table(7), invented())[0]


def test_null_data_are_rejected_at_the_stated_level():
    rate = support(invented(), 0.0, encoder=1.0, score=1.0)
    low, high = rejection_bounds(0.05, COUNT)
    print(f"difference, null: rejected {rate:.3f} (level .05)")
    assert low <= rate <= high


def test_planted_effect_is_found_at_the_stated_power():
    sd = np.sqrt(1.0 + 2 * 1.0 / 16)  # between encoders, and of the mean over sixteen languages
    stated = power_of_difference(1.0, sd, 12, 0.05, "greater")
    rate = support(invented(primary={"direction": "greater"}), 1.0, encoder=1.0, score=1.0)
    print(f"difference, planted 1.0: found {rate:.3f} (stated power {stated:.3f})")
    low, high = rejection_bounds(stated, COUNT)
    assert low <= rate <= high


@pytest.mark.parametrize(("effect", "share"), [(0.0, "power"), (1.0, "level")])
def test_equivalence_has_its_stated_power_for_no_effect_and_its_level_at_the_margin(effect, share):
    protocol = invented(primary={"test": "equivalence", "sesoi": 1.0})
    rate = support(protocol, effect, encoder=1.0)
    stated = power_of_equivalence(1.0, 1.0, 12, 0.05) if share == "power" else 0.05
    print(f"equivalence, effect {effect}: supported {rate:.3f} (stated {share} {stated:.3f})")
    low, high = rejection_bounds(stated, COUNT)
    assert low <= rate <= high


def test_power_of_equivalence_agrees_with_simulated_tests():
    rng = np.random.default_rng(1)
    margin = detectable_margin(1.0, 12, 0.05)
    draws = rng.normal(0, 1, (20_000, 12))
    error = draws.std(axis=1, ddof=1) / np.sqrt(12)
    both = np.abs(draws.mean(axis=1)) + 1.7958848 * error < margin  # the quantile .95 of Student's t with 11 degrees
    assert both.mean() == pytest.approx(0.9, abs=0.01)


def test_missing_arm_is_refused_by_its_name():
    protocol = invented()
    table = Simulation(protocol, lambda cell: 0.0).table()
    without = StudyTable(table.frame[table.frame["arm"] != "direct"], {})
    with pytest.raises(StudyError, match="no results of direct on udpos; run `stilts study invented`"):
        conclude(without, protocol)


def test_too_few_pairs_are_refused():
    protocol = invented(encoders=["lab-0", "lab-1"])
    with pytest.raises(StudyError, match="has 2 pairs"):
        conclude(Simulation(protocol, lambda cell: 0.0).table(), protocol)


def test_excluded_run_takes_its_pair_with_it():
    protocol = invented()
    table = Simulation(protocol, lambda cell: 2.0 * (cell.arm == "mnli")).table()
    bad = (table.frame["arm"] == "mnli") & (table.frame["encoder"] == "lab-3")
    frame = table.frame.assign(score=table.frame["score"] + 1000 * bad, excluded=np.where(bad, "did not learn", ""))
    finding = conclude(StudyTable(frame, {}), protocol)[0]
    assert finding.n == 11 and abs(finding.value - 2) < 1
    assert finding.notes == ("1 pair was excluded by the protocol's rules.",)


def test_one_encoder_is_tested_over_seeds_and_named():
    protocol = invented(encoders=["lab-5"], seeds=[0, 1, 2, 3])
    finding = conclude(Simulation(protocol, lambda cell: 0.0, run=1.0).table(), protocol)[0]
    assert (finding.unit, finding.n) == ("seed", 4)
    assert finding.notes == ("The claim holds for the encoder lab-5 only.",)


def test_holm_runs_over_confirmatory_contrasts_and_benjamini_hochberg_over_the_others():
    primary = invented().primary.model_dump()
    others = [
        primary | {"name": name, "status": status}
        for name, status in zip("abc", ["confirmatory", "exploratory", "exploratory"], strict=True)
    ]
    protocol = invented(secondary=others)
    findings = conclude(Simulation(protocol, lambda cell: 0.5 * (cell.arm == "mnli")).table(), protocol)
    p = findings[0].p
    assert [finding.p_adjusted for finding in findings] == pytest.approx([min(1, 2 * p), min(1, 2 * p), p, p])
    assert [finding.correction for finding in findings] == ["Holm"] * 2 + ["Benjamini–Hochberg"] * 2


def test_power_of_a_finding_is_that_of_holms_first_step():
    primary = invented().primary.model_dump()
    protocol = invented(secondary=[primary | {"name": "other", "status": "confirmatory"}])
    finding = conclude(Simulation(protocol, lambda cell: 0.0, encoder=1.0).table(), protocol)[0]
    assert finding.power == pytest.approx(power_of_difference(1.0, finding.sd, 12, 0.05 / 2, "two-sided"))
    assert power_of_difference(finding.detectable, finding.sd, 12, 0.05 / 2, "two-sided") == pytest.approx(0.9)


def test_only_confirmatory_contrasts_of_a_confirmatory_study_are_confirmatory():
    primary = invented().primary.model_dump()
    protocol = invented(secondary=[primary | {"name": "other", "status": "exploratory"}])
    table = Simulation(protocol, lambda cell: 0.0).table()
    standings = [None, Standing(True), Standing(False, ("changed",))]
    flags = [[finding.confirmatory for finding in conclude(table, protocol, standing)] for standing in standings]
    assert flags == [[False, False], [True, False], [False, False]]
    assert conclude(table, protocol, Standing(False, ("changed",)))[0].reasons == ("changed",)


@pytest.mark.parametrize(
    ("direction", "interval", "p", "verdict"),
    [
        ("greater", (0.2, 2.0), 0.01, "supported"),
        ("greater", (-0.5, 0.9), 0.6, "not supported"),
        ("greater", (-0.5, 1.1), 0.6, "cannot tell"),
        ("greater", (-3.0, -2.0), 1.0, "not supported"),
        ("less", (-1.1, 0.5), 0.6, "cannot tell"),
        ("two-sided", (-0.9, 0.9), 0.6, "not supported"),
        ("two-sided", (-1.1, 0.9), 0.6, "cannot tell"),
    ],
)
def test_verdict_says_cannot_tell_unless_effects_of_interest_are_excluded(direction, interval, p, verdict):
    contrast = invented(primary={"direction": direction}).primary
    low, high = interval
    assert decide(contrast, Effect((low + high) / 2, low, high, p, 12, 1.0), p) == verdict


def test_identical_runs_are_equivalent_with_full_power():
    protocol = invented(primary={"test": "equivalence"})
    finding = conclude(Simulation(protocol, lambda cell: 0.0, encoder=0.0).table(), protocol)[0]
    assert finding.verdict == "supported" and finding.power == 1.0 and "supported" in finding.sentence


def test_contrast_that_tests_nothing_has_no_verdict_and_leaves_the_exploratory_family():
    primary = invented().primary
    contrasts = [primary] + [
        primary.model_copy(update={"name": name, "status": status})
        for name, status in (("second", "confirmatory"), ("a", "exploratory"), ("b", "exploratory"))
    ]
    effects = [Effect(1.0, 0.1, 1.9, p, 12, 1.0) for p in (0.02, 0.04, 0.01, 0.03)]
    nothing = Effect(0.0, 0.0, 0.0, 1.0, 12, 0.0, untested="both are the same")

    def judge(*changed):
        given = [nothing if place in changed else effect for place, effect in enumerate(effects)]
        return judge_effects(contrasts, given, [None] * 4, None)

    assert [finding.p_adjusted for finding in judge()] == pytest.approx([0.04, 0.04, 0.02, 0.03])
    found = judge(2)
    assert [finding.p_adjusted for finding in found] == pytest.approx([0.04, 0.04, 1.0, 0.03])
    assert (found[2].verdict, found[2].untested) == ("cannot tell", "both are the same")
    assert "not testable: both are the same" in found[2].sentence and "p =" not in found[2].sentence
    assert judge(1)[0].p_adjusted == pytest.approx(0.04)  # the confirmatory family keeps its registered size


def test_exploratory_contrast_whose_pairs_are_all_excluded_leaves_the_others():
    other = invented().primary.model_dump() | {"name": "other", "treatment": "qqp", "status": "exploratory"}
    arms = {name: {"intermediate": name} for name in ("none", "mnli", "qqp")}
    protocol = invented(
        arms={"direct": arms["none"] | {"control": True}, "mnli": arms["mnli"], "qqp": arms["qqp"]}, secondary=[other]
    )
    table = Simulation(protocol, lambda cell: 2.0 * (cell.arm != "direct")).table()
    whole = conclude(table, protocol)
    assert [finding.name for finding in whole] == [protocol.primary.name, "other"]
    table.frame.loc[table.frame["arm"] == "qqp", "excluded"] = "not learnt"
    (left,) = conclude(table, protocol)
    assert left.name == protocol.primary.name and left.value == whole[0].value
    table.frame.loc[table.frame["arm"] == "mnli", "excluded"] = "not learnt"
    with pytest.raises(StudyError, match=r"has 0 pairs of mnli and direct .* \(12 excluded\)"):
        conclude(table, protocol)
