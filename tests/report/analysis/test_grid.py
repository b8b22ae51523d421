"""The grid of records, compared with plain arithmetic on the same records."""

from itertools import pairwise

import pytest
from record_fixture import ROWS, XTREME, grid_records, with_encoder, with_values

from stilts_core.config import PUBLISHERS
from stilts_core.report.analysis.grid import BASELINE, Grid, grids_by_encoder, row_sort_key
from stilts_core.runs.record import Record
from stilts_core.tasks.catalogue import get_task


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return grid_records(seeds=(0, 1))


@pytest.fixture(scope="module")
def grid(records) -> Grid:
    return Grid(records)


def plain_mean(records: list[Record], row: str, target: str, average: str = "all") -> float:
    scores = [getattr(r.averages, average).score for r in records if (r.row, r.target) == (row, target)]
    return sum(scores) / len(scores)


def test_every_run_is_in_the_cell_of_its_row_and_target_ordered_by_seed(grid, records):
    assert len(grid.cells) == len(ROWS) * len(XTREME) and len(grid.records) == len(records) and not grid.incomparable
    assert all([record.seed for record in cell.records] == [0, 1] for cell in grid.cells.values())
    for cell in grid.cells.values():
        assert all((record.row, record.target) == (cell.row, cell.target) for record in cell.records)


@pytest.mark.parametrize("average", ["all", "non_english"])
def test_differences_equal_the_differences_of_plain_means(grid, records, average):
    for row in ROWS[1:]:
        for target in XTREME:
            expected = plain_mean(records, row, target, average) - plain_mean(records, BASELINE, target, average)
            assert grid.difference(row, target, average).value == pytest.approx(expected)
    assert grid.difference(BASELINE, XTREME[0]) is None


def test_averages_leave_out_exactly_the_targets_that_share_their_data(grid, records):
    for row in ROWS[1:]:
        trained = ("anli", "mnli", "squad", "squad_v2") if row == "all" else (row,)
        counted = [target for target in XTREME if not set(trained) & set(get_task(target).same_data)]
        assert grid.counted_targets(row) == counted
        gains = [plain_mean(records, row, target) - plain_mean(records, BASELINE, target) for target in counted]
        assert grid.average(row).value == pytest.approx(sum(gains) / len(gains))
    scores = [plain_mean(records, BASELINE, target) for target in XTREME]
    assert grid.average(BASELINE).value == pytest.approx(sum(scores) / len(scores))


def test_targets_outside_xtreme_have_cells_but_do_not_enter_averages():
    records = grid_records(targets=("xnli", "xcopa"), rows=("none", "qqp"))
    grid = Grid(records)
    assert grid.targets == ["xnli", "xcopa"] and grid.counted_targets("qqp") == ["xnli"]
    assert grid.average("qqp").value == grid.difference("qqp", "xnli").value


def test_missing_cells_have_no_difference_and_do_not_enter_averages():
    missing = (("qqp", "xnli"), ("none", "mlqa"))
    grid = Grid([record for record in grid_records() if (record.row, record.target) not in missing])
    assert ("qqp", "xnli") not in grid.cells and grid.difference("qqp", "xnli") is None
    assert grid.difference("qqp", "mlqa") is None
    assert set(grid.counted_targets("qqp")) == set(XTREME) - {"xnli", "mlqa"}


def test_runs_with_other_parameters_or_languages_are_incomparable():
    records = grid_records(rows=("none", "qqp", "squad"), targets=("xnli",))
    other, fewer = grid_records(rows=("qqp", "squad"), targets=("xnli",), seeds=(7,))
    other = with_values(other, {"config.target_examples": 5})
    scores = {code: score for code, score in fewer.scores.items() if code != "qal"}
    fewer = with_values(fewer, {"scores": scores})
    grid = Grid([*records, other, fewer])
    assert grid.incomparable == [other, fewer] and grid.records == records


def test_runs_on_data_of_another_source_are_incomparable():
    records = grid_records(rows=("none", "qqp"), targets=("xnli",))
    (other,) = grid_records(rows=("qqp",), targets=("xnli",), seeds=(1,))
    other = with_values(other, {"config.source": PUBLISHERS})
    assert Grid([*records, other]).incomparable == [other]


def test_only_the_latest_of_repeated_runs_counts():
    (first,) = grid_records(rows=("none",), targets=("xnli",))
    repeated = with_values(first, {"run_id": "repeated", "finished": "2002-01-01T00:00:00Z"})
    grid = Grid([repeated, first])
    assert grid.records == [repeated] and grid.incomparable == [first]


def test_every_encoder_has_its_own_grid_and_the_largest_comes_first():
    small = [with_encoder(record, "small") for record in grid_records(rows=("none", "qqp"), targets=("xnli",))]
    large = [with_encoder(record, "large") for record in grid_records(rows=("none", "qqp"), targets=("xnli", "xquad"))]
    others = [with_values(record, {"encoder.fingerprint": "1" * 16, "run_id": f"new-{record.run_id}"})
              for record in small[:1]]  # fmt: skip
    grids = grids_by_encoder([*others, *small, *large])
    assert [grid.records for grid in grids] == [sorted(large, key=lambda run: run.target), small, others]
    assert not any(grid.incomparable for grid in grids)
    laboratory = [with_encoder(record, name) for record in small for name in ("lab", "lab-1", "lab-wide")]
    assert [len(grid.records) for grid in grids_by_encoder(laboratory)] == [4, 2]


@pytest.mark.parametrize("family", ["lab", "lab-wide"])
def test_the_number_of_a_laboratory_encoder_is_a_seed(family):
    records = [
        with_values(record, {"config.encoder": name, "encoder.name": name})
        for name in (family, f"{family}-1")
        for record in grid_records(rows=("none", "qqp"), targets=("xnli",))
    ]
    assert [len(cell.records) for cell in Grid(records).column("xnli")] == [2, 2]


def test_runs_of_a_row_have_one_setting_of_what_stands_beside_its_tasks():
    base = grid_records(rows=("none", "qqp"), targets=("xnli",), seeds=(0, 1))
    beside = grid_records(rows=("qqp+mlm",), targets=("xnli",), seeds=(0, 1, 2))
    settings = [{"config.auxiliary": "reversal", "config.auxiliary_weight": weight} for weight in (0.0, 0.1)]
    zero = [with_values(record, settings[0]) for record in beside[:2]]
    tenth = [with_values(record, settings[1]) for record in beside]
    grid = Grid([*base, *zero, *tenth])
    assert grid.rows == ["none", "qqp", "qqp+reversal"]
    cell = grid.cells["qqp+reversal", "xnli"]
    assert [record.config.auxiliary_weight for record in cell.records] == [0.1] * 3
    assert [record.config.auxiliary_weight for record in grid.incomparable] == [0.0] * 2


def test_rows_are_ordered_as_in_the_paper():
    rows = [
        "none",
        "anli",
        "squad",
        "commonsenseqa",
        "socialiqa",
        "all",
        "mlm",
        "qqp+squad",
        "squad>mlm",
        "mlm>mnli",
        "qqp+mixed",
        "squad>mlm+mixed",
        "mnli+mlm",
        "all+mlm",
        "mnli+reversal",
        "mnli+means",
        "mnli+sham",
    ]
    assert sorted(reversed(rows), key=row_sort_key) == rows
    assert all(row_sort_key(one) < row_sort_key(other) for one, other in pairwise(rows))
