"""From records to tables: each record in its cells, the latest of repeated ones, exclusions with their score."""

import numpy as np
import pytest
from record_fixture import synthetic_record, with_retrieval, with_values
from study_fixture import invented

from stilts_core.errors import StudyError
from stilts_core.studies.collection import collect, exclusion_reason
from stilts_core.studies.design import expand
from stilts_core.studies.measures import BEFORE, read_measures
from stilts_core.studies.results import unpack_items

LANGUAGES = ("en", "qal", "qbe")


def study(**changes):
    arms = {"direct": {"intermediate": "none"}, "mnli": {"intermediate": "mnli", "intermediate_lr": 0.5}}
    return invented(**({"arms": arms, "base": {"profile": "lab"}, "encoders": ["lab", "lab-1"]} | changes))


def records_of(protocol, **values):
    """One record for every run of a protocol, with the configuration that the run would have."""
    made = []
    for number, config in enumerate(expand(protocol).configs):
        record = synthetic_record(
            config["intermediate"], config["target"], LANGUAGES, ("accuracy", "f1"), number, "lab"
        )
        changes = {f"config.{name}": value for name, value in config.items()}
        changes |= {"run_id": f"run-{number}", "config.source": "laboratory", "config.quiet": True}
        made.append(with_values(record, changes | values))
    return made


def test_every_score_of_a_record_is_in_the_row_of_its_cell():
    protocol = study(seeds=[0, 5])
    records = records_of(protocol)
    frame = collect(protocol, records).frame
    scores = frame[frame["metric"] == "score"]
    assert len(scores) == len(records) * len(LANGUAGES)
    for record in records:
        rows = scores[scores["run"] == record.run_id].set_index("language")
        arm = "direct" if record.config.intermediate == "none" else "mnli"
        assert set(rows["arm"]) == {arm} and set(rows["seed"]) == {record.seed}
        assert set(rows["encoder"]) == {record.config.encoder}
        for language, score in record.scores.items():
            assert tuple(rows.loc[language, ["score", "low", "high", "n"]]) == (
                score.score,
                score.low,
                score.high,
                score.n,
            )
    others = frame[frame["metric"] == "f1"].set_index(["run", "language"])["score"]
    assert others["run-0", "qal"] == records[0].scores["qal"].metrics["f1"]
    assert "dev:intermediate:mnli" in set(frame["metric"])


def test_records_of_other_runs_are_left_out_and_the_latest_of_a_repeated_run_counts():
    protocol = study()
    records = records_of(protocol)
    foreign = [
        with_values(record, {"config.target_lr": 0.7, "run_id": f"foreign-{record.run_id}"}) for record in records
    ]
    later = with_values(records[0], {"run_id": "again", "finished": "2001-01-02T00:00:00Z"})
    runs = set(collect(protocol, [later, *records, *foreign]).frame["run"])
    assert runs == {"again", *(record.run_id for record in records[1:])}


def test_arms_that_share_a_run_both_have_its_scores():
    arms = {"direct": {"intermediate": "none"}, "also-direct": {"intermediate": "none", "intermediate_lr": 9.0}}
    protocol = study(arms=arms, primary={"treatment": "also-direct", "control": "direct"})
    records = records_of(protocol)
    frame = collect(protocol, records).frame
    assert len(records) == 2 and frame.groupby("run")["arm"].nunique().tolist() == [2, 2]


def test_provenance_is_there_once():
    protocol = study(encoders=["lab", "lab-1", "lab-2"])
    records = records_of(protocol)
    facts = collect(protocol, records).provenance
    assert facts["digest"] == protocol.digest and facts["packages"] == [dict(records[0].environment.packages)]
    assert list(facts["blocks"]) == sorted(protocol.encoders)
    assert sum(block["records"] for block in facts["blocks"].values()) == len(records)
    for block in facts["blocks"].values():
        assert block["origins"] == {"0123456789ab": records[0].started} and block["revisions"] == ["0123456789ab"]


def test_items_and_further_measures_come_from_the_readers():
    protocol = study()
    rng = np.random.default_rng(0)
    correct = {}

    def read_items(record, language):
        correct[record.run_id, language] = rng.random(record.scores[language].n) < 0.5
        return correct[record.run_id, language]

    records = records_of(protocol)
    table = collect(protocol, records, read_items=read_items, read_measures=lambda record: [("mlm_loss", "qal", 2.5)])
    for row in table.frame[table.frame["metric"] == "score"].itertuples():
        assert np.array_equal(unpack_items(row.items, row.n), correct[row.run, row.language])
    assert table.frame[table.frame["metric"] == "mlm_loss"]["score"].tolist() == [2.5] * 4


def test_costs_of_phases_and_scores_of_layers_are_measures():
    protocol = study(targets=["tatoeba"], primary={"target": "tatoeba"})
    layers = {"qal": [10.0, 40.0, 30.0]}
    records = [with_values(record, {"layers": layers}) for record in records_of(protocol)]
    frame = collect(protocol, records).frame
    for number, score in enumerate(layers["qal"]):
        assert frame[frame["metric"] == f"layer:{number}"]["score"].tolist() == [score] * len(records)
    costs = frame[frame["metric"] == "flops:intermediate"]
    assert set(costs["score"]) == {1e14} and set(costs["language"]) == {""} and set(costs["arm"]) == {"mnli"}


def test_rule_excludes_a_run_below_its_bound_and_says_the_score():
    rule = {"phase": "intermediate", "below": 70.0, "arms": ["mnli"], "task": "mnli", "reason": "not learnt"}
    protocol = study(exclusions=[rule])
    records = records_of(protocol)  # their dev scores are 61.2
    frame = collect(protocol, records).frame
    reasons = frame.groupby("arm")["excluded"].unique()
    assert reasons["mnli"].tolist() == ["not learnt (intermediate dev: mnli 61.2, below 70)"]
    assert reasons["direct"].tolist() == [""]
    higher = study(exclusions=[rule | {"below": 61.0}])
    assert set(collect(higher, records).frame["excluded"]) == {""}
    assert exclusion_reason(protocol.exclusions[0], "direct", records[-1]) is None


def test_study_without_records_is_refused():
    with pytest.raises(StudyError, match="no record belongs to the study invented"):
        collect(study(), [])


def test_retrieval_has_every_hidden_state_of_every_kind_before_and_after():
    record = with_retrieval(synthetic_record(languages=("de", "ru")))
    measured = {(metric, language): value for metric, language, value in read_measures(record)}
    states = record.encoder.layers + 1
    for name, scores, time in (
        ("centred", record.retrieval.after.language_centred, ""),
        ("globally_centred", record.retrieval.after.globally_centred, ""),
        ("raw", record.retrieval.before.raw, BEFORE),
        ("centred", record.retrieval.before.language_centred, BEFORE),
    ):
        for language in ("de", "ru"):
            found = [measured[f"{name}:layer:{number}{time}", language] for number in range(states)]
            assert found == scores[language]
            assert measured[name + time, language] == scores[language][record.retrieval.state]
