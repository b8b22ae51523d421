from stilts_core.report.tables.html import format_duration, markdown_table, table, text


def test_text_is_escaped_and_has_its_own_direction():
    html = text("<script> & שלום", "he")
    assert 'dir="auto"' in html and 'lang="he"' in html
    assert "<script>" not in html and "&lt;script&gt; &amp; שלום" in html


def test_table_scrolls_inside_itself_and_mathjax_ignores_it():
    html = table(["a"], [["$x$"]]).data
    assert html.startswith('<div class="stilts-table mathjax_ignore" style="overflow-x: auto">')


def test_numbers_are_aligned_right_and_missing_values_are_empty_cells():
    html = table(["a", "b", "c"], [[1234, 5.678, None]]).data
    assert '<td style="text-align: right">1,234</td>' in html
    assert '<td style="text-align: right">5.7</td>' in html
    assert "<td></td>" in html and "None" not in html


def test_totals_are_in_the_foot_of_the_table():
    body, foot = table(["a"], [[1], [2], [3]], totals=1).data.split("<tfoot")
    assert body.count("<td") == 2 and foot.count("<td") == 1 and ">3<" in foot
    assert "<tfoot" not in table(["a"], [[1], [2]]).data


def test_pipes_do_not_break_a_markdown_table():
    assert markdown_table(["a"], [["x|y"]]).splitlines()[2] == "| x\\|y |"


def test_durations_have_their_two_largest_units():
    assert [format_duration(seconds) for seconds in (8.26, 250, 7500)] == ["8.3 s", "4 min 10 s", "2 h 5 min"]
