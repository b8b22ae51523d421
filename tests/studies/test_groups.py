"""Groups of languages: the terciles of the facts, and endpoints that do not favour one run of a pair."""

import numpy as np
import pytest

from stilts_core.errors import ConfigError
from stilts_core.laboratory.language.design import CODES
from stilts_core.studies.groups import check_group, group_mean, in_group, transfer_gap
from stilts_core.tasks.catalogue import TASKS
from stilts_core.tasks.languages import languages

XTREME = ("xtreme", "xtreme-r")  # the benchmarks, over whose languages the terciles were cut


def members(group, codes):
    return {code for code in codes if in_group(code, group)}


def test_real_groups_are_those_of_the_protocols():
    codes = {code for task in TASKS.values() for name in XTREME for code in task.languages.get(name, ())}
    assert len(codes) == 50 and codes < set(languages())
    assert members("far", codes) == set(
        ["az", "bn", "fa", "gu", "ja", "kk", "ko", "ml", "mr", "my", "qu", "sw", "ta", "te", "tr", "yo"]
    )
    assert members("low-resource", codes) == set(["af", "eu", "gu", "jv", "mr", "my", "pa", "sw", "tl"])
    assert len(members("near", codes)) == pytest.approx(len(codes) / 3, abs=1)


def test_laboratory_groups_follow_its_design():
    assert members("far", CODES) == set(["qil", "qja", "qko", "qlu", "qme", "qno", "qor", "qpa"])
    assert members("near", CODES) == set(["qal", "qbe", "qco", "qdu"])
    assert members("unseen", CODES) == set(["qal", "qes", "qil", "qme"])
    assert members("low-resource", CODES) == set(["qbe", "qfa", "qja", "qno"])
    assert members("little-text", CODES) == members("unseen", CODES) | members("low-resource", CODES)
    assert members("non-english", CODES) == set(CODES) - {"en"} and members("english", CODES) == {"en"}
    assert members("qal,qpa", CODES) == {"qal", "qpa"} and members("en,qal", CODES) == {"en", "qal"}


@pytest.mark.parametrize("group", ["furthest", "", "qal qbe", "xx"])
def test_unknown_group_is_an_error(group):
    with pytest.raises(ConfigError):
        check_group(group)


def test_worst_five_of_equal_runs_do_not_differ_on_average():
    """Languages that the control's own noise chose would show a gain where there is none."""
    rng = np.random.default_rng(0)
    treatment, control = rng.normal(50, 5, (2, 4000, 16))
    codes = list(CODES[1:])
    difference = group_mean(treatment, codes, "worst-five") - group_mean(control, codes, "worst-five")
    assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(4000)
    chosen_by_control = np.argsort(control, axis=1)[:, :5]
    biased = np.take_along_axis(treatment - control, chosen_by_control, axis=1).mean(axis=1)
    assert biased.mean() > 3


def test_transfer_gap_is_english_minus_the_group():
    scores = np.array([[80.0, 50.0, 60.0]])
    assert transfer_gap(scores, ["en", "qal", "qpa"], "non-english") == 25
    with pytest.raises(ConfigError, match="English was not scored"):
        transfer_gap(scores, ["qbe", "qal", "qpa"], "non-english")
    with pytest.raises(ConfigError, match="none of its languages was scored"):
        group_mean(scores, ["qbe", "qal", "qpa"], "english")
