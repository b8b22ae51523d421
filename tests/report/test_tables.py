import re
import shlex
from dataclasses import asdict

import pytest
from record_fixture import NOTE, synthetic_record

from stilts_core.config import RunConfig
from stilts_core.languages import language
from stilts_core.report import tables


@pytest.mark.parametrize("draw", [tables.phases, tables.scores, tables.cost, tables.provenance])
def test_every_table_names_its_stand_ins(draw):
    assert NOTE in draw(synthetic_record()).data


def test_scores_are_ordered_by_distance_to_english_and_means_come_last():
    shown = tables.scores(synthetic_record()).data
    codes = re.findall(r"\((\w\w)\)</td>", shown)
    assert codes == sorted(codes, key=lambda code: language(code).syntax_distance_en)
    assert shown.index("(sw)") < shown.index("mean, 7 languages") < shown.index("mean without English, 6 languages")


def test_scores_of_the_laboratory_have_its_languages_and_its_distance():
    shown = tables.scores(synthetic_record(languages=("en", "qpa", "qal"), profile="lab")).data
    assert shown.index("Aldan (qal)") < shown.index("Palun (qpa)") and ">0.19<" in shown
    assert "grammar's parameters" in shown.replace("&#x27;", "'") and "URIEL" not in shown


def test_scores_show_what_the_record_says():
    record = synthetic_record(metrics=("f1", "accuracy"))
    shown = tables.scores(record).data
    for score in record["scores"].values():
        assert f">{score['metrics']['f1']:.1f}<" in shown and f">{score['metrics']['accuracy']:.1f}<" in shown
        assert f"{score['low']:.1f} – {score['high']:.1f}" in shown
        assert f">{score['n']}<" in shown


def test_a_metric_that_only_some_languages_have_is_shown_where_there_is_one():
    record = synthetic_record()
    record["scores"]["sw"]["metrics"]["repaired"] = 12.3
    shown = tables.scores(record).data
    assert shown.count(">12.3<") == 1 and "questions repaired" in shown


def test_english_alone_has_no_mean_without_english():
    assert "without English" not in tables.scores(synthetic_record(languages=("en",))).data


def test_inputs_that_were_cut_are_counted_under_the_phases():
    record = synthetic_record()
    assert "3 of 2,000 training inputs were too long and lost 120 sub-words" in tables.phases(record).data
    for phase in record["phases"]:
        phase["cut"] = {}
    assert "too long" not in tables.phases(record).data


@pytest.mark.parametrize("profile", ["small", "paper"])
def test_command_repeats_exactly_the_configuration(profile):
    config = RunConfig(
        profile=profile, intermediate="mnli", target="pawsx", target_examples=100, languages="de,sw", target_lr=3e-5
    ).resolved()
    words = shlex.split(tables.command(asdict(config)))
    assert words[:2] == ["stilts", "run"]
    flags = dict(zip((word.removeprefix("--").replace("-", "_") for word in words[2::2]), words[3::2], strict=True))
    kinds = {"target_examples": int, "target_lr": float}
    assert RunConfig(**{name: kinds.get(name, str)(value) for name, value in flags.items()}).resolved() == config


def test_checksums_are_listed_for_every_file():
    record = synthetic_record()
    shown = tables.provenance(record).data
    assert all(file in shown for file in record["data"]["files"])
