import json
import os
import platform
from pathlib import Path

import pytest

from stilts_core import records
from stilts_core.compute import Compute
from stilts_core.cpu.kernels import kernels
from stilts_core.records import (
    RECORD,
    SCHEMA,
    RecordError,
    environment,
    find_records,
    now,
    peak_memory_bytes,
    read_record,
    write_record,
)


def test_what_was_written_is_read_back(tmp_path):
    record = {"schema": SCHEMA, "run_id": "a", "score": 0.1 + 0.2, "text": "夜里河水上涨 الجسر"}
    path = write_record(tmp_path / "runs" / "a", record)
    assert path == tmp_path / "runs" / "a" / RECORD
    assert read_record(path) == record
    assert "夜里" in path.read_text(encoding="utf-8")


def test_failed_write_leaves_the_earlier_record_whole(tmp_path, monkeypatch):
    path = write_record(tmp_path, {"schema": SCHEMA, "run": 1})
    monkeypatch.setattr(records.os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        write_record(tmp_path, {"schema": SCHEMA, "run": 2})
    with pytest.raises(TypeError):
        write_record(tmp_path, {"schema": SCHEMA, "run": object()})
    assert read_record(path)["run"] == 1


def test_number_that_is_none_is_not_written(tmp_path):
    with pytest.raises(ValueError, match="nan"):
        write_record(tmp_path, {"schema": SCHEMA, "score": float("nan")})
    assert not (tmp_path / RECORD).exists()


@pytest.mark.parametrize("content", [b"", b'{"schema": 1, "run', b"\xff\xfe\x00"])
def test_damaged_record_is_an_error_that_names_its_file(tmp_path, content):
    (tmp_path / RECORD).write_bytes(content)
    with pytest.raises(RecordError, match=rf"{tmp_path / RECORD}.*delete its folder and run again"):
        read_record(tmp_path / RECORD)


@pytest.mark.parametrize("schema", [SCHEMA + 1, None])
def test_record_of_another_schema_is_an_error_that_names_its_file(tmp_path, schema):
    (tmp_path / RECORD).write_text(json.dumps({"schema": schema} if schema else {}))
    with pytest.raises(RecordError, match=rf"{tmp_path / RECORD}: schema {schema}, this version reads {SCHEMA}"):
        read_record(tmp_path / RECORD)


def test_records_are_found_by_profile_and_ordered_by_run(tmp_path):
    for place in ("small/b", "small/a", "paper/c"):
        write_record(tmp_path / place, {"schema": SCHEMA, "run_id": place})
    (tmp_path / "checkpoints" / "mnli").mkdir(parents=True)
    assert [record["run_id"] for record in find_records(tmp_path)] == ["paper/c", "small/a", "small/b"]
    assert [record["run_id"] for record in find_records(tmp_path, "small")] == ["small/a", "small/b"]


def test_environment_says_what_the_numbers_depend_on():
    facts = environment(Compute(precision="fp32", why="as asked for"))
    assert facts["python"] == platform.python_version()
    assert facts["precision"] == "fp32 (as asked for)"
    assert facts["layers"] == kernels().why
    assert facts["device"] == "cpu" and facts["driver"] is None
    assert facts["packages"].keys() == set(records.PACKAGES) and facts["packages"]["torch"]
    json.dumps(facts)


def test_git_revision_is_that_of_the_source_or_none(monkeypatch):
    assert environment(Compute())["git_revision"] != ""
    monkeypatch.setattr(records.subprocess, "run", lambda *_, **__: (_ for _ in ()).throw(FileNotFoundError("git")))
    assert environment(Compute())["git_revision"] is None


def test_peak_memory_is_no_less_than_what_is_resident():
    page = os.sysconf("SC_PAGE_SIZE")
    resident = int(Path("/proc/self/statm").read_text().split()[1])
    assert 0.9 * resident * page < peak_memory_bytes() < os.sysconf("SC_PHYS_PAGES") * page


def test_time_is_told_in_utc():
    assert now().endswith("Z") and "T" in now()
