import os
from pathlib import Path

from record_fixture import synthetic_record

from stilts_core.report import stamp
from stilts_core.report.page_writer import PageWriter
from stilts_core.runs.record import write_record


def report(folder: Path) -> None:
    pages = PageWriter(folder / "book")
    pages.write("generated/runs.md", "runs")
    pages.finish()
    stamp.write_stamp("small", folder / "runs", folder / "book")


def up_to_date(folder: Path, profile: str = "small") -> bool:
    return stamp.is_up_to_date(profile, folder / "runs", folder / "book")


def test_a_report_is_up_to_date_until_one_of_its_files_changes(tmp_path):
    record = write_record(tmp_path / "runs" / "small" / "one", synthetic_record())
    assert not up_to_date(tmp_path)
    report(tmp_path)
    assert up_to_date(tmp_path) and not up_to_date(tmp_path, "lab")
    os.utime(record, ns=(0, 0))
    assert not up_to_date(tmp_path)
    report(tmp_path)
    assert up_to_date(tmp_path)
    for name in (
        "runs/small/two/record.json",
        "book/results/small/recorded.json",
        "book/results/bench.json",
        "book/results/studies/ratio.parquet",
        "runs/lab/lessons/read_effect.ipynb",
        "runs/lab/encoders/lab.json",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("{}")
        assert not up_to_date(tmp_path)
        report(tmp_path)
        assert up_to_date(tmp_path)
    (tmp_path / "book" / "generated" / "runs.md").unlink()
    assert not up_to_date(tmp_path)


def test_a_changed_fact_makes_a_report_out_of_date(tmp_path, monkeypatch):
    monkeypatch.setattr(stamp, "FACTS", tmp_path / "facts")
    report(tmp_path)
    (tmp_path / "facts").mkdir()
    (tmp_path / "facts" / "languages.csv").write_text("language\n")
    assert not up_to_date(tmp_path)


def test_a_changed_protocol_or_registration_makes_a_report_out_of_date(tmp_path, monkeypatch):
    monkeypatch.setattr(stamp, "PROTOCOLS", (tmp_path / "protocols",))
    report(tmp_path)
    for name in ("ratio.toml", "registered/ratio.json"):
        (tmp_path / "protocols" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "protocols" / name).write_text("{}")
        assert not up_to_date(tmp_path)
        report(tmp_path)
        assert up_to_date(tmp_path)


def test_files_outside_a_report_do_not_make_it_out_of_date(tmp_path):
    report(tmp_path)
    for name in ("runs/lab/one/record.json", "runs/small/one/predictions/test-de.tsv", "book/method.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("text")
    assert up_to_date(tmp_path)


def test_a_changed_script_of_a_page_makes_a_report_out_of_date(tmp_path, monkeypatch):
    monkeypatch.setattr(stamp, "PACKAGE", tmp_path / "package")
    report(tmp_path)
    script = tmp_path / "package" / "report" / "static" / "explorer.js"
    script.parent.mkdir(parents=True)
    script.write_text("")
    assert not up_to_date(tmp_path)
