import json

from click.testing import CliRunner
from record_fixture import SENTENCES, encoder_facts, grid_records, synthetic_record

from stilts_core.cli import main
from stilts_core.config import ConfigError
from stilts_core.records import write_record
from stilts_core.report.kept import encoders_of, keep, records_of


def strings(value) -> set[str]:
    if isinstance(value, dict):
        return set().union(*map(strings, value.values()))
    return (
        set().union(*map(strings, value)) if isinstance(value, list) else {value} if isinstance(value, str) else set()
    )


def test_kept_records_hold_no_text_of_a_data_set(tmp_path):
    record = synthetic_record()
    write_record(tmp_path / "runs" / "small" / record["run_id"], record)
    (path,) = keep("small", tmp_path / "runs", tmp_path / "book")
    texts = strings(record["cards"]) | {text for error in record["errors"] for text in strings(error["text"])}
    assert len(texts) > 5 and {SENTENCES["ar"], SENTENCES["de"]} <= texts
    written = path.read_text()
    assert not [text for text in texts - {"neutral"} if json.dumps(text, ensure_ascii=False) in written]
    kept = json.loads(written)
    assert "cards" not in kept and "errors" not in kept and "folder" not in kept
    assert kept == {name: value for name, value in record.items() if name not in ("cards", "errors")}


def test_a_run_in_both_places_is_the_one_of_the_runs_folder(tmp_path):
    record, other = synthetic_record(), synthetic_record("squad")
    for one in (record, other):
        write_record(tmp_path / "old" / "small" / one["run_id"], one)
    keep("small", tmp_path / "old", tmp_path / "book")
    write_record(tmp_path / "runs" / "small" / record["run_id"], record)
    found = {one["run_id"]: one for one in records_of("small", tmp_path / "runs", tmp_path / "book")}
    assert found.keys() == {record["run_id"], other["run_id"]}
    assert "cards" in found[record["run_id"]] and "cards" not in found[other["run_id"]]


def test_no_record_of_another_profile_is_found(tmp_path):
    for profile in ("small", "lab"):
        record = synthetic_record(profile=profile)
        write_record(tmp_path / "runs" / profile / record["run_id"], record)
        keep(profile, tmp_path / "runs", tmp_path / "book")
    assert [one["profile"] for one in records_of("lab", tmp_path / "runs", tmp_path / "book")] == ["lab"]
    assert [one["profile"] for one in records_of("lab", tmp_path / "none", tmp_path / "book")] == ["lab"]
    assert records_of("paper", tmp_path / "runs", tmp_path / "book") == []


def test_encoders_are_kept_whole_and_those_of_the_runs_come_first(tmp_path):
    for seed in (0, 1):
        path = tmp_path / "runs" / "lab" / "encoders" / f"{encoder_facts(seed)['name']}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(encoder_facts(seed)))
    keep("lab", tmp_path / "runs", tmp_path / "book")
    results = tmp_path / "book" / "results"
    assert encoders_of("lab", tmp_path / "none", results) == [encoder_facts(1), encoder_facts(0)]  # lab-1 before lab
    path.write_text(json.dumps(encoder_facts(1) | {"seconds": 1.0}))
    assert encoders_of("lab", tmp_path / "runs", results)[0]["seconds"] == 1.0
    assert records_of("lab", tmp_path / "none", tmp_path / "book") == []


def test_the_command_keeps_records_and_writes_the_pages_of_one_profile(tmp_path):
    record = grid_records("lab", ("none",), ("xnli",), languages=("en", "qal", "qbe"))[0]
    write_record(tmp_path / "runs" / "lab" / record["run_id"], record)
    folders = ["--runs-dir", str(tmp_path / "runs"), "--book-dir", str(tmp_path / "book")]
    done = CliRunner().invoke(main, ["report", "--profile", "lab", "--keep", *folders])
    assert done.exit_code == 0 and "1 records kept" in done.output
    assert (tmp_path / "book" / "results" / "lab" / f"{record['run_id']}.json").exists()
    assert record["run_id"] in (tmp_path / "book" / "generated" / "runs.md").read_text()
    CliRunner().invoke(main, ["report", "--profile", "paper", *folders])
    assert "No run of profile `paper`" in (tmp_path / "book" / "generated" / "runs.md").read_text()
    failed = CliRunner().invoke(main, ["report", "--profile", "huge", *folders])
    assert isinstance(failed.exception, ConfigError) and "lab, small, paper" in str(failed.exception)
