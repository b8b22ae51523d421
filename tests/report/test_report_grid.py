"""The grid made of records, against plain arithmetic on the same records."""

from itertools import pairwise

import pytest
from record_fixture import ROWS, XTREME, grid_records

from stilts_core.catalogue import task
from stilts_core.report.grid import BASELINE, Grid, parts_of, row_of, row_order


@pytest.fixture(scope="module")
def records() -> list[dict]:
    return grid_records(seeds=(0, 1))


@pytest.fixture(scope="module")
def grid(records) -> Grid:
    return Grid(records)


def plain_mean(records, row, target, average="all") -> float:
    found = [r["averages"][average]["score"] for r in records if (row_of(r), r["config"]["target"]) == (row, target)]
    return sum(found) / len(found)


def test_every_run_stands_in_its_cell_in_the_order_of_seeds(grid, records):
    assert len(grid.cells) == len(ROWS) * len(XTREME) and len(grid.records) == len(records) and not grid.apart
    assert all([r["config"]["seed"] for r in cell.records] == [0, 1] for cell in grid.cells.values())
    for cell in grid.cells.values():
        assert all((row_of(r), r["config"]["target"]) == (cell.row, cell.target) for r in cell.records)


@pytest.mark.parametrize("average", ["all", "non_english"])
def test_differences_are_those_of_plain_means(grid, records, average):
    for row in ROWS[1:]:
        for target in XTREME:
            expected = plain_mean(records, row, target, average) - plain_mean(records, BASELINE, target, average)
            assert grid.difference(row, target, average).value == pytest.approx(expected)
    assert grid.difference(BASELINE, XTREME[0]) is None


def test_averages_leave_out_what_shares_its_data_and_nothing_else(grid, records):
    for row in ROWS[1:]:
        learnt = ("anli", "mnli", "squad", "squad_v2") if row == "all" else (row,)
        counted = [target for target in XTREME if not set(learnt) & set(task(target).same_data)]
        assert grid.counted(row) == counted
        gains = [plain_mean(records, row, target) - plain_mean(records, BASELINE, target) for target in counted]
        assert grid.average(row).value == pytest.approx(sum(gains) / len(gains))
    scores = [plain_mean(records, BASELINE, target) for target in XTREME]
    assert grid.average(BASELINE).value == pytest.approx(sum(scores) / len(scores))


def test_targets_that_are_not_xtreme_s_have_cells_and_no_share_in_averages():
    records = grid_records(targets=("xnli", "xcopa"), rows=("none", "qqp"))
    grid = Grid(records)
    assert grid.targets == ["xnli", "xcopa"] and grid.counted("qqp") == ["xnli"]
    assert grid.average("qqp").value == grid.difference("qqp", "xnli").value


def test_cells_that_were_not_run_are_missing_from_averages_and_compare_with_nothing():
    records = [
        r for r in grid_records() if (row_of(r), r["config"]["target"]) not in (("qqp", "xnli"), ("none", "mlqa"))
    ]
    grid = Grid(records)
    assert ("qqp", "xnli") not in grid.cells and grid.difference("qqp", "xnli") is None
    assert grid.difference("qqp", "mlqa") is None
    assert set(grid.counted("qqp")) == set(XTREME) - {"xnli", "mlqa"}


def test_runs_with_other_parameters_or_languages_stay_apart():
    records = grid_records(rows=("none", "qqp", "squad"), targets=("xnli",))
    other, fewer = grid_records(rows=("qqp", "squad"), targets=("xnli",), seeds=(7,))
    other["config"]["target_examples"] = 5
    del fewer["scores"]["qal"]
    grid = Grid([*records, other, fewer])
    assert grid.apart == [other, fewer] and grid.records == records


def test_a_repeated_run_counts_once_and_the_latest_is_taken():
    first, again = (grid_records(rows=("none",), targets=("xnli",))[0] for _ in range(2))
    again |= {"run_id": "repeated", "finished": "2002-01-01T00:00:00Z"}
    grid = Grid([again, first])
    assert grid.records == [again] and grid.apart == [first]


def test_the_number_of_a_laboratory_encoder_is_a_seed():
    records = grid_records(rows=("none", "qqp"), targets=("xnli",)) + grid_records(
        rows=("none", "qqp"), targets=("xnli",)
    )
    for number, record in enumerate(records):
        name = "lab" if number < 2 else "lab-1"
        record["config"]["encoder"] = record["encoder"]["name"] = name
    assert [len(cell.records) for cell in Grid(records).column("xnli")] == [2, 2]


def test_rows_are_named_by_what_was_learnt_and_ordered_as_in_the_paper():
    rows = [
        "none",
        "anli",
        "squad",
        "commonsenseqa",
        "socialiqa",
        "all",
        "mlm",
        "qqp+squad",
        "mnli+mlm",
        "all+mlm",
        "mnli+sham",
    ]
    assert sorted(reversed(rows), key=row_order) == rows
    assert all(row_order(one) < row_order(other) for one, other in pairwise(rows))
    assert parts_of("qqp+squad+mlm") == (["qqp", "squad"], True, False) and parts_of("mlm") == (["mlm"], False, False)
    config = {"intermediate": "qqp,squad", "target": "xnli", "mlm_weight": 1.0}
    assert row_of({"config": config}) == "qqp+squad+mlm"
