import json
from pathlib import Path

from click.testing import CliRunner
from record_fixture import SENTENCES, encoder_facts, grid_records, synthetic_record

from stilts_core.cli import main
from stilts_core.errors import ConfigError
from stilts_core.pretraining.record import RECORD_FILE, copy_record
from stilts_core.report.recorded_results import copy_records, read_encoders, read_records
from stilts_core.runs.record import Record, read_record, write_record


def quoted_texts(record: Record) -> set[str]:
    """All texts of the data that a record quotes; labels are no quotation."""
    cards = [text for examples in record.cards.values() for card in examples for text in card.text.values()]
    return {*cards, *(text for mistake in record.errors for text in mistake.text.values())}


def write_encoder(runs: Path, facts: dict) -> None:
    path = runs / "lab" / "encoders" / f"{facts['name']}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(facts))


def test_recorded_results_hold_no_text_of_a_data_set(tmp_path):
    record = synthetic_record()
    write_record(tmp_path / "runs" / "small" / record.run_id, record)
    (path,) = copy_records("small", tmp_path / "runs", tmp_path / "book")
    texts = quoted_texts(record)
    assert len(texts) > 5 and {SENTENCES["ar"], SENTENCES["de"]} <= texts
    written = path.read_text()
    assert not [text for text in texts if json.dumps(text, ensure_ascii=False) in written]
    recorded, complete = json.loads(written), json.loads(record.to_json())
    assert "cards" not in recorded and "errors" not in recorded and "folder" not in recorded
    assert recorded == {name: value for name, value in complete.items() if name not in ("cards", "errors")}


def test_recorded_results_leave_out_the_folder_of_the_run(tmp_path):
    record = synthetic_record().model_copy(update={"folder": "/home/someone/runs"})
    folder = Record.model_validate(record.model_dump(by_alias=True, exclude_unset=True))
    write_record(tmp_path / "runs" / "small" / record.run_id, folder)
    (path,) = copy_records("small", tmp_path / "runs", tmp_path / "book")
    assert "/home/someone" not in path.read_text() and read_record(path).folder == ""


def test_a_run_in_both_folders_is_read_from_the_runs(tmp_path):
    record, other = synthetic_record(), synthetic_record("squad")
    for run in (record, other):
        write_record(tmp_path / "old" / "small" / run.run_id, run)
    copy_records("small", tmp_path / "old", tmp_path / "book")
    write_record(tmp_path / "runs" / "small" / record.run_id, record)
    records = {run.run_id: run for run in read_records("small", tmp_path / "runs", tmp_path / "book")}
    assert records.keys() == {record.run_id, other.run_id}
    assert records[record.run_id].cards and not records[other.run_id].cards


def test_only_records_of_the_profile_are_read(tmp_path):
    for profile in ("small", "lab"):
        record = synthetic_record(languages=("en", "qal") if profile == "lab" else ("en", "ar"), profile=profile)
        write_record(tmp_path / "runs" / profile / record.run_id, record)
        copy_records(profile, tmp_path / "runs", tmp_path / "book")
    for runs in ("runs", "none"):
        assert [run.profile for run in read_records("lab", tmp_path / runs, tmp_path / "book")] == ["lab"]
    assert read_records("paper", tmp_path / "runs", tmp_path / "book") == []


def test_encoders_of_two_families_stay_apart(tmp_path, capsys):
    cached, runs, wide = tmp_path / "cached", tmp_path / "runs", encoder_facts(2) | {"name": "lab-wide-2"}
    cached.mkdir()
    for facts in (encoder_facts(), wide):
        (cached / RECORD_FILE).write_text(json.dumps(facts))
        copy_record(cached, runs)
    assert read_encoders("lab", runs) == [encoder_facts()] and read_encoders("lab-wide", runs) == [wide]
    assert capsys.readouterr().err == ""
    write_encoder(runs, wide)
    assert read_encoders("lab", runs) == [encoder_facts()]
    assert "lab-wide-2.json is the record of an encoder of lab-wide; move it to" in capsys.readouterr().err


def test_encoders_are_copied_whole_and_read_from_the_first_folder(tmp_path):
    for seed in (0, 1):
        write_encoder(tmp_path / "runs", encoder_facts(seed))
    copy_records("lab", tmp_path / "runs", tmp_path / "book")
    results = tmp_path / "book" / "results"
    assert read_encoders("lab", tmp_path / "none", results) == [encoder_facts(1), encoder_facts(0)]  # lab-1 before lab
    write_encoder(tmp_path / "runs", encoder_facts(1) | {"seconds": 1.0})
    assert read_encoders("lab", tmp_path / "runs", results)[0]["seconds"] == 1.0
    assert read_records("lab", tmp_path / "none", tmp_path / "book") == []


def test_report_command_copies_records_and_writes_the_pages_of_one_profile(tmp_path):
    record = grid_records("lab", ("none",), ("xnli",), languages=("en", "qal", "qbe"))[0]
    write_record(tmp_path / "runs" / "lab" / record.run_id, record)
    (tmp_path / "book").mkdir()
    folders = ["--runs-dir", str(tmp_path / "runs"), "--book-dir", str(tmp_path / "book")]
    result = CliRunner().invoke(main, ["report", "--profile", "lab", "--keep", *folders])
    assert result.exit_code == 0 and "1 records copied" in result.output
    assert (tmp_path / "book" / "results" / "lab" / f"{record.run_id}.json").exists()
    assert record.run_id in (tmp_path / "book" / "generated" / "runs.md").read_text()
    CliRunner().invoke(main, ["report", "--profile", "paper", *folders])
    assert "No run of profile `paper`" in (tmp_path / "book" / "generated" / "runs.md").read_text()
    result = CliRunner().invoke(main, ["report", "--profile", "huge", *folders])
    assert isinstance(result.exception, ConfigError) and "lab, lab-wide, small, paper" in str(result.exception)
