"""The chapter of the choice: whether there was anything to choose, in both arms."""

from question_fixture import SOURCES
from study_fixture import Simulation

from stilts_core.report.pages.questions.build import QUESTIONS
from stilts_core.report.pages.questions.chapter import Chapter
from stilts_core.report.pages.questions.choice import compare_tasks, explain_gate
from stilts_core.studies.conduct import open_study


def open_simulated(name: str, best: float) -> Chapter:
    """The chapter of a committed protocol whose tasks all gain 1 point, and supertagging `best` points more."""
    study = open_study(name, SOURCES)
    gains = {"direct": 0.0, "sham": 0.0, "ccg": 1.0 + best}
    table = Simulation(study.protocol, lambda cell: gains.get(cell.arm, 1.0), encoder=0.01, score=0.01).table()
    return Chapter(study, None, table, "", (), "")


def test_tasks_that_all_gain_the_same_make_equivalence_unavoidable():
    words = compare_tasks(open_simulated("choice", 0.5))
    assert "to +1.5" in words and "(`ccg`) points" in words and "mean effects of the 9 tasks on POS" in words
    assert "nearly unavoidable" in words and "within ±0.75 points of a random choice" in words


def test_task_far_from_the_others_makes_equivalence_a_finding():
    words = compare_tasks(open_simulated("choice", 5.0))
    assert "to +6.0" in words and "not certain beforehand" in words and "unavoidable" not in words


def test_real_arm_shows_whether_there_is_anything_to_choose_over_its_seeds():
    assert explain_gate in QUESTIONS["choice"].real
    words = "\n".join(explain_gate(open_simulated("choice-real", 0.0)))
    assert "by the jackknife over seeds" in words and "encoders" not in words
    assert "| PAN-X | 16 |" in words and "nearly unavoidable" in words
