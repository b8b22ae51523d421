"""Q3: the gate finds planted interactions, rules are judged on encoders that they did not see."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from study_fixture import CODES, Simulation, rejection_bounds

from stilts_core.errors import StudyError
from stilts_core.studies import conduct
from stilts_core.studies.choice import (
    CONTROL,
    analyse,
    candidate_arms,
    compare_rules,
    describe_share,
    measure_gate,
    predict_effects,
    realise,
    share_of_same_choices,
    tabulate_choices,
)
from stilts_core.studies.effects import EffectMap, effects_by_language, map_effects
from stilts_core.studies.groups import in_group, language_distances
from stilts_core.studies.inference import compare_means
from stilts_core.studies.protocol import make_protocol, read_protocol
from stilts_core.studies.results import StudyTable
from stilts_core.studies.transferability import SELECTOR

PROTOCOLS = Path(__file__).parents[2] / "protocols"
FULL = read_protocol(PROTOCOLS / "choice.toml")
# The committed protocol on one target.
PROTOCOL = make_protocol(
    FULL.model_dump()
    | {"targets": ("udpos",), "secondary": tuple(c.model_dump() for c in FULL.secondary if c.target == "udpos")},
    "choice on POS",
)
TASKS = candidate_arms(PROTOCOL)
DISTANCES, RNG = language_distances(CODES), np.random.default_rng(0)


def effect_map(truth, noise=1.0, encoders=12, seed=0) -> EffectMap:
    """Effects of the nine tasks with independent noise for every encoder."""
    rng = np.random.default_rng(seed)
    values = truth + rng.normal(0, noise, (encoders, len(TASKS), len(CODES)))
    return EffectMap("udpos", [f"e{k}" for k in range(encoders)], TASKS, list(CODES), values, None)


def crossing(strength, property_=DISTANCES):
    """Tasks whose effects cross over a property of languages: the best one depends on the language."""
    return strength * np.outer(np.linspace(-1, 1, len(TASKS)), property_ - property_[1:].mean())


def test_candidates_are_the_nine_tasks_without_controls():
    assert len(TASKS) == 9 and {"direct", "sham"}.isdisjoint(TASKS)


def test_effects_are_differences_to_the_control_by_encoder():
    table = Simulation(PROTOCOL, lambda cell: 3.0 * (cell.arm == "ccg"), encoder=0.5, score=0.5).table()
    effects = map_effects(table, "udpos", TASKS, CONTROL)
    assert effects.values.shape == (12, 9, 16) and "en" not in effects.codes
    wide = table.frame.set_index(["arm", "encoder", "language"])["score"]
    for encoder, code in (("lab-wide-3", "qal"), ("lab-wide-11", "qpa")):
        expected = wide["ccg", encoder, code] - wide["direct", encoder, code]
        place = effects.encoders.index(encoder), effects.arms.index("ccg"), effects.codes.index(code)
        assert effects.values[place] == pytest.approx(expected)


def test_halves_of_items_have_the_mean_of_all_items():
    table = Simulation(PROTOCOL, lambda cell: 0.0, items=40).table()
    effects = map_effects(table, "udpos", TASKS, CONTROL)
    assert effects.items.mean(axis=0) == pytest.approx(effects.values)


def test_map_of_languages_is_corrected_for_its_number_of_cells():
    truth = np.zeros((9, 17))
    truth[2, 4] = 8.0
    cells = {(arm, code): p for arm, code, _, p in effects_by_language(effect_map(truth))}
    assert len(cells) == 9 * 17 and cells[TASKS[2], CODES[4]] < 0.001
    assert sum(p < 0.05 for p in cells.values()) <= 3


def test_gate_recovers_the_planted_interaction():
    truth = np.random.default_rng(3).normal(0, 1.0, (9, 17))
    gate = measure_gate(effect_map(truth, noise=2.0))
    centred = truth[:, 1:] - truth[:, 1:].mean(0) - truth[:, 1:].mean(1, keepdims=True) + truth[:, 1:].mean()
    planted = np.sqrt((centred**2).sum() / (8 * 15))
    assert gate.interval[0] < planted < gate.interval[1]
    assert gate.components.interaction == pytest.approx(planted**2, rel=0.35)


def test_gate_is_shut_for_noise():
    """The interval of the interaction begins at zero unless there is one."""
    open_gates = [measure_gate(effect_map(np.zeros((9, 17)), seed=seed)).interval[0] > 0 for seed in range(40)]
    print(f"gate, no interaction: open {np.mean(open_gates):.3f} of 40 (level .025)")
    assert np.mean(open_gates) <= rejection_bounds(0.025, 40)[1]


def test_gate_names_what_explains_the_interaction():
    gate = measure_gate(effect_map(crossing(10.0), noise=0.5))
    assert gate.by_distance > 0.95 and gate.by_size < 0.3


def test_prediction_is_the_line_through_the_other_languages():
    learnt = RNG.normal(0, 1, (9, 17))
    predicted = predict_effects(learnt, DISTANCES, CODES)
    for place in (0, 5, 16):
        others = [other for other in range(1, 17) if other != place]
        for task in (0, 8):
            slope, intercept = np.polyfit(DISTANCES[others], learnt[task, others], 1)
            assert predicted[task, place] == pytest.approx(intercept + slope * DISTANCES[place])


def test_prediction_leaves_the_language_itself_out():
    learnt = crossing(5.0).copy()
    changed = learnt.copy()
    changed[:, 4] += 100.0
    before, after = (predict_effects(values, DISTANCES, CODES)[:, 4] for values in (learnt, changed))
    assert before == pytest.approx(after) and before == pytest.approx(learnt[:, 4])


def test_prediction_leaves_real_languages_out_by_family():
    codes = ["en", "de", "nl", "ja", "ko", "tr", "fi", "sw", "yo"]
    distances, learnt = language_distances(codes), np.arange(9.0)[None]
    changed = learnt.copy()
    changed[0, 2] += 100.0  # Dutch, which is of the family of German
    places = [codes.index("de"), codes.index("nl")]
    assert predict_effects(learnt, distances, codes)[:, places] == pytest.approx(
        predict_effects(changed, distances, codes)[:, places]
    )


def test_prediction_of_many_properties_is_that_of_each():
    learnt, properties = RNG.normal(0, 1, (9, 17)), RNG.normal(0, 1, (2, 3, 17))
    together = predict_effects(learnt, properties, CODES)
    for place in np.ndindex(2, 3):
        assert together[place] == pytest.approx(predict_effects(learnt, properties[place], CODES))
    chosen = np.array([4, 11])
    assert predict_effects(learnt, properties, CODES, chosen) == pytest.approx(together[..., chosen])


def test_placebo_hardly_depends_on_its_draws(monkeypatch):
    """Other permutations leave the placebo's gain where it is, to a fiftieth of the margin of the primary contrast."""
    effects, draw = effect_map(crossing(10.0), noise=2.0), np.random.default_rng
    gains = []
    for first in (0, 100, 200, 300):
        monkeypatch.setattr(np.random, "default_rng", lambda seed, first=first: draw(seed + first))
        gains.append(realise(effects, "placebo", "little-text").gains.mean())
    print(f"placebo with other permutations: SD {np.std(gains):.4f} points")
    assert np.std(gains) < PROTOCOL.primary.sesoi / 50


