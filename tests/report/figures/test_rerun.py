"""The figure and the tables of a study that is rerun at a reader's size, on a simulated table."""

import re

import pytest
from study_fixture import Simulation

from stilts_core.report.figures.rerun import draw_rerun, rerun_finding
from stilts_core.report.tables import rerun as tables
from stilts_core.studies.rerun import PrimaryDifferences, open_rerun, primary_differences


def simulate(name: str) -> PrimaryDifferences:
    study = open_rerun(name)
    return primary_differences(study, Simulation(study.protocol, lambda cell: 0.0, run=0.5, score=0.5).table())


@pytest.fixture(scope="module", params=["continued", "ratio", "choice"])
def differences(request) -> PrimaryDifferences:
    return simulate(request.param)


def test_figure_has_a_row_for_every_part_and_states_the_finding(differences):
    svg = draw_rerun(differences).data
    names = [tables.part_name(differences, name) for name in differences.parts]
    assert all(f"<!-- {name} -->" in svg for name in names)
    assert rerun_finding(differences).split()[0] in svg
    assert ("<!-- primary contrast -->" in svg) is not differences.is_slope


def test_table_has_every_part_and_the_contrast_as_a_whole_in_its_foot(differences):
    html = tables.difference_table(differences).data
    body, foot = html.split("<tfoot")
    assert body.count("<tr>") == 1 + len(differences.parts) and differences.finding.name.split("'")[0] in foot
    values = re.findall(r"[+−]?\d+\.\d\d", body)
    assert f"{abs(next(iter(differences.parts.values())).value):.2f}" == values[0].lstrip("+−")
    assert ("points a doubling" in foot) is differences.is_slope and "−0.00" not in html


def test_question_is_shown_with_what_is_changed():
    study = open_rerun("ratio")
    html = tables.show_question(study).data
    assert study.protocol.question in html and "Hypothesis" in html
    assert "lab-wide" in html and "128:64, 512:64" in html


def test_options_are_escaped():
    html = tables.tries_table({'-p x "<b>"': "why"}).data
    assert "<code>-p x " in html and "<b>" not in html
