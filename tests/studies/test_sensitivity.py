"""Sensitivity: three models of the same data agree where they must, and differ where only one draws languages."""

import numpy as np
import pytest
from study_fixture import CODES, Simulation, invented

from stilts_core.errors import StudyError
from stilts_core.studies.sensitivity import check_sensitivity


def test_models_agree_on_a_large_effect_and_on_none():
    protocol = invented(seeds=[0, 1], encoders=[f"lab-{number}" for number in range(8)])
    for effect, side in ((3.0, 1), (0.0, 0)):
        simulation = Simulation(
            protocol, lambda cell, effect=effect: effect * (cell.arm == "mnli"), encoder=1.0, score=1.0
        )
        found = check_sensitivity(simulation.table(2), protocol.primary)
        assert found.agrees and (found.encoders.low > 0) == bool(side) and found.mixed.converged
        assert found.mixed.value == pytest.approx(found.encoders.value) and not found.with_items
        assert np.mean(list(found.by_encoder.values())) == pytest.approx(found.encoders.value)


def test_effect_that_varies_between_languages_is_less_certain_for_other_languages():
    effects = np.random.default_rng(0).normal(2, 4, len(CODES))
    simulation = Simulation(invented(), lambda cell: effects * (cell.arm == "mnli"), encoder=0.3, score=0.3)
    found = check_sensitivity(simulation.table(), invented().primary)
    width = found.languages[1] - found.languages[0]
    assert width > 3 * (found.encoders.high - found.encoders.low)
    assert found.mixed.deviations["language"] == pytest.approx(effects[1:].std(ddof=1), rel=0.1)


def test_items_are_drawn_where_they_were_recorded():
    simulation = Simulation(invented(), lambda cell: 0.0, items=40)
    assert check_sensitivity(simulation.table(), invented().primary).with_items


@pytest.mark.parametrize("change", [{"group": "worst-five"}, {"endpoint": "transfer-gap"}, {"test": "slope"}])
def test_other_endpoints_are_refused(change):
    protocol = invented(primary=change)
    with pytest.raises(StudyError, match="is no mean over a group of languages"):
        check_sensitivity(Simulation(protocol, lambda cell: 0.0).table(), protocol.primary)


def test_one_encoder_is_refused():
    protocol = invented(encoders=["lab"], seeds=[0, 1, 2])
    with pytest.raises(StudyError, match="too few encoders to compare models"):
        check_sensitivity(Simulation(protocol, lambda cell: 0.0).table(), protocol.primary)