def test_typology_gains_over_its_placebo_where_effects_follow_distance():
    effects = effect_map(crossing(10.0))
    typology, placebo, oracle, size = (
        realise(effects, rule, "non-english") for rule in ("typology", "placebo", "oracle", "size")
    )
    assert typology.gains.mean() > placebo.gains.mean() + 1 and typology.gains.mean() > size.gains.mean() + 1
    assert oracle.gains.mean() >= typology.gains.mean() and oracle.regret_1 == 0 and oracle.ndcg == 1
    assert typology.regret_3 <= typology.regret_1 < placebo.regret_1 and typology.ndcg > placebo.ndcg


def test_typology_is_equivalent_to_its_placebo_where_effects_are_the_same_in_all_languages():
    supported = []
    for seed in range(30):
        effects = effect_map(np.linspace(-2, 2, 9)[:, None] * np.ones(17), noise=0.7, seed=seed)
        gains = [realise(effects, rule, "little-text", permutations=10).gains for rule in ("typology", "placebo")]
        supported.append(compare_rules(PROTOCOL.primary, *gains).p < 0.05)
    print(f"typology against placebo, one best task: equivalent {np.mean(supported):.3f} of 30")
    assert np.mean(supported) > 0.8


def test_rules_choose_the_same_where_one_task_is_best_everywhere_and_differ_where_distance_decides():
    best = np.zeros((len(TASKS), len(CODES)))
    best[3] = 20.0
    same = effect_map(best, noise=0.5)
    assert share_of_same_choices(same, "typology", "placebo", "non-english") == 1.0
    crossed = effect_map(crossing(20.0), noise=0.1)
    assert share_of_same_choices(crossed, "typology", "placebo", "non-english") < 0.8
    assert share_of_same_choices(crossed, "typology", "typology", "far") == 1.0


