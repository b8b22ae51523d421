from collections.abc import Mapping, Sequence

from record_fixture import grid_records, with_dev_score, with_values

from stilts_core.report.analysis.claims import gain_of_choice
from stilts_core.report.analysis.grid import Grid
from stilts_core.report.analysis.selection import best_on_dev, best_on_test, candidates, mean_dev_gain
from stilts_core.runs.record import Record


def records_with(
    dev: Mapping[str, float], test: Mapping[str, float], targets: Sequence[str] = ("pawsx", "tatoeba")
) -> list[Record]:
    """Records whose English dev and mean test scores equal the values for their row."""
    return [
        with_values(with_dev_score(record, dev[record.row]), {"averages.all.score": test[record.row]})
        for record in grid_records(rows=dev, targets=targets)
    ]


def test_dev_scores_decide_the_choice_and_test_scores_the_oracles():
    grid = Grid(records_with({"none": 60, "qqp": 70, "ccg": 65}, {"none": 50, "qqp": 40, "ccg": 55}))
    assert best_on_dev(grid, "pawsx").row == "qqp" and best_on_test(grid, "pawsx").row == "ccg"


def test_test_scores_never_change_the_choice_on_dev():
    dev = {"none": 60, "qqp": 70, "ccg": 65}
    chosen = [
        [best_on_dev(Grid(records_with(dev, test)), target).row for target in ("pawsx", "tatoeba")]
        for test in ({"none": 50, "qqp": 40, "ccg": 55}, {"none": 99, "qqp": 1, "ccg": 98})
    ]
    assert chosen == [["qqp", "qqp"], ["qqp", "qqp"]]


def test_target_without_dev_part_takes_the_row_with_the_largest_dev_gain_on_other_targets():
    grid = Grid(records_with({"none": 60, "qqp": 58, "ccg": 65}, {"none": 50, "qqp": 90, "ccg": 10}))
    assert grid.cells["qqp", "tatoeba"].dev_scores == {} and mean_dev_gain(grid, "ccg") == 5
    assert best_on_dev(grid, "tatoeba").row == "ccg" and best_on_test(grid, "tatoeba").row == "qqp"


def test_baseline_may_be_the_best_row():
    grid = Grid(records_with({"none": 60, "qqp": 58}, {"none": 50, "qqp": 90}))
    assert best_on_dev(grid, "pawsx").row == best_on_dev(grid, "tatoeba").row == "none"


def test_rows_with_the_targets_own_data_and_controls_are_never_chosen():
    records = records_with({"none": 60, "mnli": 99, "qqp": 61}, {"none": 50, "mnli": 99, "qqp": 51}, ("xnli",))
    controls = [
        with_values(record, {"config.sham_labels": True}) for record in records_with({"qqp": 98}, {"qqp": 98}, ["xnli"])
    ]
    grid = Grid(records + controls)
    assert {cell.row for cell in candidates(grid, "xnli")} == {"none", "qqp"} and "qqp+sham" in grid.rows
    assert best_on_dev(grid, "xnli").row == best_on_test(grid, "xnli").row == "qqp"


def test_rows_are_compared_on_the_seeds_that_they_share_with_the_baseline():
    """A row whose additional seed is a lucky one must not be chosen for it."""
    dev = test = {"none": 60, "qqp": 62, "ccg": 63}
    (lucky,) = grid_records(rows=("qqp",), targets=("pawsx",), seeds=(1,))
    lucky = with_values(with_dev_score(lucky, 99.0), {"averages.all.score": 99.0})
    grid = Grid([*records_with(dev, test, ("pawsx",)), lucky])
    assert len(grid.cells["qqp", "pawsx"].records) == 2
    assert best_on_dev(grid, "pawsx").row == best_on_test(grid, "pawsx").row == "ccg"


def test_a_claim_s_choice_is_made_without_the_replicate_that_counts():
    """In each seed another row is lucky on dev and on test: a choice that looks at these runs would gain."""
    rows, seeds = ("qqp", "ccg", "squad"), (0, 1, 2)
    records = [
        with_values(with_dev_score(record, 60.0 + luck), {"averages.all.score": 50.0 + luck})
        for record in grid_records(rows=("none", *rows), targets=("pawsx",), seeds=seeds)
        for luck in [0.0 if record.row == "none" else 9.0 if rows.index(record.row) == record.seed else -3.0]
    ]
    grid = Grid(records)
    gains = {seed: gain.value for (seed, _), gain in gain_of_choice(grid).items()}
    # Without its own seed, each of the two other rows gains 6 over two seeds, and the seed's own lucky row loses.
    assert gains == {0: -3.0, 1: -3.0, 2: -3.0}
    assert best_on_dev(grid, "pawsx").row in rows


def test_a_choice_needs_another_replicate():
    assert gain_of_choice(Grid(records_with({"none": 60, "qqp": 70}, {"none": 50, "qqp": 55}, ("pawsx",)))) == {}
