import csv

from stilts_core.report.pages import Pages


def report(folder, text="a"):
    pages = Pages(folder)
    pages.write("generated/one.md", text)
    pages.write("pairs/run.md", "run")
    return pages.finish()


def test_what_did_not_change_is_not_written_again(tmp_path):
    report(tmp_path)
    files = [tmp_path / "generated/one.md", tmp_path / "pairs/run.md"]
    before = [file.stat().st_ino for file in files], [file.stat().st_mtime_ns for file in files]
    assert report(tmp_path) == files
    assert ([file.stat().st_ino for file in files], [file.stat().st_mtime_ns for file in files]) == before
    report(tmp_path, "b")
    assert files[0].read_text() == "b" and files[0].stat().st_mtime_ns > before[1][0]
    assert files[1].stat().st_mtime_ns == before[1][1]


def test_what_an_earlier_report_left_is_removed_and_nothing_else(tmp_path):
    for name in ("generated/targets/old.md", "pairs/old.ipynb", "results/small/kept.json", "method.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("old")
    report(tmp_path)
    left = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert left == {"generated/one.md", "pairs/run.md", "results/small/kept.json", "method.md"}
    assert not (tmp_path / "generated" / "targets").exists()


def test_a_table_is_a_csv_file_that_reads_back(tmp_path):
    path = Pages(tmp_path).table("scores", ["name", "score"], [["a, b", 1.5], ['"', ""]])
    with (tmp_path / path).open(newline="") as file:
        assert list(csv.reader(file)) == [["name", "score"], ["a, b", "1.5"], ['"', ""]]
