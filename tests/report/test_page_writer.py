import csv
from pathlib import Path

from stilts_core.report.page_writer import PageWriter


def report(folder: Path, text: str = "a") -> list[Path]:
    pages = PageWriter(folder)
    pages.write("generated/one.md", text)
    pages.write("pairs/run.md", "run")
    return pages.finish()


def test_unchanged_files_are_not_written_again(tmp_path):
    report(tmp_path)
    files = [tmp_path / "generated/one.md", tmp_path / "pairs/run.md"]
    before = [file.stat().st_ino for file in files], [file.stat().st_mtime_ns for file in files]
    assert report(tmp_path) == files
    assert ([file.stat().st_ino for file in files], [file.stat().st_mtime_ns for file in files]) == before
    report(tmp_path, "b")
    assert files[0].read_text() == "b" and files[0].stat().st_mtime_ns > before[1][0]
    assert files[1].stat().st_mtime_ns == before[1][1]


def test_only_files_of_earlier_reports_are_removed(tmp_path):
    for name in ("generated/targets/old.md", "pairs/old.ipynb", "results/small/recorded.json", "method.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("old")
    report(tmp_path)
    remaining = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert remaining == {"generated/one.md", "pairs/run.md", "results/small/recorded.json", "method.md"}
    assert not (tmp_path / "generated" / "targets").exists()


def test_csv_files_read_back(tmp_path):
    path = PageWriter(tmp_path).write_csv("scores", ["name", "score"], [["a, b", 1.5], ['"', ""]])
    with (tmp_path / path).open(newline="") as file:
        assert list(csv.reader(file)) == [["name", "score"], ["a, b", "1.5"], ['"', ""]]
