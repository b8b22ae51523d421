"""Q5: the manipulation check and the choice of a weight; planted harm is found, missing arms are refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from study_fixture import Simulation, rejection_bounds

from stilts_core.errors import StudyError
from stilts_core.studies.adversary import PROBE, check_manipulation, choose_weight
from stilts_core.studies.findings import conclude
from stilts_core.studies.power import power_of_difference
from stilts_core.studies.protocol import read_protocol
from stilts_core.studies.results import StudyTable

PROTOCOL = read_protocol(Path(__file__).parents[2] / "protocols" / "adversary.toml")
HARM = {"reversal": -25.0, "reversal-token": -20.0, "reversal-weak": -2.0, "mlm": 4.0}
WEIGHTS = ["reversal-weak", "reversal"]


def results(dev=None, probe=None, effects=HARM, seed=0) -> StudyTable:
    """A table of the committed study, with dev scores, probes, and retrieval with languages centred."""
    table = Simulation(PROTOCOL, lambda cell: effects.get(cell.arm, 0.0), encoder=3.0, run=1.0).table(seed)
    frame, rng = table.frame, np.random.default_rng(seed)
    parts = [frame, frame[frame["target"] == "tatoeba"].assign(metric="centred", score=lambda rows: rows["score"] + 20)]
    english = frame[frame["language"] == "en"]
    for metric, values, noise in (("dev:target:udpos", dev, 0.3), (PROBE, probe, 0.3)):
        if values is not None:
            score = english["arm"].map(values).fillna(80.0 if metric != PROBE else 99.0)
            parts.append(english.assign(metric=metric, score=score + rng.normal(0, noise, len(english))))
    return StudyTable(pd.concat(parts, ignore_index=True), {})


def test_planted_harm_is_found_and_centring_is_not_beaten():
    findings = {finding.name: finding for finding in conclude(results(), PROTOCOL)}
    assert findings["reversal harms raw retrieval"].verdict == "supported"
    assert findings["reversal harms raw retrieval"].value == pytest.approx(-25, abs=4)
    weak = findings["a weak reversal does not reach centring without training"]
    assert weak.verdict == "supported" and weak.value == pytest.approx(-22, abs=4)
    assert findings["random labels"].value == pytest.approx(0, abs=4)  # no effect was planted


@pytest.mark.parametrize(("harm", "name"), [(0.0, "level"), (-6.0, "power")])
def test_primary_contrast_keeps_its_level_and_has_its_power(harm, name):
    stated = 0.05 if not harm else power_of_difference(harm, 7.0, 12, 0.05, "less")
    rate = Simulation(PROTOCOL, lambda cell: harm * (cell.arm == "reversal"), encoder=7.0).support(200)
    print(f"adversary, harm {harm}: supported {rate:.3f} (stated {name} {stated:.3f})")
    low, high = rejection_bounds(stated, 200)
    assert low <= rate <= high


def test_manipulation_succeeds_only_where_a_fresh_probe_falls():
    table = results(probe={"reversal": 70.0})
    checks = {check.arm: check for check in check_manipulation(table, PROTOCOL, [*WEIGHTS, "random-labels"], "tatoeba")}
    assert checks["reversal"].probe.p < 0.05 and checks["reversal"].probe.value == pytest.approx(-29, abs=1)
    assert checks["reversal-weak"].probe.p >= 0.05 or checks["reversal-weak"].probe.value > -1


def test_probe_that_was_not_recorded_is_refused():
    with pytest.raises(StudyError, match="with metric 'language_probe'"):
        check_manipulation(results(), PROTOCOL, WEIGHTS, "tatoeba")


def test_weight_is_chosen_by_english_dev_and_not_by_the_best_result():
    table = results(dev={"reversal": 90.0, "reversal-weak": 85.0})
    choice = choose_weight(table, PROTOCOL, WEIGHTS, "udpos", "non-english")
    assert (choice.chosen, choice.best) == ("reversal", "reversal-weak")
    assert choice.gain.value < choice.best_gain.value


def test_choice_without_dev_scores_is_refused():
    with pytest.raises(StudyError, match="no English dev score on udpos of reversal, reversal-weak"):
        choose_weight(results(), PROTOCOL, WEIGHTS, "udpos", "non-english")


@pytest.mark.parametrize("arm", ["lambda-0", "mlm", "random-labels", "direct"])
def test_missing_control_is_refused(arm):
    table = results()
    with pytest.raises(StudyError, match=f"no results of {arm} on"):
        conclude(StudyTable(table.frame[table.frame["arm"] != arm], {}), PROTOCOL)


def test_study_without_centred_scores_is_refused():
    table = results()
    with pytest.raises(StudyError, match="has 0 pairs"):
        conclude(StudyTable(table.frame[table.frame["metric"] != "centred"], {}), PROTOCOL)
