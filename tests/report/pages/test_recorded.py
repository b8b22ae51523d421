"""The recorded grid: its tables equal those of the records, in whatever parts it was kept."""

import csv

import pytest
from record_fixture import grid_records, with_retrieval, with_values

from stilts_core.report.analysis.grid import Grid
from stilts_core.report.analysis.kept_runs import read_kept_runs
from stilts_core.report.page_writer import PageWriter
from stilts_core.report.pages import recorded, results
from stilts_core.report.pages.grid_place import GridPlace
from stilts_core.report.tables.numbers import signed
from stilts_core.runs.measures import scored_state
from stilts_core.studies.collection import collect
from stilts_core.studies.findings import conclude
from stilts_core.studies.protocol import make_protocol
from stilts_core.studies.results import kept_table, merge_tables, read_table, write_table

ROWS, TARGETS, SEEDS = ("none", "mnli", "qqp"), ("xnli", "udpos", "tatoeba", "lareqa"), (0, 1, 2)


@pytest.fixture(scope="module")
def protocol():
    arms = {row: {"intermediate": row, "control": row == "none"} for row in ROWS}
    primary = {"name": "QQP, POS", "treatment": "qqp", "control": "none", "target": "udpos", "test": "difference",
               "sesoi": 1.0, "sd": 1.0}  # fmt: skip
    same = primary | {"name": "MNLI, XNLI", "treatment": "mnli", "target": "xnli"}
    content = {"name": "grid", "question": "?", "hypothesis": "!", "base": {"profile": "small"}, "arms": arms,
               "targets": list(TARGETS), "encoders": ["invented"], "seeds": list(SEEDS), "primary": primary,
               "secondary": [same], "costs": {"run": 1.0}}  # fmt: skip
    return make_protocol(content, "test")


def add_retrieval(record):
    """Retrieval from hidden states, as in a record. Tatoeba's score differs, as in BUCC, where it has a threshold."""
    record, last = with_retrieval(record), record.encoder.layers
    if record.target == "tatoeba":
        raw, state = record.layers, scored_state(record.config.layer, last)
    else:
        raw, state = {code: [score.score] * (last + 1) for code, score in record.scores.items()}, last
    after = record.retrieval.after.model_copy(update={"raw": raw})
    return record.model_copy(update={"retrieval": record.retrieval.model_copy(update={"state": state, "after": after})})


@pytest.fixture(scope="module")
def records():
    made = [with_values(run, {"config.encoder": "invented"}) for run in grid_records("small", ROWS, TARGETS, SEEDS)]
    return [add_retrieval(record) if record.target in ("tatoeba", "lareqa") else record for record in made]


@pytest.fixture(scope="module")
def table(protocol, records):
    return collect(protocol, records, read_items=lambda *_: None)


def tables(folder, grid: Grid) -> tuple[str, dict[str, list[list[str]]]]:
    """The page of a grid, and its CSV files."""
    page = results.build_page(grid, GridPlace(PageWriter(folder), lambda _: ""))
    return page, {path.name: list(csv.reader(path.open())) for path in sorted(folder.rglob("*.csv"))}


def test_tables_of_a_kept_grid_equal_those_of_its_records(protocol, records, table, tmp_path):
    write_table(tmp_path / "kept.parquet", table)
    kept = Grid(read_kept_runs(protocol, read_table(tmp_path / "kept.parquet")))
    assert {key: len(cell.records) for key, cell in kept.cells.items()} == dict.fromkeys(
        [(row, target) for target in TARGETS for row in ROWS], len(SEEDS)
    )
    assert tables(tmp_path / "kept", kept) == tables(tmp_path / "records", Grid(records))


def test_interval_of_a_single_run_counts_the_languages_as_independent(protocol, table):
    run = next(run for run in read_kept_runs(protocol, table) if run.target == "xnli")
    mean = run.averages.non_english
    halves = [(score.high - score.low) / 2 for code, score in run.scores.items() if code != "en"]
    assert mean.languages == len(halves) and mean.high - mean.score == pytest.approx(
        sum(half**2 for half in halves) ** 0.5 / len(halves)
    )


