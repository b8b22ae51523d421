import json
import time
from pathlib import Path

import pytest
import toy_data
from safetensors.torch import load_file
from toy_data import scores_of

from stilts_core.config import RunConfig
from stilts_core.errors import ConfigError
from stilts_core.families.setting import TaskSetting
from stilts_core.report.figures.run import scores_finding
from stilts_core.report.tables import run as run_tables
from stilts_core.runs.encoders import load_encoder
from stilts_core.runs.inputs import run_checksums
from stilts_core.runs.items import item_scores
from stilts_core.runs.pipeline import intermediate, run
from stilts_core.runs.preparation import phase_schedule
from stilts_core.runs.record import RECORD, read_record
from stilts_core.sources.publishers import load
from stilts_core.submissions.files import write_gold
from stilts_core.submissions.score import score_folders
from stilts_core.tasks.catalogue import INTERMEDIATE_TASKS, get_task
from stilts_core.training.machine import process_seconds

MEWSLIX = Path(__file__).parents[1] / "fixtures" / "mewslix"


@pytest.fixture
def do(tmp_path, monkeypatch, tiny_xlmr):
    """Does a run on the toy data with a tiny encoder."""
    monkeypatch.setenv("STILTS_DATA", str(toy_data.write_data(tmp_path / "data")))

    def do(what=run, **fields):
        sizes = {"encoder": str(tiny_xlmr), "batch_size": 8, "runs_dir": str(tmp_path / "runs"), "quiet": True}
        return what(RunConfig(**{"profile": "small", "intermediate": "mnli", "target": "xnli"} | sizes | fields))

    return do


def test_finished_run_is_reused(do):
    record = do()
    path = Path(record.folder) / RECORD
    assert json.loads(path.read_text()) == json.loads(record.to_json())
    written = path.stat().st_mtime_ns
    assert do().to_json() == record.to_json() and path.stat().st_mtime_ns == written


def test_cost_counts_reading_and_the_time_to_the_first_step(do):
    cost = do().cost
    assert list(cost.seconds_by_part) == ["encoder", "data", "intermediate", "target", "evaluation"]
    assert cost.seconds == pytest.approx(sum(cost.seconds_by_part.values()))
    assert 0 < cost.first_step_seconds < process_seconds()
    assert do(target="tatoeba").cost.first_step_seconds is None  # nothing is left to train


def test_processor_time_is_counted_beside_wall_time(do):
    started = time.process_time()
    record = do()
    used = time.process_time() - started
    assert 0 < record.cost.processor_seconds <= used + 0.5  # children, such as git, count too
    assert all(0 < phase.processor_seconds <= used for phase in record.phases)
    assert do(target="tatoeba").phases[0].processor_seconds == record.phases[0].processor_seconds  # a reused phase


@pytest.mark.parametrize("target", ["xnli", "tatoeba"])
def test_items_of_a_record_are_those_of_its_scores(do, target):
    record = do(target=target)
    for language, score in record.scores.items():
        items = item_scores(record, language)
        assert len(items) == score.n and items.mean() == pytest.approx(score.score)


@pytest.mark.parametrize("what", [run, intermediate])
@pytest.mark.parametrize(
    "fields, named",
    [({"max_length": 4}, "max_length is 4; .* choose 5 or more"), ({"layer": 4}, "layer is 4; .* from 0 to 3")],
    ids=["max_length", "layer"],
)
def test_layer_or_length_that_the_encoder_lacks_is_an_error_before_data_are_read(do, monkeypatch, what, fields, named):
    for reader in ("read_target", "read_intermediate"):
        monkeypatch.setattr(f"stilts_core.runs.pipeline.{reader}", lambda config: pytest.fail("data were read"))
    with pytest.raises(ConfigError, match=named):
        do(what, **fields)


def test_length_above_the_limit_of_the_encoder_is_noted(do, tiny_xlmr):
    fields, limit = {"intermediate": "none", "target": "tatoeba"}, load_encoder(str(tiny_xlmr)).max_length
    assert f"max_length is 5000; {tiny_xlmr} takes {limit}." in do(max_length=5000, **fields).notes
    assert not any("max_length" in note for note in do(max_length=limit, **fields).notes)


def test_unlabelled_text_in_an_unknown_language_is_an_error_at_once():
    config = RunConfig(intermediate="mlm", text_languages="qbe,xx", quiet=True).resolved()
    with pytest.raises(ConfigError, match="text_languages is 'qbe,xx'; there is no unlabelled text in xx; available"):
        run_checksums(config)


