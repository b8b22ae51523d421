from stilts_core.report.markup import duration, pipe_table, table, text


def test_text_is_escaped_and_runs_in_its_own_direction():
    shown = text("<script> & שלום", "he")
    assert 'dir="auto"' in shown and 'lang="he"' in shown
    assert "<script>" not in shown and "&lt;script&gt; &amp; שלום" in shown


def test_table_scrolls_inside_itself_and_is_left_alone_by_mathjax():
    shown = table(["a"], [["$x$"]]).data
    assert shown.startswith('<div class="stilts-table mathjax_ignore" style="overflow-x: auto">')


def test_numbers_are_set_right_and_missing_values_stay_empty():
    shown = table(["a", "b", "c"], [[1234, 5.678, None]]).data
    assert '<td style="text-align: right">1,234</td>' in shown
    assert '<td style="text-align: right">5.7</td>' in shown
    assert "<td></td>" in shown and "None" not in shown


def test_totals_are_set_apart_from_the_rows_above():
    body, foot = table(["a"], [[1], [2], [3]], totals=1).data.split("<tfoot")
    assert body.count("<td") == 2 and foot.count("<td") == 1 and ">3<" in foot
    assert "<tfoot" not in table(["a"], [[1], [2]]).data


def test_pipes_do_not_break_a_markdown_table():
    assert pipe_table(["a"], [["x|y"]]).splitlines()[2] == "| x\\|y |"


def test_durations_read_as_a_person_says_them():
    assert [duration(seconds) for seconds in (8.26, 250, 7500)] == ["8.3 s", "4 min 10 s", "2 h 5 min"]
