import xml.etree.ElementTree as ElementTree

import pytest
from record_fixture import synthetic_record

from stilts_core.languages import language, languages
from stilts_core.report import figures
from stilts_core.sources.lab.languages import LANGUAGES


@pytest.mark.parametrize(
    "codes", [("en", "de", "sw"), ("de", "sw"), ("en",), ("zh",), tuple(languages()), tuple(LANGUAGES)]
)
def test_scores_are_drawn_for_any_set_of_languages(codes):
    drawn = figures.by_language(synthetic_record(languages=codes)).data
    assert ElementTree.fromstring(drawn).tag.endswith("svg") and drawn.count('id="ytick_') == len(codes)


def test_every_script_of_the_benchmarks_and_the_laboratory_has_exactly_one_group():
    grouped = [script for scripts in figures.SCRIPTS.values() for script in scripts]
    used = {language.script for language in languages().values()} | {language(code).script for code in LANGUAGES}
    assert sorted(grouped) == sorted(used)
    assert len(figures.SCRIPTS) <= min(len(figures.COLOURS), len(figures.MARKERS))


def test_the_message_compares_other_languages_with_english():
    record = synthetic_record()
    english, others = record["scores"]["en"], record["averages"]["non_english"]
    english["score"], others["score"] = 70.0, 60.0
    assert figures.message(record).endswith("zero-shot mean 60.0, 10.0 points below English")
    others["score"] = 75.0
    assert "5.0 points above English" in figures.message(record)


def test_the_same_record_gives_the_same_bytes():
    assert figures.by_language(synthetic_record()).data == figures.by_language(synthetic_record()).data
    assert figures.curves(synthetic_record()).data == figures.curves(synthetic_record()).data


def test_nothing_trained_is_a_sentence_not_an_empty_figure():
    assert "Nothing was trained" in figures.curves(synthetic_record() | {"phases": []}).data


def test_layers_are_drawn_where_a_run_swept_them_and_nowhere_else():
    assert figures.layers(synthetic_record()) is None
    swept = synthetic_record() | {"layers": {"de": [10.0, 40.0, 30.0], "sw": [20.0, 30.0, 10.0]}}
    assert ElementTree.fromstring(figures.layers(swept).data).tag.endswith("svg")


def test_every_task_of_a_phase_has_a_line_of_its_own_look():
    assert len(figures.COLOURS) * 2 >= 10  # nine intermediate tasks and a masked-LM loss
    record = synthetic_record("anli,mnli,qqp,squad_v2,squad,hellaswag,ccg,cosmosqa,commonsenseqa")
    assert ElementTree.fromstring(figures.curves(record).data).tag.endswith("svg")