def test_every_language_has_a_score_with_an_interval_and_a_prediction_file(do):
    record = do()
    assert set(record.scores) == {"en", "de", "sw"}
    for score in record.scores.values():
        assert score.low <= score.score <= score.high and score.n == 30
        lines = (Path(record.folder) / score.predictions).read_text().splitlines()
        assert len(lines) == 30
    means = record.averages
    assert means.all.languages == 3 and means.non_english.languages == 2


def test_predictions_scored_as_a_submission_give_the_scores_of_the_record(do, tmp_path):
    record = do()
    for language in record.scores:
        write_gold(tmp_path / "gold", "xnli", language, load("xnli", "test", language).items)
    scores = score_folders(Path(record.folder) / "predictions", tmp_path / "gold", partial=True)
    again = scores["tasks"]["xnli"]["languages"]
    for code, part in record.scores.items():
        assert {name: again[code][name] for name in ("n", "score", "low", "high")} == {
            name: getattr(part, name) for name in ("n", "score", "low", "high")
        }


def test_equal_configs_give_equal_scores_and_another_seed_gives_others(do, tmp_path):
    first, again = do(), do(runs_dir=str(tmp_path / "elsewhere"))
    assert scores_of(first) == scores_of(again)
    assert scores_of(do(seed=1)) != scores_of(first)


def test_intermediate_checkpoint_is_shared_by_targets(do):
    assert not do().phases[0].reused
    record = do(target="tatoeba")
    assert record.phases[0].reused and len(record.phases) == 1


