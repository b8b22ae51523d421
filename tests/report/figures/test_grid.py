import xml.etree.ElementTree as ElementTree

import pytest
from matplotlib.figure import Figure
from record_fixture import ROWS, XTREME, grid_records, with_values
from statsmodels.stats.multitest import multipletests

from stilts_core.report.analysis.grid import Grid
from stilts_core.report.figures import grid as figures
from stilts_core.report.figures.style import to_svg
from stilts_core.report.tables.numbers import interval, signed
from stilts_core.report.tables.titles import short_title
from stilts_core.tasks.catalogue import TARGET_TASKS


def grid_with(gains: dict[str, float], target: str = "pawsx") -> Grid:
    """A grid of four seeds in which rows differ from the baseline by these points, or a hundredth more or less."""
    records = []
    for record in grid_records(rows=("none", *gains), targets=(target,), seeds=range(4)):
        score = 50 + gains.get(record.row, 0) + (record.row != "none") * (record.seed - 1.5) / 100
        averages = {f"averages.{name}.score": score for name in ("all", "non_english")}
        records.append(with_values(record, averages | {f"scores.{code}.score": score for code in record.scores}))
    return Grid(records)


@pytest.fixture(scope="module")
def grid() -> Grid:
    return Grid(grid_records(rows=ROWS))


def is_svg(text: str) -> bool:
    return ElementTree.fromstring(text).tag.endswith("svg")


def test_heat_map_prints_the_difference_of_every_cell(grid):
    svg = figures.draw_heat_map(grid)
    rows = [row for row in grid.rows if row != "none"]
    differences = [signed(grid.difference(row, target).value, 1) for row in rows for target in grid.targets]
    assert is_svg(svg) and all(svg.count(f"<!-- {text} -->") >= differences.count(text) for text in set(differences))


def test_heat_map_finding_counts_only_clear_pairs_that_share_no_data(grid):
    pairs = [key for key, cell in grid.cells.items() if key[0] != "none" and not cell.same_data]
    gains = [key for key in pairs if grid.difference(*key).value > 0]
    losses = [key for key in pairs if grid.difference(*key).value < 0]
    clear = {*gains[:3], *losses[:2], ("mnli", "xnli")}
    finding = figures.heat_map_finding(grid, clear)
    assert f"Of {len(pairs)} pairs 3 gain and 2 lose clearly" in finding


@pytest.mark.parametrize("columns", [len(XTREME), len(TARGET_TASKS)])
def test_numbers_of_a_heat_map_stay_inside_their_cells(columns, monkeypatch):
    drawn: list[Figure] = []
    monkeypatch.setattr(figures, "to_svg", lambda figure: drawn.append(figure) or to_svg(figure))
    monkeypatch.setattr(figures, "signed", lambda *_: "−74.3")
    grid = Grid(grid_records(rows=ROWS, targets=TARGET_TASKS[:columns]))
    figures.draw_heat_map(grid, set(grid.cells))
    (axes,) = drawn[0].axes
    cell = axes.get_window_extent().width / columns
    assert len(grid.targets) == columns and max(text.get_window_extent().width for text in axes.texts) < 0.95 * cell


def test_heat_map_finding_gives_the_interval_of_the_highest_average():
    grid = Grid(grid_records(rows=ROWS, seeds=range(3)))
    row = max(ROWS[1:], key=lambda row: grid.average(row).value)
    average = grid.average(row)
    bounds = interval(*average.interval, 1)
    ending = f"Highest average: {short_title(row)} {signed(average.value, 1)} {bounds}"
    assert figures.heat_map_finding(grid, set()).endswith(ending)


def test_heat_map_finding_names_permuted_labels_that_have_the_highest_average():
    grid = grid_with({"mnli": 1.0, "mnli+sham": 3.0, "qqp": 2.0})
    finding = figures.heat_map_finding(grid, {("mnli", "pawsx")})
    assert finding.startswith("Of 3 pairs 1 gains and 0 lose clearly. Highest average: MNLI, shuffled +3.0 [")
    assert "]; with true labels: QQP +2.0 [" in finding


def test_one_seed_has_findings_without_a_clear_difference(grid):
    for finding in (figures.heat_map_finding(grid), figures.gains_finding(grid, "xnli")):
        assert finding.endswith("One seed shows no clear difference")


def test_gains_finding_counts_the_rows_that_stay_after_the_correction():
    grid = Grid(grid_records(rows=ROWS, targets=("pawsx",), seeds=range(4)))
    differences = {row: grid.difference(row, "pawsx") for row in ROWS[1:]}
    adjusted = multipletests([value.p for value in differences.values()], method="holm")[0]
    helpful = sum(clear and value.value > 0 for clear, value in zip(adjusted, differences.values(), strict=True))
    assert 0 < helpful < len(differences)
    assert f"{helpful} of {len(differences)} rows help clearly" in figures.gains_finding(grid, "pawsx")


@pytest.mark.parametrize(
    ("gains", "finding"),
    [
        ({"qqp": -5, "mnli": -4}, "none of 2 rows helps clearly, 2 harm clearly (after correction)"),
        ({"qqp": 0, "mnli": -4}, "none of 2 rows helps clearly, 1 harms clearly (after correction)"),
        ({"qqp": 0, "mnli": 0}, "none of 2 rows helps clearly (after correction)"),
        ({"qqp": 3, "mnli": -4}, "QQP is the best row, +3.0; 1 of 2 rows helps clearly, 1 harms clearly "
                                 "(after correction)"),
        ({"qqp": 3}, "QQP is the only row, +3.0; it helps clearly"),
        ({"qqp": -3}, "QQP is the only row, −3.0; it harms clearly"),
        ({"qqp": 0}, "QQP is the only row, 0.0; no clear difference"),
    ],
)  # fmt: skip
def test_gains_finding_counts_rows_that_harm_and_names_a_single_row(gains, finding):
    assert figures.gains_finding(grid_with(gains), "pawsx") == f"PAWS-X: {finding}"


def test_gains_finding_does_not_count_the_rows_with_the_targets_own_data():
    grid = grid_with({"mnli": 9, "qqp": 3}, "xnli")
    assert figures.gains_finding(grid, "xnli") == "XNLI: QQP is the only row with other data, +3.0; it helps clearly"


def test_target_on_which_all_rows_agree_has_no_best_row():
    records = grid_records(rows=("none", "qqp", "mnli"), targets=("pawsx",), seeds=range(2))
    same = [with_values(record, {f"scores.{code}.score": 50.0 for code in record.scores}) for record in records]
    assert figures.gains_finding(Grid(same), "pawsx") == "PAWS-X: all rows have the scores of the baseline"


def test_gains_finding_names_the_best_row_that_shares_no_data(grid):
    gains = {cell.row: grid.difference(cell.row, "xnli") for cell in grid.column("xnli") if not cell.same_data}
    best = max((row for row in gains if gains[row]), key=lambda row: gains[row].value)
    assert f"XNLI: {short_title(best)} is the best row" in figures.gains_finding(grid, "xnli")


@pytest.mark.parametrize("draw", [figures.draw_heat_map, lambda grid: figures.draw_gains(grid, "xnli")])
def test_grid_without_a_baseline_has_no_figure_of_differences(draw):
    assert draw(Grid(grid_records(rows=("qqp",), targets=("xnli",)))) is None


def test_layers_are_drawn_only_for_retrieval_targets(grid):
    assert is_svg(figures.draw_layers(grid, "tatoeba"))
    assert figures.draw_layers(grid, "xnli") is None
