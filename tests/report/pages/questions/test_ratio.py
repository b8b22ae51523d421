"""The chapter of the ratio: whether the ratio alone decides, and whether the baseline is trained too long."""

from functools import cache

import numpy as np
from question_fixture import SOURCES
from study_fixture import Simulation

from stilts_core.report.pages.questions.build import QUESTIONS
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.ratio_baseline import explain_baseline
from stilts_core.report.pages.questions.ratio_criteria import explain_criteria
from stilts_core.report.pages.questions.ratio_steps import explain_steps
from stilts_core.studies.conduct import open_study
from stilts_core.studies.findings import conclude
from stilts_core.studies.results import StudyTable

MANY = 9  # log2 of the target steps beyond which an invented baseline may be over-trained


@cache
def open_simulated(
    name: str, intermediate: float, target: float, *, harm=0.0, noise=0.1, rate=0.0, blocks: int | None = None
) -> Chapter:
    """The chapter of a committed protocol with planted slopes of MNLI's effect, in points a doubling.

    After many target steps every arm loses `harm` points. At the higher learning rate the slope on the ratio is `rate`
    larger. The table has the first `blocks` blocks of the protocol.
    """
    study = open_study(name, SOURCES)

    def effect(cell) -> float:
        steps = np.log2([int(part) for part in cell.levels["steps"].split(":")])
        more = rate * (steps[0] - steps[1]) * (cell.levels.get("rate") == "1e-3")
        own = intermediate * steps[0] + target * steps[1] + more
        return own * (cell.arm == "mnli") - harm * (steps[1] > MANY)

    table = Simulation(study.protocol, effect, encoder=noise, run=noise).table()
    table = StudyTable(table.frame, {"blocks": dict.fromkeys(study.protocol.blocks[:blocks])})
    return Chapter(study, None, table, "", tuple(conclude(table, study.protocol)), "")


def statuses(chapter: Chapter, arm: Chapter | None = None) -> list[str]:
    """What the table of the criteria says about each of them."""
    rows = [line for line in plain(explain_criteria(chapter, arm)).splitlines() if line.startswith("| ")]
    return [row.split(" | ")[-1].removesuffix(" |") for row in rows[2:]]


def plain(parts: list[str]) -> str:
    return "\n".join(parts).replace("\u00a0", " ")


def test_both_arms_ask_whether_the_ratio_alone_decides_and_show_their_baseline():
    assert {explain_steps, explain_baseline} <= {*QUESTIONS["ratio"].real} & {*QUESTIONS["ratio"].mechanism}


def test_effect_that_depends_on_the_ratio_alone_supports_the_second_part():
    words = plain(explain_steps(open_simulated("ratio", -0.5, 0.5)))
    assert "support the second part" in words and "speak against" not in words and "less than 0.5 points" in words


def test_effect_of_the_target_steps_speaks_against_the_ratio_alone_on_real_languages():
    words = plain(explain_steps(open_simulated("ratio-real", -0.28, 1.0, noise=0.01)))
    assert "speak against the second part" in words and "doubling of both numbers changes the effect by +0.7" in words
    row = next(line for line in words.splitlines() if line.startswith("| 2:1 |"))
    assert "64 : 32: " in row and "256 : 128: " in row and "| +1.4" in row  # two doublings of both numbers
    assert "fitted within each seed" in words and "encoder" not in words


def test_what_a_wide_interval_says_is_that_the_second_part_is_open():
    words = plain(explain_steps(open_simulated("ratio-real", -0.3, 0.3, noise=4.0)))
    assert "Whether the second part holds is open" in words
    assert "90 % interval" in words and "does not lie within the margin of ±0.5" in words


def test_interim_results_do_not_judge_the_second_part():
    words = plain(explain_steps(open_simulated("ratio", -0.3, 1.0, blocks=6)))
    assert "is judged when all encoders are done" in words and "speak against" not in words


def test_criteria_are_met_where_the_data_speak_against_the_hypothesis():
    kept = statuses(open_simulated("ratio", -2.0, 2.0))
    assert kept == ["not met", "not met: within ±1", "in the laboratory not met", "not met", "not met"]
    changed = statuses(open_simulated("ratio", 2.0, -0.5, rate=-1.0))
    assert changed[0] == "**met**" and changed[1].startswith("**met**: the ratio counts together with the rate")
    assert changed[2] == "in the laboratory **met**"


def test_control_that_explains_a_small_slope_is_said_to_say_little():
    chapter, arm = open_simulated("ratio", 0.0, 0.0), open_simulated("ratio-real", -0.3, 1.0)
    words = plain(explain_criteria(chapter, arm))
    assert statuses(chapter, arm)[3:] == ["**met**: within ±1"] * 2 and "no more than the small slope does" in words
    assert "on real languages it is +0.7" in words and "90 % interval, which excludes zero" in words
    assert "no more than" not in plain(explain_criteria(open_simulated("ratio", -2.0, 2.0), None))


def test_criteria_wait_for_all_encoders():
    words = plain(explain_criteria(open_simulated("ratio", -0.3, 1.0, blocks=6), None))
    assert words == "What came is shown here when all encoders are done."


def test_baseline_that_loses_with_more_steps_is_called_over_trained():
    words = plain(explain_baseline(open_simulated("ratio", 0.0, 0.0, harm=3.5, noise=0.01)))
    assert "**The baseline is over-trained.** With 1,024 target steps instead of " in words and "by −3." in words
    assert "`more-target`, which has up to 3,072 target steps, is a weak control" in words
    assert words.count("| – |") == 2  # the best number of steps, in both groups of languages


def test_baseline_that_loses_nothing_is_not():
    words = plain(explain_baseline(open_simulated("ratio", 0.0, 0.0, harm=-3.0)))
    assert "over-trained.**" not in words
    words = plain(explain_baseline(open_simulated("ratio-real", 0.0, 0.0)))
    assert "over-trained.**" not in words and "intervals over seeds" in words
