"""The score of an arm by its number of target steps."""

import numpy as np
import pytest
from study_fixture import Simulation, invented

from stilts_core.errors import StudyError
from stilts_core.studies.baseline import trace_steps
from stilts_core.studies.differences import pair_runs
from stilts_core.studies.groups import in_group
from stilts_core.studies.results import StudyTable

SIZES = [(128, 64), (512, 64), (128, 256), (512, 1024)]
STEPS = [{"name": f"{i}:{t}", "intermediate_steps": i, "target_steps": t} for i, t in SIZES]
ARMS = {
    "direct": {"intermediate": "none", "control": True},
    "more-target": {"intermediate": "none", "sums": {"target_steps": ["intermediate_steps", "target_steps"]}},
    "mnli": {"intermediate": "mnli"},
}
PROTOCOL = invented(arms=ARMS, factors={"steps": STEPS}, primary={"group": "far"})
SCORES = {64: 0.0, 256: 3.0, 1024: -1.0}  # by target steps: too many do harm
TABLE = Simulation(PROTOCOL, lambda cell: SCORES[int(cell.levels["steps"].split(":")[1])], run=0.1).table()


def test_curve_has_every_number_of_steps_once_and_the_planted_differences():
    curve = trace_steps(TABLE, PROTOCOL, PROTOCOL.primary, "direct", "far")
    assert curve.steps == (64, 256, 1024) and curve.unit == "encoder" and curve.scores.shape == (12, 3)
    assert curve.best == 1
    assert curve.compare(2, 1).value == pytest.approx(-4.0, abs=0.2) and curve.compare(2, 1).high < -3.5


def test_scores_are_those_that_the_pairs_have():
    curve = trace_steps(TABLE, PROTOCOL, PROTOCOL.primary, "direct", "far")
    pairs = pair_runs(TABLE, PROTOCOL.primary)
    rows = [names == ("128:256",) for names in pairs.levels]
    far = [place for place, code in enumerate(pairs.codes) if in_group(code, "far")]
    assert np.sort(curve.scores[:, 1]) == pytest.approx(np.sort(pairs.control[rows][:, far].mean(axis=1)))


def test_sums_count_and_excluded_runs_do_not():
    assert trace_steps(TABLE, PROTOCOL, PROTOCOL.primary, "more-target", "english").steps == (192, 384, 576, 1536)
    left = TABLE.frame.assign(excluded="")
    left.loc[left["encoder"] == "lab-0", "excluded"] = "invented"
    curve = trace_steps(StudyTable(left, {}), PROTOCOL, PROTOCOL.primary, "direct", "far")
    assert len(curve.scores) == 11
    with pytest.raises(StudyError, match="there are no results of direct on udpos"):
        trace_steps(StudyTable(left.assign(excluded="all"), {}), PROTOCOL, PROTOCOL.primary, "direct", "far")
