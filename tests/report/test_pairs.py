import json

import nbformat
import pytest
from record_fixture import SENTENCES, grid_records, synthetic_record

from stilts_core.notebook_run import UNFINISHED
from stilts_core.report.failures import failures_of
from stilts_core.report.pages import Pages
from stilts_core.report.pairs import Neighbours, publish, publish_failures, titles_of


def names(records) -> dict[str, str]:
    return {record["run_id"]: f"{record['run_id']}.ipynb" for record in records}


def notebook(cells, **metadata) -> dict:
    return {"cells": cells, "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}


def markdown(text, *tags) -> dict:
    return {"cell_type": "markdown", "id": "x", "metadata": {"tags": list(tags)} if tags else {}, "source": text}


def test_titles_name_seeds_where_pairs_repeat_and_run_ids_where_seeds_do():
    records = grid_records(rows=("none", "mnli"), targets=("xnli",)) + grid_records(
        rows=("mnli",), targets=("xnli",), seeds=(1, 2)
    )
    again = synthetic_record() | {"run_id": "mnli-xnli-invented-s2-ffffffffff"}
    again["config"]["seed"] = 2
    titles = list(titles_of([*records, again]).values())
    assert titles[0] == "No intermediate task → XNLI" and titles[1:3] == [
        "MultiNLI → XNLI (seed 0)",
        "MultiNLI → XNLI (seed 1)",
    ]
    assert titles[4] == "MultiNLI → XNLI (seed 2) (ffffffffff)" and len(set(titles)) == 5


def test_a_run_leads_to_its_row_its_column_and_its_other_seeds():
    records = grid_records(rows=("none", "qqp"), targets=("xnli", "udpos"), seeds=(0, 1))
    runs = {(r["config"]["intermediate"], r["config"]["target"], r["config"]["seed"]): r for r in records}
    way = Neighbours(records, names(records)).way(runs["qqp", "xnli", 1])
    assert "[Results](../results.md)" in way and "(../generated/targets/xnli.md)" in way
    linked = {key for key, record in runs.items() if f"({record['run_id']}.ipynb)" in way}
    assert linked == {
        ("none", "xnli", 1),
        ("qqp", "udpos", 1),
        ("qqp", "xnli", 0),
    }  # of its own seed, where there is one


def test_a_neighbour_without_the_same_seed_is_the_next_one():
    records = grid_records(rows=("none",), targets=("xnli",)) + grid_records(
        rows=("qqp",), targets=("xnli",), seeds=(3, 5)
    )
    way = Neighbours(records, names(records)).way(records[0])
    assert records[1]["run_id"] in way and records[2]["run_id"] not in way


def test_a_notebook_gets_its_title_its_neighbours_and_no_place_in_the_contents(tmp_path):
    record = synthetic_record()
    folder = tmp_path / "runs" / "small" / record["run_id"]
    folder.mkdir(parents=True)
    tagged = {"tags": ["injected-parameters"]}
    code = {"cell_type": "code", "id": "p", "metadata": tagged, "source": "", "outputs": [], "execution_count": 1}
    (folder / "pair.ipynb").write_text(json.dumps(notebook([markdown("# One pair of tasks\n\nWords."), code])))
    publish([record], tmp_path / "runs", Pages(tmp_path / "book"))
    page = nbformat.read(tmp_path / "book" / "pairs" / f"{record['run_id']}.ipynb", as_version=4)
    nbformat.validate(page)
    assert page.cells[0].source == "# MultiNLI → XNLI\n\nWords." and "[Results]" in page.cells[1].source
    assert "hide-input" in page.cells[2].metadata.tags and page.metadata.orphan is True


def test_a_kept_record_gets_a_page_without_text_of_the_data(tmp_path):
    record = {name: value for name, value in synthetic_record().items() if name not in ("cards", "errors")}
    publish([record], tmp_path / "runs", Pages(tmp_path))
    page = (tmp_path / "pairs" / f"{record['run_id']}.md").read_text()
    assert "# MultiNLI → XNLI" in page and page.count("<table") >= 4 and "orphan: true" in page
    assert not [text for text in SENTENCES.values() if text in page]


@pytest.mark.parametrize("exception", [True, None])
def test_a_run_that_failed_has_its_notebook_up_to_the_error_and_one_at_work_has_no_page(tmp_path, exception):
    error = {"output_type": "error", "ename": "TrainingError", "evalue": "the loss is nan", "traceback": []}
    cell = {"cell_type": "code", "id": "r", "metadata": {}, "source": "", "outputs": [error] if exception else []}
    executed = {"parameters": {"intermediate": "qqp", "target": "xnli"}, "exception": exception}
    content = notebook(
        [markdown("An Exception!", "papermill-error-cell-tag"), markdown("# One pair of tasks"), cell],
        papermill=executed,
    )
    folder = tmp_path / "runs" / "lab" / "qqp-xnli-lab-s0-0123456789"
    folder.mkdir(parents=True)
    (folder / UNFINISHED).write_text(json.dumps(content))
    found = failures_of("lab", tmp_path / "runs")
    publish_failures(found, Pages(tmp_path))
    pages = list((tmp_path / "pairs").glob("*")) if found else []
    assert len(pages) == len(found) == bool(exception)
    if found:
        assert (
            found[0].title == "Quora Question Pairs → XNLI (failed)"
            and found[0].reason == "TrainingError: the loss is nan"
        )
        assert json.loads(pages[0].read_text())["cells"][0]["source"].startswith(
            "# Quora Question Pairs → XNLI (failed)"
        )
    (folder / "record.json").write_text("{}")
    assert failures_of("lab", tmp_path / "runs") == []  # repeated with success
