"""Paired differences: invariances that hold whatever the scores are."""

import numpy as np
import pandas as pd
import pytest
from study_fixture import CODES, Simulation, invented

from stilts_core.studies.differences import pair_runs
from stilts_core.studies.groups import in_group
from stilts_core.studies.results import StudyTable

PROTOCOL = invented(seeds=[0, 1], factors={"intermediate_lr": [1e-3, 3e-4]})
CONTRAST = PROTOCOL.primary
TABLE = Simulation(PROTOCOL, lambda cell: 2.0 * (cell.arm == "mnli"), encoder=1.0, run=1.0, score=1.0).table()


def changed(**columns) -> StudyTable:
    return StudyTable(TABLE.frame.assign(**columns), {})


def test_pairs_are_the_whole_crossing_of_encoders_seeds_and_levels():
    pairs = pair_runs(TABLE, CONTRAST)
    keys = set(zip(pairs.encoders, pairs.seeds, pairs.levels, strict=True))
    assert len(pairs) == len(keys) == 12 * 2 * 2 and pairs.dropped == 0
    assert pairs.codes == sorted(CODES) and pairs.by_language.shape == (48, 17)


def test_difference_is_that_of_the_two_scores_in_the_table():
    pairs = pair_runs(TABLE, CONTRAST)
    scores = TABLE.frame.set_index(["arm", "encoder", "seed", "factor:intermediate_lr", "language"])["score"]
    for place in (0, 17, 47):
        key = (pairs.encoders[place], pairs.seeds[place], *pairs.levels[place], "qal")
        expected = scores["mnli", *key] - scores["direct", *key]
        assert pairs.by_language[place, pairs.codes.index("qal")] == pytest.approx(expected)


def test_order_of_rows_does_not_matter():
    shuffled = StudyTable(TABLE.frame.sample(frac=1, random_state=0), {})
    assert np.array_equal(pair_runs(shuffled, CONTRAST).by_language, pair_runs(TABLE, CONTRAST).by_language)


def test_swapped_arms_change_the_sign():
    swapped = CONTRAST.model_copy(update={"treatment": "direct", "control": "mnli"})
    assert np.array_equal(pair_runs(TABLE, swapped).endpoint, -pair_runs(TABLE, CONTRAST).endpoint)


def test_what_both_runs_of_a_pair_share_does_not_matter():
    shift = 7.0 * TABLE.frame["seed"] + TABLE.frame["encoder"].str.len() - TABLE.frame["language"].map(CODES.index)
    moved = pair_runs(changed(score=TABLE.frame["score"] + shift), CONTRAST)
    assert moved.by_language == pytest.approx(pair_runs(TABLE, CONTRAST).by_language)


def test_language_that_one_run_lacks_is_left_out_everywhere():
    frame = TABLE.frame
    cut = frame[~((frame["language"] == "qal") & (frame["arm"] == "mnli") & (frame["encoder"] == "lab-3"))]
    pairs = pair_runs(StudyTable(cut, {}), CONTRAST)
    assert len(pairs) == 48 and "qal" not in pairs.codes and len(pairs.codes) == 16


def test_levels_choose_pairs():
    one = pair_runs(TABLE, CONTRAST.model_copy(update={"levels": {"intermediate_lr": ("0.001",)}}))
    assert len(one) == 24 and set(one.levels) == {("0.001",)}


def test_control_may_have_another_metric():
    frame = TABLE.frame
    both = StudyTable(pd.concat([frame, frame.assign(metric="centred", score=frame["score"] + 30)]), {})
    other = pair_runs(both, CONTRAST.model_copy(update={"control_metric": "centred"}))
    assert other.by_language == pytest.approx(pair_runs(TABLE, CONTRAST).by_language - 30)


def test_endpoint_of_a_group_is_the_mean_of_its_languages():
    pairs = pair_runs(TABLE, CONTRAST.model_copy(update={"group": "far"}))
    columns = [place for place, code in enumerate(pairs.codes) if in_group(code, "far")]
    assert pairs.endpoint == pytest.approx(pairs.by_language[:, columns].mean(axis=1))
    assert pairs.array().shape == (12, 4, len(columns)) and not np.isnan(pairs.array()).any()
    assert pairs.array().mean(axis=(1, 2)) == pytest.approx(pairs.by_unit())


def test_encoders_with_fewer_runs_count_as_much_as_others():
    frame = TABLE.frame
    cut = StudyTable(frame[~((frame["encoder"] == "lab-5") & (frame["seed"] == 1))], {})
    pairs, whole = pair_runs(cut, CONTRAST), pair_runs(TABLE, CONTRAST)
    assert len(pairs) == 46 and len(pairs.by_unit()) == 12
    place = sorted(set(pairs.encoders)).index("lab-5")
    assert np.delete(pairs.by_unit(), place) == pytest.approx(np.delete(whole.by_unit(), place))
    assert np.isnan(pairs.array()).any(axis=(1, 2)).sum() == 1


def test_items_average_to_the_scores():
    table = Simulation(invented(), lambda cell: 0.0, items=32).table()
    pairs = pair_runs(table, invented().primary)
    means = np.stack([values.mean(axis=1) for values in pairs.items], axis=1)
    assert means == pytest.approx(pairs.by_language)
    frame = table.frame.copy()
    frame.loc[0, "items"] = None
    assert pair_runs(StudyTable(frame, {}), invented().primary).items is None