def test_contrast_of_rules_that_choose_alike_tests_nothing():
    """One task is best by far for every language: zero is what both rules gain, and no finding about typology."""

    def found(best: float) -> dict:
        table = Simulation(PROTOCOL, lambda cell: best * (cell.arm == "ccg"), encoder=0.2, run=0.1, score=0.5).table()
        return {finding.name: finding for finding in analyse(table, PROTOCOL)}

    alike, apart = found(20.0), found(0.0)
    for name in ("typology against placebo, POS", "size is no worse than typology, POS"):
        assert alike[name].untested == "both rules choose the same task in 100 % of cases"
        assert alike[name].verdict == "cannot tell" and alike[name].p == 1.0 and apart[name].untested == ""
    assert all(alike[f"{name}, POS"].untested == "" for name in ("typology against a random task", "permuted labels"))


def test_share_of_equal_choices_is_all_of_them_only_where_it_is():
    assert [describe_share(share) for share in (1.0, 0.9997, 0.99, 0.984)] == ["100 %", "99.9 %", "99.0 %", "98 %"]


def test_difference_of_rules_is_rejected_at_its_level_for_noise():
    """The rules that are compared learn from overlapping sets of encoders; the corrected test keeps its level."""
    contrast = next(c for c in PROTOCOL.secondary if c.control == "size").model_copy(update={"direction": "two-sided"})
    p_values = []
    for seed in range(100):
        effects = effect_map(np.zeros((9, 17)), seed=seed)
        gains = [realise(effects, rule, "little-text").gains for rule in ("typology", "size")]
        p_values.append([compare_rules(contrast, *gains).p, compare_means(gains[0] - gains[1]).p])
    rates = (np.array(p_values) < 0.05).mean(axis=0)
    print(f"typology against size, noise: rejected {rates[0]:.3f} (level .05), without the correction {rates[1]:.3f}")
    assert rates[0] <= rejection_bounds(0.05, 100)[1]


def test_rules_do_not_see_the_encoder_that_judges_them():
    """For pure noise no rule gains anything on average; the oracle, which sees it, gains the most of nine draws."""
    gains = {rule: [] for rule in ("typology", "global", "english", "random", "oracle")}
    for seed in range(25):
        effects = effect_map(np.zeros((9, 17)), seed=seed)
        for rule, of_rule in gains.items():
            of_rule.append(realise(effects, rule, "non-english").gains.mean())
    means = {rule: np.mean(of_rule) for rule, of_rule in gains.items()}
    assert all(abs(means[rule]) < 0.06 for rule in ("typology", "global", "english", "random"))
    assert means["oracle"] == pytest.approx(1.485, abs=0.05)  # the expected maximum of nine standard normal draws


