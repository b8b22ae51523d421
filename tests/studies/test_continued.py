"""Q2: the 2 × 2 and the mediator recover what was planted; missing arms are refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from study_fixture import CODES, Simulation, invented, rejection_bounds

from stilts_core.errors import StudyError
from stilts_core.studies.continued import MLM_LOSS, cross_labels_and_text, forgetting, mediate
from stilts_core.studies.findings import conclude, evaluate, judge_effects
from stilts_core.studies.groups import in_group
from stilts_core.studies.protocol import read_protocol
from stilts_core.studies.results import StudyTable

PROTOCOL = read_protocol(Path(__file__).parents[2] / "protocols" / "continued.toml")
ARMS = {
    "direct": {"intermediate": "none"},
    "labels": {"intermediate": "mnli"},
    "text": {"intermediate": "mlm"},
    "labels-and-text": {"intermediate": "mnli", "auxiliary": "mlm"},
}
UNSEEN = np.array([in_group(code, "unseen") for code in CODES], float)


def study():
    return invented(arms=ARMS, primary={"treatment": "text", "control": "direct", "group": "unseen"})


def planted(labels, text, interaction):
    effects = {"labels": labels, "text": text, "labels-and-text": labels + text + interaction}
    return lambda cell: effects.get(cell.arm, 0.0)


def test_two_by_two_finds_main_effects_and_interaction():
    protocol = study()
    table = Simulation(protocol, planted(-1.0, 2.0, 0.8), encoder=0.1, run=0.1).table()
    crossed = cross_labels_and_text(table, protocol, "udpos", "non-english")
    values = (crossed.labels.value, crossed.text.value, crossed.interaction.value)
    assert values == pytest.approx((-1.0 + 0.4, 2.0 + 0.4, 0.8), abs=0.25)


def test_interaction_of_additive_effects_is_rejected_at_its_level():
    protocol = study()
    simulation = Simulation(protocol, planted(-1.0, 2.0, 0.0), encoder=1.0)
    p = [cross_labels_and_text(simulation.table(seed), protocol, "udpos", "all").interaction.p for seed in range(50)]
    rate = np.mean(np.array(p) < 0.05)
    print(f"2 x 2, no interaction: rejected {rate:.3f} of 50 (level .05)")
    assert rate <= rejection_bounds(0.05, 50)[1]


def with_mediator(table: StudyTable, slope: float, seed: int = 0) -> StudyTable:
    """The table with an MLM loss that text lowers where languages are unseen, and scores that follow it."""
    rng = np.random.default_rng(seed)
    frame = table.frame.copy()
    change = np.where(
        frame["arm"] == "text", -2.0 * frame["language"].isin([c for c, u in zip(CODES, UNSEEN, strict=True) if u]), 0
    )
    change = change + rng.normal(0, 0.1, len(frame))
    loss = frame.assign(metric=MLM_LOSS, score=4.0 + change, n=0)
    frame["score"] += slope * change
    return StudyTable(pd.concat([frame, loss], ignore_index=True), {})


def test_mediation_recovers_the_planted_slope_and_change():
    protocol = study()
    contrast = protocol.primary.model_copy(update={"group": "non-english"})
    table = with_mediator(Simulation(protocol, lambda cell: 0.0, encoder=0.1, score=0.1).table(), -1.5)
    found = mediate(table, contrast)
    assert found.slope.value == pytest.approx(-1.5, abs=0.1)
    assert found.change.value == pytest.approx(-2.0 * 4 / 16, abs=0.05)
    assert found.mediated.value == pytest.approx(0.75, abs=0.1)


def test_mediation_in_one_group_has_its_change_and_that_of_the_others():
    protocol = study()
    contrast = protocol.primary.model_copy(update={"group": "non-english"})
    table = with_mediator(Simulation(protocol, lambda cell: 0.0, encoder=0.1, score=0.1).table(), -1.5)
    found = mediate(table, contrast, place="unseen")
    assert found.change.value == pytest.approx(-2.0, abs=0.1) and abs(found.elsewhere.value) < 0.1
    assert found.mediated.value == pytest.approx(3.0, abs=0.2)  # the whole effect that was planted there
    assert found.slope == mediate(table, contrast).slope


def test_mediator_that_was_not_recorded_is_refused():
    protocol = study()
    with pytest.raises(StudyError, match="with metric 'mlm_loss'"):
        mediate(Simulation(protocol, lambda cell: 0.0).table(), protocol.primary)


def test_text_of_unseen_languages_is_found_there_and_only_there():
    simulation = Simulation(PROTOCOL, lambda cell: 3.0 * UNSEEN * (cell.arm == "text-unseen"), encoder=0.5, run=0.3)
    findings = {finding.name: finding for finding in conclude(simulation.table(), PROTOCOL)}
    assert findings[PROTOCOL.primary.name].verdict == "supported"
    assert findings["forgetting of English under text of unseen languages"].verdict != "supported"
    assert findings["text against labels"].verdict != "supported"


def test_family_of_the_committed_protocol_keeps_its_error_rate(monkeypatch):
    """Under null data, a confirmatory contrast is supported in at most 5 % of the studies: Holm's correction."""
    simulation = Simulation(PROTOCOL, lambda cell: 0.0, encoder=1.0, run=1.0)
    monkeypatch.setattr("gc.collect", lambda *_: 0)  # statsmodels collects garbage for every family: 0.1 s
    family = PROTOCOL.family
    effects = [[evaluate(of, PROTOCOL) for of in simulation.pairs(contrast, range(200))] for contrast in family]
    any_supported = [
        any(finding.verdict == "supported" for finding in judge_effects(family, of_table, [None] * len(family), None))
        for of_table in zip(*effects, strict=True)
    ]
    print(f"family of continued, null: any supported {np.mean(any_supported):.3f} (level .05)")
    assert np.mean(any_supported) <= rejection_bounds(0.05, 200)[1]


def test_forgetting_is_by_arm_and_on_english_alone():
    english = np.array([code == "en" for code in CODES], float)
    protocol = study()
    table = Simulation(protocol, lambda cell: -2.0 * english * (cell.arm == "text"), encoder=0.1).table()
    effects = forgetting(table, protocol, "udpos")
    assert set(effects) == {"labels", "text", "labels-and-text"}
    assert effects["text"].high < -1.5 and abs(effects["labels"].value) < 0.3


@pytest.mark.parametrize("arm", ["labels", "text-unseen", "more-target"])
def test_missing_arm_is_refused(arm):
    table = Simulation(PROTOCOL, lambda cell: 0.0).table()
    without = StudyTable(table.frame[table.frame["arm"] != arm], {})
    with pytest.raises(StudyError, match=f"no results of {arm} on"):
        conclude(without, PROTOCOL)


def test_two_by_two_without_one_of_its_arms_is_refused():
    protocol = study()
    table = Simulation(protocol, lambda cell: 0.0).table()
    without = StudyTable(table.frame[table.frame["arm"] != "labels-and-text"], {})
    with pytest.raises(StudyError, match="no results of labels-and-text"):
        cross_labels_and_text(without, protocol, "udpos", "all")
