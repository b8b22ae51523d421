"""The whole benchmark at its smallest, on generated data and a tiny encoder."""

import json
import statistics

import jsonschema
import pytest
import toy_data
from click.testing import CliRunner
from threads import threads

from stilts_core.bench import growth, retrieving, running, table, training
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
    """The JSON of some workloads, measured one call after the other into the same file.

    Memory is given, not measured: test_measuring.py shows that, and each process takes seconds to start.
    """
    folder = tmp_path_factory.mktemp("bench")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STILTS_DATA", str(toy_data.write_data(folder / "data")))
        patch.delenv("STILTS_BENCH_PYTHON", raising=False)
        sizes = iter(range(2**20, 2**30, 2**20))
        for module in (training, retrieving):
            patch.setattr(module, "peak_memory", lambda *_: next(sizes))
        patch.setattr(training, "matmul_rate", lambda _: 1e12)
        patch.setattr(growth, "in_fresh_process", lambda _, rows: rows)
        options = ["--quick", "--encoder", str(tiny_bert), "--json", str(folder / "bench.json"), "--seeds", "1"]
        options += ["--runs-dir", str(folder / "runs")]
        with threads(1):
            for name in CHOSEN:
                done = CliRunner().invoke(main, ["bench", "--workload", name, *options])
                assert done.exit_code == 0, done.output + repr(done.exception)
    return folder / "bench.json"


def test_json_holds_every_workload_and_is_valid(path):
    result = json.loads(path.read_text())
    jsonschema.Draft202012Validator(SCHEMA).validate(result)
    assert result.keys() == {*CHOSEN, "provenance"} and result["provenance"].keys() == set(CHOSEN)
    facts = result["provenance"]["train-xnli"]
    assert facts["environment"]["cpu"] and facts["environment"]["threads"] == 1 and facts["environment"]["precision"]
    assert facts["workload"]["examples"] == 24 and facts["repetitions"] == 2 and facts["reduced"]


def test_ratios_are_those_of_the_raw_figures(path):
    result = json.loads(path.read_text())
    entries = [entry for name in CHOSEN for peers in result[name].values() for entry in peers.values()]
    compared = [entry for entry in entries if "ratio" in entry]
    assert compared
    for entry in compared:
        turned = entry["ratio_is"] == "theirs / ours"
        pairs = zip(entry["ours"], entry["theirs"], strict=True)
        ratios = [b / a if turned else a / b for a, b in pairs]
        assert entry["ratio"] == {"min": min(ratios), "median": statistics.median(ratios), "max": max(ratios)}


def test_peers_do_as_many_updates_and_predict_the_same(path):
    result = json.loads(path.read_text())
    for entry in result["train-xnli"]["updates"].values():
        assert entry["ours"] == entry["theirs"] == [3, 3]
    assert result["eval-xnli"]["agreement"]["trainer-best"]["ours"][0] > 0.9
    assert result["bucc-100k"]["identical_neighbours"]["faiss"]["ours"] == [1.0]


def test_memory_that_does_not_grow_with_the_corpus_would_show(path):
    growing = json.loads(path.read_text())["growth"]["corpus_memory"]["alone"]
    assert growing["exponent"] == pytest.approx(1.0)  # as given by the fixture


def test_table_has_a_row_for_every_measure_and_peer(path):
    result = json.loads(path.read_text())
    rows = table.rows(result)
    assert len(rows) == sum(len(peers) for name in CHOSEN for peers in result[name].values())
    assert {len(row) for row in rows} == {len(table.HEADINGS)}
    aims = {(row[0], row[1], row[2]): row[-1] for row in rows if row[-1]}
    assert len(aims) == 4 + 1 + 2


def test_missing_data_is_an_error_that_names_the_variable(monkeypatch, tiny_bert):
    monkeypatch.delenv("STILTS_DATA", raising=False)
    failed = CliRunner().invoke(main, ["bench", "--workload", "train-xquad", "--quick", "--encoder", str(tiny_bert)])
    assert failed.exit_code == 1 and "STILTS_DATA" in str(failed.exception)


def test_missing_peer_is_an_error_that_says_how_to_install_it(monkeypatch):
    monkeypatch.setattr(running, "PEER_PACKAGES", ("accelerate", "no-such-package"))
    failed = CliRunner().invoke(main, ["bench", "--quick"])
    assert failed.exit_code == 1 and "stilts-core[bench]" in str(failed.exception)
    assert "no-such-package" in str(failed.exception) and "accelerate" not in str(failed.exception)