def test_random_rule_gains_the_mean_of_all_tasks():
    effects = effect_map(crossing(3.0))
    assert realise(effects, "random", "far").gains == pytest.approx(
        effects.values[..., [in_group(code, "far") for code in CODES]].mean(axis=(1, 2))
    )


def test_random_rule_agrees_with_many_drawn_orders():
    effects = effect_map(crossing(3.0), encoders=4)
    expected = realise(effects, "random", "far")
    drawn = [realise(effects, "drawn", "far", RNG.normal(0, 1, (9, 17))) for _ in range(800)]
    for name in ("regret_1", "regret_3", "ndcg"):
        assert getattr(expected, name) == pytest.approx(np.mean([getattr(one, name) for one in drawn]), rel=0.05)


def test_measured_scores_choose_where_the_table_has_them():
    effects = effect_map(np.arange(9.0)[:, None] * np.ones(17), noise=0.1)
    good, bad = np.arange(9.0)[:, None].repeat(17, axis=1), -np.arange(9.0)[:, None].repeat(17, axis=1)
    assert realise(effects, "logme", "far", good).gains.mean() == pytest.approx(8, abs=0.1)
    assert realise(effects, "logme", "far", bad).gains.mean() == pytest.approx(0, abs=0.1)
    with pytest.raises(StudyError, match="there is no rule 'logme' and no metric selector:logme"):
        realise(effects, "logme", "far")


def test_analysis_of_a_table_supports_the_placebo_and_lists_every_rule():
    truth = dict(zip(TASKS, np.linspace(-3, 3, 9), strict=True))
    table = Simulation(PROTOCOL, lambda cell: truth.get(cell.arm, 0.0), encoder=0.2, score=3.0).table()
    frame = table.frame
    english = frame[(frame["language"] == "en") & frame["arm"].isin(TASKS)]
    measured = english.assign(metric=SELECTOR + "logme", score=english["arm"].map(truth))
    table = StudyTable(pd.concat([frame, measured], ignore_index=True), {})
    findings = {finding.name: finding for finding in analyse(table, PROTOCOL)}
    assert findings["typology against placebo, POS"].verdict == "supported"
    assert findings["typology against a random task, POS"].value == pytest.approx(3, abs=0.3)
    choices = {choice.rule: choice for choice in tabulate_choices(table, PROTOCOL, "udpos", "little-text")}
    assert set(choices) == {*PROTOCOL.selectors, "logme"}
    assert choices["logme"].gains.mean() == pytest.approx(3, abs=0.4)


def test_rule_without_its_task_or_without_english_is_refused_or_left_out():
    effects = effect_map(np.zeros((9, 17)))
    other = replace(effects, arms=[name.replace("mnli", "other") for name in TASKS])
    with pytest.raises(StudyError, match="there is no rule 'always-mnli'"):
        realise(other, "always-mnli", "far")
    table = Simulation(PROTOCOL, lambda cell: 0.0).table()
    without = StudyTable(table.frame[table.frame["language"] != "en"], {})
    rules = {choice.rule for choice in tabulate_choices(without, PROTOCOL, "udpos", "far")}
    assert rules == set(PROTOCOL.selectors) - {"english"}


@pytest.mark.parametrize("arm", ["direct", "qqp"])
def test_missing_candidate_is_refused(arm):
    table = Simulation(PROTOCOL, lambda cell: 0.0).table()
    with pytest.raises(StudyError, match=f"no results of {arm} on udpos"):
        analyse(StudyTable(table.frame[table.frame["arm"] != arm], {}), PROTOCOL)


def test_with_one_encoder_a_rule_learns_from_other_seeds():
    protocol = read_protocol(PROTOCOLS / "choice-real.toml")
    gains = dict(zip(candidate_arms(protocol), range(1, 10), strict=True))
    findings = conduct.analyse(
        Simulation(protocol, lambda cell: gains.get(cell.arm, 0.0), encoder=0.0, score=0.1).table(), protocol
    )
    assert {(finding.n, finding.unit) for finding in findings} == {(3, "seed")}
    assert findings[0].value == pytest.approx(0, abs=0.1)
