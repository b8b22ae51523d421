import re
import shlex
from collections.abc import Callable

import pytest
from click.testing import CliRunner
from IPython.display import HTML
from record_fixture import NOTE, synthetic_record, with_retrieval, with_values

from stilts_core import cli
from stilts_core.config import RunConfig
from stilts_core.report.tables import run as tables
from stilts_core.runs.record import Record
from stilts_core.tasks.languages import get_language


@pytest.mark.parametrize("build_table", [tables.phases, tables.scores, tables.cost, tables.provenance])
def test_every_table_shows_the_notes_of_the_record(build_table: Callable[[Record], HTML]):
    assert NOTE in build_table(synthetic_record()).data


def test_scores_are_ordered_by_distance_to_english_and_end_with_the_means():
    html = tables.scores(synthetic_record()).data
    codes = re.findall(r"\((\w\w)\)</td>", html)
    assert codes == sorted(codes, key=lambda code: get_language(code).syntax_distance_en)
    assert html.index("(sw)") < html.index("mean, 7 languages") < html.index("mean without English, 6 languages")


def test_scores_of_the_laboratory_show_its_languages_and_its_distance():
    html = tables.scores(synthetic_record(languages=("en", "qpa", "qal"), profile="lab")).data
    assert html.index("Aldan (qal)") < html.index("Palun (qpa)") and ">0.19<" in html
    assert "grammar's parameters" in html.replace("&#x27;", "'") and "URIEL" not in html


def test_scores_show_metrics_interval_and_n_of_every_language():
    record = synthetic_record(metrics=("f1", "accuracy"))
    html = tables.scores(record).data
    for score in record.scores.values():
        assert f">{score.metrics['f1']:.1f}<" in html and f">{score.metrics['accuracy']:.1f}<" in html
        assert f"[{score.low:.1f},\u00a0{score.high:.1f}]" in html
        assert f">{score.n}<" in html


def test_a_metric_of_one_language_has_a_column_that_others_leave_empty():
    record = synthetic_record()
    metrics = record.scores["sw"].metrics | {"repaired": 12.3}
    html = tables.scores(with_values(record, {"scores.sw.metrics": metrics})).data
    assert html.count(">12.3<") == 1 and "questions repaired" in html


def test_english_alone_has_no_mean_without_english():
    assert "without English" not in tables.scores(synthetic_record(languages=("en",))).data


def test_phases_count_truncated_inputs():
    record = synthetic_record()
    assert "3 of 2,000 training inputs were too long and lost 120 sub-words" in tables.phases(record).data
    complete = [phase.model_dump(exclude_unset=True) | {"cut": {}} for phase in record.phases]
    assert "too long" not in tables.phases(with_values(record, {"phases": complete})).data


@pytest.mark.parametrize("profile", ["small", "paper"])
def test_command_repeats_exactly_the_configuration(profile):
    config = RunConfig(
        profile=profile, intermediate="mnli", target="pawsx", target_examples=100, languages="de,sw", target_lr=3e-5
    ).resolved()
    words = shlex.split(tables.format_command(config))
    assert words[:2] == ["stilts", "run"]
    flags = dict(zip((word.removeprefix("--").replace("-", "_") for word in words[2::2]), words[3::2], strict=True))
    types = {"target_examples": int, "target_lr": float}
    assert RunConfig(**{name: types.get(name, str)(value) for name, value in flags.items()}).resolved() == config


def test_command_line_reads_the_command_of_a_chain(monkeypatch):
    config = RunConfig(
        profile="small", intermediate="squad>mnli,qqp", sham_labels=True, mixed=True, target_steps=5, order_seed=3
    ).resolved()
    configs = []
    monkeypatch.setattr("stilts_core.notebooks.pair.run_pair", configs.append)
    done = CliRunner().invoke(cli.main, shlex.split(tables.format_command(config))[1:])
    assert done.exit_code == 0 and configs[0].resolved() == config


def test_command_names_a_source_that_is_not_the_profiles():
    assert "--source" not in tables.format_command(RunConfig(profile="small").resolved())
    config = RunConfig(profile="small", source="laboratory").resolved()
    assert tables.format_command(config) == "stilts run --profile small --source laboratory"


def test_provenance_lists_all_data_files():
    record = synthetic_record()
    html = tables.provenance(record).data
    assert all(file in html for file in record.data.files)


def test_retrieval_has_a_row_for_each_hidden_state_and_marks_the_scored_one():
    assert tables.retrieval(synthetic_record()) is None
    html = tables.retrieval(with_retrieval(synthetic_record(target="tatoeba", languages=("de", "sw")))).data
    assert html.count("<tr>") == 4 and html.count("(scored)") == 1 and "1 (scored)" in html
    assert html.count(">25.0<") == html.count(">50.0<") == 3
    assert "means come from the texts of the test sets themselves" in html


def test_processor_time_and_pretraining_seed_are_shown_where_they_are_known():
    record = synthetic_record()
    assert "processor time" not in tables.cost(record).data and "pretraining seed" not in tables.provenance(record).data
    record = with_values(record, {"cost.processor_seconds": 75.0, "encoder.pretraining_seed": 3})
    assert "1 min 15 s" in tables.cost(record).data
    assert re.search(r"pretraining seed</td><td[^>]*>3<", tables.provenance(record).data)