def test_arms_of_one_protocol_are_comparable_though_a_task_has_steps_of_its_own(protocol, records):
    longer = [with_values(run, {"config.intermediate_steps": 7}) if run.row == "qqp" else run for run in records]
    assert len(Grid(longer).rows) == 2 and len(Grid(longer, designed=True).rows) == len(ROWS)


def test_excluded_runs_are_left_out(protocol, table):
    excluded = ["x" if run == table.frame["run"].iloc[0] else "" for run in table.frame["run"]]
    runs = read_kept_runs(protocol, type(table)(table.frame.assign(excluded=excluded), table.provenance))
    assert len(runs) == len(ROWS) * len(TARGETS) * len(SEEDS) - 1


def test_seeds_are_the_blocks_of_a_study_with_one_encoder(protocol, records):
    parts = [collect(protocol, [r for r in records if r.seed == seed], read_items=lambda *_: None) for seed in SEEDS]
    assert [list(part.provenance["blocks"]) for part in parts] == [["seed-0"], ["seed-1"], ["seed-2"]]
    joined = merge_tables(protocol, merge_tables(protocol, parts[1], parts[0]), parts[2])
    whole = collect(protocol, records, read_items=lambda *_: None)
    assert joined.frame.equals(whole.frame) and joined.provenance == whole.provenance


@pytest.fixture
def book(tmp_path, protocol, table, monkeypatch):
    """The generated texts of a book with the table, by name."""
    folder = tmp_path / "protocols"
    folder.mkdir()
    monkeypatch.setattr("stilts_core.studies.conduct.read_protocol", lambda path: protocol)
    monkeypatch.setattr(recorded, "GRIDS", {"real": "grid"})
    (folder / "grid.toml").write_text("")

    def build(kept=table) -> dict[str, str]:
        if kept is not None:
            write_table(kept_table("grid", tmp_path / "book"), kept)
        writer = PageWriter(tmp_path / "book")
        recorded.write_pages(writer, recorded.read_grids(writer.folder, folder))
        writer.finish()
        root = tmp_path / "book/generated"
        return {str(path.relative_to(root).with_suffix("")): path.read_text() for path in root.rglob("*.md")}

    return build


def test_page_shows_the_grid_its_seeds_and_its_stand_ins_and_links_every_target(book, records):
    pages = book()
    assert set(pages) == {"real", *(f"real-targets/{target}" for target in TARGETS)}
    assert "36 runs in 3 rows and 4 columns, with 3 seeds." in pages["real"] and records[0].notes[0] in pages["real"]
    for target in TARGETS:
        assert f'href="generated/real-targets/{target}.html"' in pages["real"]
        assert "[All targets](../../real.md)" in pages[f"real-targets/{target}"]
    assert "pairs/" not in "".join(pages.values())


def test_page_says_what_was_expected_and_what_came_unless_a_chapter_does(book, protocol, table, monkeypatch):
    page = book()["real"]
    expected = page.split("## What was expected, and what came")[1].split("##")[0]
    assert "**Hypothesis.** !" in expected and "is not registered yet" in expected
    lines = [line for line in expected.splitlines() if line.startswith("- ")]
    for line, finding in zip(lines, conclude(table, protocol), strict=True):
        assert signed(finding.value) in line and "*Exploratory.*" in line
    assert ["own training set" in line for line in lines] == [False, True] and "with power" in expected
    monkeypatch.setattr(recorded, "CHAPTERS", {"grid": "questions/choice.md"})
    page = book()["real"]
    assert "What was expected" not in page and "](questions/choice.md)" in page


def test_page_of_a_target_has_its_registered_contrasts_beside_the_figure(book, protocol, table):
    pages = book()
    for contrast, finding in zip(protocol.contrasts, conclude(table, protocol), strict=True):
        section = pages[f"real-targets/{contrast.target}"].split("**Registered contrasts.**")[1].split("## ")[0]
        assert section.count("\n- ") == 1 and signed(finding.value) in section
    assert "Registered contrasts" not in pages["real-targets/tatoeba"]


def test_page_without_a_table_names_the_command(book):
    assert "`stilts study grid --keep` runs it" in book(kept=None)["real"]


def test_page_of_some_seeds_says_how_many(book, protocol, records):
    some = collect(protocol, [record for record in records if record.seed < 2], read_items=lambda *_: None)
    assert "2 of 3 seeds are done" in book(some)["real"]
