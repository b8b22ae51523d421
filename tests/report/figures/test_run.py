import xml.etree.ElementTree as ElementTree

import pytest
from record_fixture import synthetic_record, with_retrieval, with_values

from stilts_core.laboratory.language.design import LANGUAGES
from stilts_core.laboratory.languages import get_language
from stilts_core.report.figures import run as figures
from stilts_core.report.figures.centring import centring_finding
from stilts_core.report.figures.style import COLOURS, MARKERS
from stilts_core.tasks.catalogue import INTERMEDIATE_TASKS
from stilts_core.tasks.languages import languages


def is_svg(text: str) -> bool:
    return ElementTree.fromstring(text).tag.endswith("svg")


@pytest.mark.parametrize(
    "codes", [("en", "de", "sw"), ("de", "sw"), ("en",), ("zh",), tuple(languages()), tuple(LANGUAGES)]
)
def test_scores_are_drawn_for_any_set_of_languages(codes):
    svg = figures.draw_scores(synthetic_record(languages=codes)).data
    assert is_svg(svg) and svg.count('id="ytick_') == len(codes)


def test_every_script_belongs_to_exactly_one_group():
    grouped = [script for scripts in figures.SCRIPTS.values() for script in scripts]
    assert sorted(grouped) == sorted({get_language(code).script for code in (*languages(), *LANGUAGES)})
    assert len(figures.SCRIPTS) <= min(len(COLOURS), len(MARKERS))


def test_finding_compares_the_other_languages_with_english():
    record = with_values(synthetic_record(), {"scores.en.score": 70.0, "averages.non_english.score": 60.0})
    assert figures.scores_finding(record).endswith("zero-shot mean 60.0, 10.0 points below English")
    assert "5.0 points above English" in figures.scores_finding(
        with_values(record, {"averages.non_english.score": 75.0})
    )


def test_every_phase_of_a_chain_has_a_panel():
    record = synthetic_record("mnli", "xnli")
    first, target = record.phases
    chain = with_values(record, {"phases": [phase.model_dump(exclude_unset=True) for phase in (first, first, target)]})
    svg = figures.draw_training(chain).data
    assert is_svg(svg) and "1. intermediate phase" in svg and "2. intermediate phase" in svg and "3. target" in svg
    assert "Intermediate phase" in figures.draw_training(record).data


def test_same_record_gives_the_same_bytes():
    assert figures.draw_scores(synthetic_record()).data == figures.draw_scores(synthetic_record()).data
    assert figures.draw_training(synthetic_record()).data == figures.draw_training(synthetic_record()).data


def test_run_without_training_has_a_sentence_instead_of_a_figure():
    assert "Nothing was trained" in figures.draw_training(with_values(synthetic_record(), {"phases": []})).data


def test_layers_are_drawn_only_for_runs_that_scored_every_hidden_state():
    assert figures.draw_layers(synthetic_record()) is None
    record = with_values(synthetic_record(), {"layers": {"de": [10.0, 40.0, 30.0], "sw": [20.0, 30.0, 10.0]}})
    assert is_svg(figures.draw_layers(record).data)


def test_centred_retrieval_is_drawn_before_and_after_the_phases():
    record = with_retrieval(synthetic_record(target="tatoeba", languages=("de", "sw")))
    svg = figures.draw_layers(record).data
    assert is_svg(svg)
    assert centring_finding(record) == "Hidden state 1 retrieves 30.0, and 50.0 without the offsets of languages"
    untrained = figures.draw_layers(with_values(record, {"phases": []})).data
    assert is_svg(untrained) and len(untrained) < len(svg)


def test_hidden_states_that_were_not_centred_leave_a_gap():
    record = with_retrieval(synthetic_record(target="tatoeba", languages=("de", "sw")))
    record = with_values(record, {"retrieval.after.language_centred": {"de": [None, 1.0, None], "sw": [None] * 3}})
    assert is_svg(figures.draw_layers(record).data)
    assert centring_finding(record) == "Retrieval from every hidden state"


def test_every_task_of_a_phase_has_its_own_colour_and_line_style():
    assert len(COLOURS) * 2 >= len(INTERMEDIATE_TASKS) + 1  # one more for a masked-LM loss
    record = synthetic_record(",".join(INTERMEDIATE_TASKS))
    assert is_svg(figures.draw_training(record).data)
