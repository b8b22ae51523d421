import json
from dataclasses import fields

import pytest
from record_fixture import synthetic_record

from stilts_core.config import RunConfig
from stilts_core.errors import RecordError
from stilts_core.parameters import FIRST_FIELDS
from stilts_core.runs.record import RECORD, SCHEMA, find_records, read_record, write_record


@pytest.fixture
def record():
    return synthetic_record(languages=("en", "ar", "zh"))


def test_written_record_is_read_back(tmp_path, record):
    path = write_record(tmp_path / "runs" / "a", record)
    assert path == tmp_path / "runs" / "a" / RECORD
    assert read_record(path) == record
    assert "الجملة" in path.read_text(encoding="utf-8") or "جملة" in path.read_text(encoding="utf-8")


def test_json_has_exactly_the_fields_that_were_set(tmp_path, record):
    content = json.loads(record.to_json())
    assert content["schema"] == SCHEMA and "schema_version" not in content
    (tmp_path / RECORD).write_text(json.dumps(content))
    assert json.loads(read_record(tmp_path / RECORD).to_json()) == content


def test_record_without_text_quotes_no_data(record):
    content = json.loads(record.without_text().to_json())
    assert not content.keys() & {"cards", "errors", "folder"}
    assert content["scores"] == json.loads(record.to_json())["scores"]


def test_nan_is_not_written(tmp_path, record):
    broken = record.model_copy(update={"cost": record.cost.model_copy(update={"flops": float("nan")})})
    with pytest.raises(ValueError, match="nan"):
        write_record(tmp_path, broken)
    assert not (tmp_path / RECORD).exists()


def test_failed_write_leaves_the_earlier_record_whole(tmp_path, record, monkeypatch):
    path = write_record(tmp_path, record)
    monkeypatch.setattr("os.replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_record(tmp_path, record.model_copy(update={"run_id": "another"}))
    assert read_record(path) == record


@pytest.mark.parametrize("content", [b"", b'{"schema": 1, "run', b"\xff\xfe\x00", b"[]", b"null"])
def test_damaged_record_is_an_error_that_names_its_file_and_the_remedy(tmp_path, content):
    (tmp_path / RECORD).write_bytes(content)
    with pytest.raises(RecordError, match=rf"{tmp_path / RECORD}.*delete its folder and run again"):
        read_record(tmp_path / RECORD)


@pytest.mark.parametrize("schema", [SCHEMA - 1, SCHEMA + 1, None])
def test_record_of_another_schema_is_an_error_that_names_both(tmp_path, record, schema):
    content = json.loads(record.to_json()) | {"schema": schema}
    content.pop("scores")
    (tmp_path / RECORD).write_text(json.dumps(content))
    expected = rf"{tmp_path / RECORD} has schema {schema}, and this version reads schema {SCHEMA}"
    with pytest.raises(RecordError, match=expected):
        read_record(tmp_path / RECORD)


@pytest.mark.parametrize(
    "change, named",
    [
        ({"scores": {"de": {"score": 1.0}}}, "scores.de.low"),
        ({"unheard_of": 1}, "unheard_of"),
        ({"config": {"target": "xnli", "unheard_of": 1}}, "unheard_of"),
        ({"retrieval": {"state": 0, "before": {}, "after": {"raw": {"de": [1e300]}}}}, "retrieval.after.raw.de.0"),
    ],
)
def test_field_that_does_not_fit_is_named(tmp_path, record, change, named):
    (tmp_path / RECORD).write_text(json.dumps(json.loads(record.to_json()) | change))
    with pytest.raises(RecordError, match=named):
        read_record(tmp_path / RECORD)


def test_records_are_found_by_profile_and_ordered_by_run(tmp_path, record):
    for place, run_id in (("small/b", "b"), ("small/a", "a"), ("paper/c", "c")):
        write_record(tmp_path / place, record.model_copy(update={"run_id": run_id}))
    (tmp_path / "checkpoints" / "mnli").mkdir(parents=True)
    assert [found.run_id for found in find_records(tmp_path)] == ["c", "a", "b"]
    assert [found.run_id for found in find_records(tmp_path, "small")] == ["a", "b"]


def test_numbers_that_only_rounding_or_a_clock_puts_outside_are_no_fault(tmp_path, record):
    content = json.loads(record.to_json())
    content["averages"]["all"]["score"] = 100.00000000000001
    content["cost"]["seconds"] = -0.01
    (tmp_path / RECORD).write_text(json.dumps(content))
    assert read_record(tmp_path / RECORD).averages.all.score > 100


def test_record_of_a_version_without_auxiliaries_is_read(tmp_path, record):
    content = json.loads(record.to_json())
    idle = {field.name for field in fields(RunConfig) if field.metadata["decides"] == "nothing"}
    earlier = {name: value for name, value in content["config"].items() if name in idle or name in FIRST_FIELDS}
    (tmp_path / RECORD).write_text(json.dumps(content | {"config": earlier | {"mlm_weight": 0.0, "mlm_languages": ""}}))
    assert read_record(tmp_path / RECORD).config == record.config
    (tmp_path / RECORD).write_text(
        json.dumps(content | {"config": earlier | {"mlm_weight": 0.5, "mlm_languages": "en"}})
    )
    config = read_record(tmp_path / RECORD).config
    assert (config.auxiliary, config.auxiliary_weight, config.text_languages) == ("mlm", 0.5, "en")


def test_accuracy_of_a_discriminator_is_part_of_its_points(tmp_path, record):
    content = json.loads(record.to_json())
    content["phases"][0]["curve"][0]["accuracy"] = 0.25
    (tmp_path / RECORD).write_text(json.dumps(content))
    assert read_record(tmp_path / RECORD).phases[0].curve[0]["accuracy"] == 0.25
