"""The whole benchmark at its smallest sizes, on generated data and a tiny encoder."""

import json
import statistics

import jsonschema
import pytest
import toy_data
from click.testing import CliRunner
from threads import threads

from stilts_core.bench import growth, retrieval, suite, table, training
from stilts_core.bench.workloads import MEASURES, PEERS
from stilts_core.cli import main

NUMBERS = {"type": "array", "items": {"type": "number"}, "minItems": 1}
RANGE = {
    "type": "object",
    "properties": {name: {"type": "number"} for name in ("min", "median", "max")},
    "required": ["min", "median", "max"],
    "additionalProperties": False,
}
ENTRY = {
    "type": "object",
    "properties": {"unit": {"type": "string"}, "ours": NUMBERS, "theirs": NUMBERS, "ratio": RANGE, "difference": RANGE},
    "anyOf": [{"required": ["unit", "ours"]}, {"required": ["unit", "points", "exponent"]}],
    "dependentRequired": {"ratio": ["ours", "theirs", "ratio_is"]},
}
WORKLOAD = {
    "type": "object",
    "propertyNames": {"enum": list(MEASURES)},
    "additionalProperties": {
        "type": "object",
        "minProperties": 1,
        "propertyNames": {"enum": list(PEERS)},
        "additionalProperties": ENTRY,
    },
}
PROVENANCE = ("started", "finished", "environment", "peer_packages", "encoder", "workload", "repetitions", "seeds")
SCHEMA = {
    "type": "object",
    "properties": {"provenance": {"additionalProperties": {"type": "object", "required": list(PROVENANCE)}}},
    "required": ["provenance"],
    "additionalProperties": WORKLOAD,
}
CHOSEN = ("train-xnli", "eval-xnli", "bucc-100k", "tatoeba", "growth")


@pytest.fixture(scope="module")
def path(tmp_path_factory, tiny_bert):
    """The JSON of several workloads, each measured by its own call into the same file.

    Memory is replaced by constants, because every new process takes seconds; test_measurement.py tests it.
    """
    folder = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILTS_DATA", str(toy_data.write_data(folder / "data")))
        patch.delenv("STILTS_BENCH_PYTHON", raising=False)
        sizes = iter(range(2**20, 2**30, 2**20))
        for module in (training, retrieval):
            patch.setattr(module, "measure_peak_memory", lambda *_: next(sizes))
        patch.setattr(training, "measure_matmul_rate", lambda _: 1e12)
        patch.setattr(growth, "call_in_new_process", lambda _, rows: rows)
        options = ["--quick", "--encoder", str(tiny_bert), "--json", str(folder / "bench.json"), "--seeds", "1"]
        options += ["--runs-dir", str(folder / "runs")]
        with threads(1):
            for name in CHOSEN:
                result = CliRunner().invoke(main, ["bench", "--workload", name, *options])
                assert result.exit_code == 0, result.output + repr(result.exception)
    return folder / "bench.json"


def test_json_has_every_workload_and_fits_the_schema(path):
    result = json.loads(path.read_text())
    jsonschema.Draft202012Validator(SCHEMA).validate(result)
    assert result.keys() == {*CHOSEN, "provenance"} and result["provenance"].keys() == set(CHOSEN)
    facts = result["provenance"]["train-xnli"]
    assert facts["environment"]["cpu"] and facts["environment"]["threads"] == 1 and facts["environment"]["precision"]
    assert facts["workload"]["examples"] == 24 and facts["repetitions"] == 2 and facts["reduced"]


def test_ratios_follow_from_the_raw_figures(path):
    result = json.loads(path.read_text())
    entries = [entry for name in CHOSEN for peers in result[name].values() for entry in peers.values()]
    compared = [entry for entry in entries if "ratio" in entry]
    assert compared
    for entry in compared:
        inverted = entry["ratio_is"] == "theirs / ours"
        pairs = zip(entry["ours"], entry["theirs"], strict=True)
        ratios = [b / a if inverted else a / b for a, b in pairs]
        assert entry["ratio"] == {"min": min(ratios), "median": statistics.median(ratios), "max": max(ratios)}


def test_peers_do_as_many_updates_and_make_the_same_predictions(path):
    result = json.loads(path.read_text())
    for entry in result["train-xnli"]["updates"].values():
        assert entry["ours"] == entry["theirs"] == [3, 3]
    assert result["eval-xnli"]["agreement"]["trainer-best"]["ours"][0] > 0.9
    assert result["bucc-100k"]["identical_neighbours"]["faiss"]["ours"] == [1.0]


def test_exponent_of_memory_follows_from_its_points(path):
    growing = json.loads(path.read_text())["growth"]["corpus_memory"]["alone"]
    assert growing["exponent"] == pytest.approx(1.0)  # the fixture returns the size itself


def test_table_has_a_row_for_every_measure_and_peer(path):
    result = json.loads(path.read_text())
    rows = table.build_rows(result)
    assert len(rows) == sum(len(peers) for name in CHOSEN for peers in result[name].values())
    assert {len(row) for row in rows} == {len(table.HEADINGS)}
    aims = {(row[0], row[1], row[2]): row[-1] for row in rows if row[-1]}
    assert len(aims) == 4 + 1 + 2


def test_missing_data_raises_and_names_the_variable(monkeypatch, tiny_bert):
    monkeypatch.delenv("STILTS_DATA", raising=False)
    failed = CliRunner().invoke(main, ["bench", "--workload", "train-xquad", "--quick", "--encoder", str(tiny_bert)])
    assert failed.exit_code == 1 and "STILTS_DATA" in str(failed.exception)


def test_missing_peer_raises_and_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(suite, "PEER_PACKAGES", ("accelerate", "no-such-package"))
    failed = CliRunner().invoke(main, ["bench", "--quick"])
    assert failed.exit_code == 1 and "stilts-core[bench]" in str(failed.exception)
    assert "no-such-package" in str(failed.exception) and "accelerate" not in str(failed.exception)
