"""The growth of a sweep: what a further run costs, and copies of records that a report can read."""

import json

import pytest
from click.testing import CliRunner
from record_fixture import synthetic_record

from stilts_core import cli
from stilts_core.bench import sweep_growth
from stilts_core.bench.sweep_growth import build_figures, compare_increments, copy_records, lock_runs, split_in_four
from stilts_core.bench.workloads import MEASURES, WORKLOADS
from stilts_core.runs.record import find_records

SIZES = (250, 500, 1000)


@pytest.mark.parametrize(("power", "expected"), [(1, 1.0), (2, 2.0)])
def test_further_run_costs_as_much_at_the_end_as_at_the_start_only_if_growth_is_linear(power, expected):
    """The constant cost of a start, which bends the fitted exponent, does not count."""
    points = [(size, 3.0 + 0.001 * size**power) for size in SIZES]
    assert compare_increments(points) == pytest.approx(expected)
    assert build_figures({"planning": points})["planning"]["alone"]["exponent"] < power


def test_cost_that_is_too_small_to_be_measured_has_no_increment():
    assert compare_increments([(250, 0.2), (500, 0.2), (1000, 0.3)]) is None
    assert set(build_figures({"locking": [(250, 0.2), (500, 0.2), (1000, 0.3)]})) == {"locking"}


def test_sizes_are_whole_seeds_of_every_row():
    assert split_in_four(200) == [50, 100, 200] and split_in_four(8) == [2, 4, 8]


def test_copied_records_differ_in_seed_and_name_and_can_be_reported(tmp_path):
    originals = [synthetic_record(row, languages=("en", "qal", "qbe"), profile="lab") for row in ("none", "ccg")]
    copy_records(originals, 6, tmp_path / "runs")
    records = find_records(tmp_path / "runs", "lab")
    assert len({record.run_id for record in records}) == len({(r.row, r.seed) for r in records}) == 6
    (tmp_path / "book").mkdir()
    options = ["--profile", "lab", "--runs-dir", str(tmp_path / "runs"), "--book-dir", str(tmp_path / "book")]
    done = CliRunner().invoke(cli.main, ["report", *options], catch_exceptions=False)
    assert done.exit_code == 0 and "6 runs in 2 rows" in (tmp_path / "book" / "generated" / "results.md").read_text()


def test_every_run_has_a_lock_of_its_own(tmp_path):
    lock_runs(5, tmp_path / "runs")
    assert len(list((tmp_path / "runs").glob("*.lock"))) == 5


def test_workload_measures_every_curve_at_three_sizes(monkeypatch, tmp_path):
    """Without commands: those are measured by `stilts bench --workload sweep --quick`."""
    commands: list[list[str]] = []
    monkeypatch.setattr(sweep_growth, "run_command", commands.append)
    monkeypatch.setattr(sweep_growth, "resolve_encoder", lambda name: None)
    monkeypatch.setattr(sweep_growth, "find_records", lambda *_: [synthetic_record(profile="lab")])
    workload = WORKLOADS["sweep"].reduced()
    figures = sweep_growth.measure_sweep(workload, None)
    assert figures.keys() <= MEASURES.keys()
    seeds = [len(command[command.index("--seeds") + 1].split(",")) for command in commands[:6]]
    assert seeds == [5, 10, 20, 1, 2, 4]
    kinds = [command[3] for command in commands]
    assert kinds == ["sweep"] * 6 + ["report"] * 3 and json.dumps(figures, allow_nan=False)
    assert [("--dry-run" in command, "--no-page" in command) for command in commands[:6:3]] == [(1, 0), (0, 1)]
