import os

from record_fixture import synthetic_record

from stilts_core.records import write_record
from stilts_core.report.pages import Pages
from stilts_core.report.stamp import set_stamp, up_to_date


def report(folder):
    pages = Pages(folder / "book")
    pages.write("generated/runs.md", "runs")
    pages.finish()
    set_stamp("small", folder / "runs", folder / "book")


def current(folder, profile="small") -> bool:
    return up_to_date(profile, folder / "runs", folder / "book")


def test_a_report_is_up_to_date_until_something_that_it_reads_or_wrote_changes(tmp_path):
    record = write_record(tmp_path / "runs" / "small" / "one", synthetic_record())
    assert not current(tmp_path)
    report(tmp_path)
    assert current(tmp_path) and not current(tmp_path, "lab")
    os.utime(record, ns=(0, 0))
    assert not current(tmp_path)
    report(tmp_path)
    assert current(tmp_path)
    for changed in ("runs/small/two/record.json", "book/results/small/kept.json", "book/results/bench.json"):
        (tmp_path / changed).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / changed).write_text("{}")
        assert not current(tmp_path)
        report(tmp_path)
        assert current(tmp_path)
    (tmp_path / "book" / "generated" / "runs.md").unlink()
    assert not current(tmp_path)


def test_files_of_other_profiles_and_of_no_report_change_nothing(tmp_path):
    report(tmp_path)
    for name in ("runs/lab/one/record.json", "runs/small/one/predictions/test-de.tsv", "book/method.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text")
    assert current(tmp_path)
