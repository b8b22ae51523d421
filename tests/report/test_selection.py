from record_fixture import grid_records

from stilts_core.report.grid import Grid, row_of
from stilts_core.report.selection import by_dev, by_test, candidates, dev_gain


def records_with(dev: dict[str, float], test: dict[str, float], targets=("pawsx", "tatoeba")) -> list[dict]:
    """Records of the rows in `dev`, whose English dev and test scores are set."""
    records = grid_records(rows=dev, targets=targets)
    for record in records:
        record["averages"]["all"]["score"] = test[row_of(record)]
        for phase in record["phases"]:
            if phase["name"] == "target":
                phase["dev"][record["config"]["target"]]["score"] = dev[row_of(record)]
    return records


def test_choice_follows_dev_and_the_oracle_follows_test():
    grid = Grid(records_with({"none": 60, "qqp": 70, "ccg": 65}, {"none": 50, "qqp": 40, "ccg": 55}))
    assert by_dev(grid, "pawsx").row == "qqp" and by_test(grid, "pawsx").row == "ccg"


def test_no_test_score_changes_the_choice():
    dev = {"none": 60, "qqp": 70, "ccg": 65}
    chosen = [
        [by_dev(Grid(records_with(dev, test)), target).row for target in ("pawsx", "tatoeba")]
        for test in ({"none": 50, "qqp": 40, "ccg": 55}, {"none": 99, "qqp": 1, "ccg": 98})
    ]
    assert chosen == [["qqp", "qqp"], ["qqp", "qqp"]]


def test_a_target_without_dev_part_takes_the_row_of_the_largest_gain_on_the_others_dev_parts():
    grid = Grid(records_with({"none": 60, "qqp": 58, "ccg": 65}, {"none": 50, "qqp": 90, "ccg": 10}))
    assert grid.cells["qqp", "tatoeba"].dev is None and dev_gain(grid, "ccg") == 5
    assert by_dev(grid, "tatoeba").row == "ccg" and by_test(grid, "tatoeba").row == "qqp"


def test_the_baseline_may_be_chosen():
    grid = Grid(records_with({"none": 60, "qqp": 58}, {"none": 50, "qqp": 90}))
    assert by_dev(grid, "pawsx").row == by_dev(grid, "tatoeba").row == "none"


def test_rows_with_the_target_s_own_data_and_shams_are_never_chosen():
    records = records_with({"none": 60, "mnli": 99, "qqp": 61}, {"none": 50, "mnli": 99, "qqp": 51}, ("xnli",))
    sham = records_with({"qqp": 98}, {"qqp": 98}, ("xnli",))
    for record in sham:
        record["config"]["sham_labels"] = True
    grid = Grid(records + sham)
    assert {cell.row for cell in candidates(grid, "xnli")} == {"none", "qqp"} and "qqp+sham" in grid.rows
    assert by_dev(grid, "xnli").row == by_test(grid, "xnli").row == "qqp"