def test_interrupted_run_resumes_to_the_same_record(do, monkeypatch, tmp_path):
    whole = do(runs_dir=str(tmp_path / "whole"))
    with monkeypatch.context() as patch:
        patch.setattr("stilts_core.runs.pipeline.write_record", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            do()
    assert scores_of(do()) == scores_of(whole)


def test_saved_model_can_be_used_as_an_encoder(do):
    folder = Path(do(keep_checkpoint=True).folder) / "model"
    again = do(encoder=str(folder), intermediate="none", target="tatoeba")
    assert again.encoder.vocabulary_rows == load_encoder(str(folder)).vocabulary_size
    assert set(load_file(folder / "head.safetensors")) == {
        f"{layer}.{part}" for layer in ("dense", "classifier") for part in ("weight", "bias")
    }


def test_finished_run_without_its_model_is_done_again_if_the_model_is_asked_for(do):
    first = do()
    assert do(keep_checkpoint=True).scores == first.scores and (Path(first.folder) / "model").is_dir()


def test_model_of_a_target_without_training_is_saved(do):
    record = do(target="tatoeba", keep_checkpoint=True)
    folder = Path(record.folder) / "model"
    assert do(encoder=str(folder), intermediate="none", target="tatoeba").scores == record.scores
    assert load_file(folder / "head.safetensors") == {}


def test_masked_language_modelling_is_trained_beside_the_intermediate_task(do):
    curve = do(auxiliary="mlm", auxiliary_weight=0.5).phases[0].curve
    assert {point["task"] for point in curve} == {"mnli", "mlm"}


def test_adversary_is_trained_beside_the_intermediate_task_and_its_accuracy_is_recorded(do):
    record = do(auxiliary="reversal", auxiliary_weight=0.1, auxiliary_level="token", text_alpha=0.3, text_examples=15)
    curve = [point for point in record.phases[0].curve if point["task"] == "reversal"]
    assert curve and all(0 <= point["accuracy"] <= 1 for point in curve)
    assert record.row == "mnli+reversal" and record.run_id.startswith("mnli+reversal-xnli-")
    assert read_record(Path(record.folder) / RECORD).to_json() == record.to_json()
    assert scores_of(do(auxiliary="reversal", auxiliary_weight=0.0)) != scores_of(record)


def test_chain_trains_masked_language_modelling_whatever_stands_beside_its_tasks(do):
    record = do(intermediate="mnli>mlm", auxiliary="reversal", auxiliary_weight=0.1, text_examples=15)
    first, second = ({point["task"] for point in phase.curve} for phase in record.phases[:2])
    assert (first, second) == ({"mnli", "reversal"}, {"mlm"})


def test_layer_that_the_adversary_cannot_read_is_an_error_before_data_are_read(do):
    with pytest.raises(ConfigError, match=r"auxiliary_layer is 4; .* has 3 layers, choose from 0 to 3"):
        do(auxiliary="reversal", auxiliary_layer=4)


def test_masked_language_modelling_alone_takes_as_many_steps_as_a_task(do):
    alone, task = do(intermediate="mlm", intermediate_examples=24), do(intermediate_examples=24)
    assert alone.phases[0].steps == task.phases[0].steps == 6
    assert alone.phases[0].tasks == ["mlm"] and set(alone.cards) == {"xnli"}
    assert alone.phases[0].tokens > 0 and not alone.same_data


def test_sham_labels_reach_the_record(do):
    sham = do(sham_labels=True)
    texts = [card.text for card in sham.cards["mnli"]]
    assert texts == [card.text for card in do().cards["mnli"]] and "mnli+sham" in sham.run_id


def test_intermediate_phase_alone_reads_no_data_of_the_target(do, monkeypatch):
    monkeypatch.setattr("stilts_core.runs.pipeline.read_target", None)
    phase = do(intermediate)
    assert phase.tasks == ["mnli"] and not phase.reused


def test_reused_intermediate_phase_reads_no_data(do, monkeypatch):
    notes = do().notes
    monkeypatch.setattr("stilts_core.runs.pipeline.read_intermediate", None)
    record = do(target_lr=1e-3)
    assert record.phases[0].reused and record.notes == notes
    assert len(record.cards["mnli"]) == 2


def test_retrieval_without_training_scores_every_hidden_state(do):
    record = do(intermediate="none", target="tatoeba", layer=2)
    assert record.phases == [] and len(record.layers["de"]) == 4
    assert record.layers["de"][2] == record.scores["de"].score


def test_mewslix_is_read_trained_and_scored_on_the_authored_fixture(do, monkeypatch):
    monkeypatch.setenv("STILTS_DATA", str(MEWSLIX))
    record = do(intermediate="none", target="mewslix", target_epochs=2.0)
    assert record.metric == "map" and set(record.scores) == {"de", "en", "es", "pl", "tr"}
    assert record.phases[0].dev["mewslix"].n == 4
    assert all(0 < score.score <= 100 for score in record.scores.values())


def test_record_has_examples_and_errors_for_a_reader(do):
    record = do()
    assert {name: len(cards) for name, cards in record.cards.items()} == {"mnli": 2, "xnli": 2}
    assert 0 < len(record.errors) <= 10
    assert all(error.gold != error.prediction for error in record.errors)


@pytest.mark.parametrize("name", [*INTERMEDIATE_TASKS, "xnli", "udpos", "xquad", "xcopa", "lareqa", "mewslix"])
def test_paper_profile_uses_the_published_recipe_of_each_task(name):
    recipe = get_task(name).paper
    phase = "intermediate" if name in INTERMEDIATE_TASKS else "target"
    schedule = phase_schedule(RunConfig(profile="paper").resolved(), phase, TaskSetting(get_task(name)))
    published = (recipe.epochs, recipe.learning_rate, recipe.batch_size)
    assert (schedule.epochs, schedule.lr, schedule.batch_size) == published
    assert schedule.lr > 0 and recipe.max_length in (64, 128, 256, 352, 384)


def remove_labels(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").splitlines()
    file.write_text("".join("\t".join(line.split("\t")[:2]) + "\n" for line in lines), encoding="utf-8")


def test_language_without_labels_gets_predictions_and_no_score(do, tmp_path, capsys):
    remove_labels(tmp_path / "data/xtreme/xnli/dev-de.tsv")
    record = do(intermediate="none", quiet=False)
    assert set(record.scores) == {"en", "sw"} and set(record.unscored) == {"de"}
    assert len((Path(record.folder) / record.unscored["de"].predictions).read_text().splitlines()) == 30
    assert record.averages.all.languages == 2 and record.averages.non_english.languages == 1
    assert not any(mistake.language == "de" for mistake in record.errors)
    lines = capsys.readouterr().err.splitlines()
    said = next(number for number, line in enumerate(lines) if "No labels in the test part of xnli in de" in line)
    assert said < next(number for number, line in enumerate(lines) if "target phase" in line)
    assert any("No labels in the test part of xnli in de" in note for note in record.notes)
    assert read_record(Path(record.folder) / RECORD).unscored == record.unscored
    table = run_tables.scores(record).data
    assert "German (de)" in table and "Swahili (sw)" in table


def test_run_on_blind_parts_alone_has_no_score_at_all(do, tmp_path):
    for language in toy_data.LANGUAGES:
        remove_labels(tmp_path / f"data/xtreme/xnli/dev-{language}.tsv")
    record = do(intermediate="none")
    assert not record.scores and set(record.unscored) == set(toy_data.LANGUAGES)
    assert record.averages.all is None and record.averages.non_english is None
    assert "no labels" in scores_finding(record) and "German (de)" in run_tables.scores(record).data
