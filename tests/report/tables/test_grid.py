from record_fixture import grid_records

from stilts_core.report.analysis.grid import Cell
from stilts_core.report.analysis.measurement import Measurement
from stilts_core.report.tables.grid import build_table, difference_cell, number_cell
from stilts_core.runs.record import Record


def link(record: Record) -> str:
    return f"pairs/{record.run_id}.html"


def cell_of(row: str, target: str, seeds: tuple[int, ...] = (0,)) -> Cell:
    return Cell(row, target, tuple(grid_records(rows=(row,), targets=(target,), seeds=seeds)))


def test_a_cell_of_one_run_links_to_it_and_a_cell_of_several_to_each():
    one = number_cell(Measurement(50.0, 1.0), "50.0", links=["a.html"])
    assert one.count("<a ") == 1 and '<a href="a.html">50.0</a>' in one
    two = number_cell(Measurement(50.0, 1.0), "50.0", links=["a.html", "b.html"])
    assert '<a href="a.html">50.0</a>' in two and '<a href="b.html" aria-label="run 2">2</a>' in two


def test_only_clear_differences_are_bold():
    cell, value = cell_of("qqp", "xnli"), Measurement(5.0, 1.0)
    assert "<b>+5.0</b>" in difference_cell(value, cell, link, 10, clear=True)
    assert "<b>" not in difference_cell(value, cell, link, 10, clear=False)
    assert "<b>" not in difference_cell(value, cell_of("mnli", "xnli"), link, 10, clear=True)


def test_differences_on_the_same_data_are_marked_and_have_no_colour():
    same, other = (
        difference_cell(Measurement(5.0, 1.0), cell_of(row, "xnli"), link, 10, clear=True) for row in ("mnli", "qqp")
    )
    assert 'class="same"' in same and "background" not in same
    assert 'class="same"' not in other and "background" in other


def test_empty_groups_of_rows_have_no_body():
    assert build_table("caption", [["<th>a</th>"]], [["<tr></tr>"], []]).count("<tbody>") == 1
